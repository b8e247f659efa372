"""The columns of the answer table: what each reads from a trial, and how trials are summed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.model.analysis import Column
from harness.model.trial import PartData, Percentiles, Total, TrialData
from harness.stats import means

NO_COLLECTOR = "no GC"
# A value, or why there is none.
Reading = float | str
Summarise = Callable[[Sequence[float]], means.Interval]


@dataclass(frozen=True, slots=True)
class Figure:
    """A column with its reader."""

    column: Column
    read: Callable[[TrialData], Reading]
    summarise: Summarise


def _why(trial: TrialData, *names: str) -> str:
    for name in names:
        if name in trial.not_measured:
            return f"not measured ({trial.not_measured[name]})"
    return "not measured"


def _or(value: float | None, why: str) -> Reading:
    return why if value is None else float(value)


def _percentile(found: Percentiles, name: str) -> Reading:
    return _or(getattr(found, name), "too few tail episodes")


def _observed(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        if trial.latency is None:
            return _why(trial, "latency")
        return _percentile(trial.latency.response, name)

    return read


def _clean(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        if trial.latency is None:
            return _why(trial, "latency")
        clean = trial.latency.clean
        if clean.response is None:
            return f"withheld ({clean.withheld})"
        value = getattr(clean.response, name)
        if value is None and clean.withheld:
            return f"withheld ({clean.withheld})"
        return _or(value, "too few tail episodes")

    return read


def _service_p99(trial: TrialData) -> Reading:
    if trial.latency is None:
        return _why(trial, "latency")
    return _percentile(trial.latency.service, "p99")


def _server(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        if trial.server_time is None:
            return _why(trial, "server_time", "sockets")
        return _percentile(trial.server_time, name)

    return read


def _load(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        return _why(trial, "load") if trial.load is None else float(getattr(trial.load, name))

    return read


def _errors(trial: TrialData) -> Reading:
    if trial.load is None:
        return _why(trial, "load")
    return float(sum(trial.load.errors.values()) + trial.load.unfinished)


def _collector(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        if trial.collector is None:
            return _why(trial, "gc")
        if trial.collector.kind == "none":
            return NO_COLLECTOR
        if trial.collector.cycles == 0 and name.startswith("p99_inside"):
            return "no cycle"
        return _or(getattr(trial.collector, name), "too few tail episodes")

    return read


def _stops(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        if trial.collector is None:
            return _why(trial, "gc")
        if trial.collector.kind == "none":
            return NO_COLLECTOR
        return _of_total(trial.collector.stop_the_world, name)

    return read


def _pauses(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        if trial.pauses is None:
            return _why(trial, "gaps", "sockets")
        return _of_total(trial.pauses.all, name)

    return read


def _of_total(found: Total | None, name: str) -> Reading:
    return "not measured" if found is None else float(getattr(found, name))


def _cpu(trial: TrialData) -> Reading:
    if trial.resources is None:
        return _why(trial, "resources")
    return trial.resources.backend_cpu_ns_per_request


def _memory(trial: TrialData) -> Reading:
    if trial.resources is None:
        return _why(trial, "resources")
    return _or(trial.resources.memory_peak_bytes, "not measured (no memory counter)")


def _hiccup(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        if trial.hiccups is None or not trial.hiccups.by_role:
            return _why(trial, "hiccups")
        values = [getattr(part, name) for part in trial.hiccups.by_role.values()]
        known = [float(value) for value in values if value is not None]
        return max(known) if known else "too few tail episodes"

    return read


def _touched(trial: TrialData) -> Reading:
    if trial.latency is None:
        return _why(trial, "latency")
    share = trial.latency.clean.share_touched
    return _or(share, f"not measured ({trial.latency.clean.withheld})")


def _part(index: int, read: Callable[[PartData], Reading]) -> Callable[[TrialData], Reading]:
    def of_trial(trial: TrialData) -> Reading:
        if index >= len(trial.parts):
            return _why(trial, "requests")
        return read(trial.parts[index])

    return of_trial


def _part_percentile(name: str) -> Callable[[PartData], Reading]:
    def read(part: PartData) -> Reading:
        return "not measured" if part.response is None else _percentile(part.response, name)

    return read


def _throughput(trial: TrialData) -> Reading:
    if trial.closed_loop is None:
        return "not measured (not a closed loop)"
    return _or(trial.closed_loop.throughput_rps, _why(trial, "load.served"))


def _busy_service(name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        if trial.closed_loop is None or trial.closed_loop.service is None:
            return _why(trial, "requests")
        return _percentile(trial.closed_loop.service, name)

    return read


def _engine_share(trial: TrialData) -> Reading:
    if trial.resources is None:
        return _why(trial, "resources")
    return trial.resources.engine_core_share


def _figure(
    name: str,
    title: str,
    unit: str,
    about: str,
    read: Callable[[TrialData], Reading],
    summarise: Summarise = means.geometric,
) -> Figure:
    return Figure(Column(name, title, unit, about), read, summarise)


_UNTOUCHED = "The same over the requests that no platform window touched, weighted by chance."
_LATE = "From the intended send time to the last byte: "
_HICCUP = "The platform alone: a thread that only sleeps woke later than this in "
FIGURES: tuple[Figure, ...] = (
    _figure("offered_rps", "Offered", "requests/s", "The rate of the schedule.",
            _load("offered_rps")),
    _figure("achieved_rps", "Achieved", "requests/s", "Good answers per measured second.",
            _load("achieved_rps")),
    _figure("p50_observed", "P50 observed", "ns", _LATE + "half were faster.", _observed("p50")),
    _figure("p50_clean", "P50 clean", "ns", _UNTOUCHED, _clean("p50")),
    _figure("p99_observed", "P99 observed", "ns", _LATE + "1 in 100 was slower.",
            _observed("p99")),
    _figure("p99_clean", "P99 clean", "ns", _UNTOUCHED, _clean("p99")),
    _figure("p999_observed", "P99.9 observed", "ns", _LATE + "1 in 1,000 was slower.",
            _observed("p999")),
    _figure("p999_clean", "P99.9 clean", "ns", _UNTOUCHED, _clean("p999")),
    _figure("p99_hiccup", "P99 hiccups", "ns", _HICCUP + "1% of the time.", _hiccup("p99")),
    _figure("p999_hiccup", "P99.9 hiccups", "ns", _HICCUP + "0.1% of it.", _hiccup("p999")),
    _figure("max_hiccup", "Longest hiccup", "ns", "The longest of all trials.", _hiccup("max"),
            means.largest),
    _figure("p99_service", "Service P99", "ns", "From the actual send to the last byte.",
            _service_p99),
    _figure("p50_server", "Server P50", "ns", "From request in the socket to answer sent.",
            _server("p50")),
    _figure("p99_server", "Server P99", "ns", "From request in the socket to answer sent.",
            _server("p99")),
    _figure("stw_count", "Stops", "", "Stop-the-world windows of a trial.", _stops("count"),
            means.arithmetic),
    _figure("stw_max", "Longest stop", "ns", "The longest of all trials.", _stops("max_ns"),
            means.largest),
    _figure("stw_total", "Stopped", "ns", "All stop-the-world windows of a trial.",
            _stops("total_ns"), means.arithmetic),
    _figure("mark_share", "In mark phases", "ratio", "Share of the time in mark phases.",
            _collector("mark_share"), means.arithmetic),
    _figure("p99_inside", "P99 inside a cycle", "ns",
            "Requests whose intended send time lies inside a GC cycle.", _collector("p99_inside")),
    _figure("p99_outside", "P99 outside", "ns", "All other requests.", _collector("p99_outside")),
    _figure("pauses_count", "Pauses", "", "No-progress gaps of 100 us or more.", _pauses("count"),
            means.arithmetic),
    _figure("pauses_max", "Longest pause", "ns", "The longest of all trials.", _pauses("max_ns"),
            means.largest),
    _figure("pauses_total", "Paused", "ns", "All pauses of a trial.", _pauses("total_ns"),
            means.arithmetic),
    _figure("cpu_per_request", "CPU per request", "ns", "The backend's CPU time per answer.", _cpu),
    _figure("memory_peak", "Peak memory", "bytes", "The highest of a trial.", _memory),
    _figure("errors", "Errors", "", "Requests that failed, in all valid trials.", _errors,
            means.total),
    _figure("share_touched", "Touched by the platform", "ratio",
            "Share of the requests that met a platform window or its backlog.", _touched,
            means.arithmetic),
)  # fmt: skip

_BUSY = "With every connection always busy, so no promise: from the send to the last byte, "
CLOSED_LOOP_FIGURES: tuple[Figure, ...] = (
    _figure("throughput", "Throughput", "requests/s",
            "Good answers that ended in the measured part, per second.", _throughput),
    _figure("cpu_per_request", "CPU per request", "ns", "The backend's CPU time per answer.", _cpu),
    _figure("engine_share", "Engine's CPU", "ratio",
            "Of one core: near its threads' whole, the engine was the bound.", _engine_share,
            means.arithmetic),
    _figure("memory_peak", "Peak memory", "bytes", "The highest of a trial.", _memory),
    _figure("errors", "Errors", "", "Requests that failed, in all valid trials.", _errors,
            means.total),
    _figure("service_p50", "Service P50", "ns", _BUSY + "half were faster.", _busy_service("p50")),
    _figure("service_p99", "Service P99", "ns", _BUSY + "1 in 100 was slower.",
            _busy_service("p99")),
)  # fmt: skip


def part_figures(index: int) -> tuple[Figure, ...]:
    """The columns of one step or ramp, counted from 0."""

    def of(read: Callable[[PartData], Reading]) -> Callable[[TrialData], Reading]:
        return _part(index, read)

    return (
        _figure("offered_rps", "Offered", "requests/s", "The rate of the schedule in this part.",
                of(lambda part: part.offered_rps)),
        _figure("achieved_rps", "Achieved", "requests/s",
                "Good answers that ended in this part, per second.",
                of(lambda part: part.achieved_rps)),
        _figure("p50_observed", "P50 observed", "ns",
                "Of the requests intended in this part: half were faster.",
                of(_part_percentile("p50"))),
        _figure("p99_observed", "P99 observed", "ns", "1 in 100 was slower.",
                of(_part_percentile("p99"))),
        _figure("p999_observed", "P99.9 observed", "ns", "1 in 1,000 was slower.",
                of(_part_percentile("p999"))),
        _figure("errors", "Errors", "", "Requests of this part that failed, in all valid trials.",
                of(lambda part: float(sum(part.errors.values()) + part.unfinished)), means.total),
    )  # fmt: skip
