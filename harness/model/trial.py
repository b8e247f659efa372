"""What one trial measured, after the join of requests, pauses, collector and platform.

Times are integer nanoseconds on CLOCK_MONOTONIC. None always means "not measured", and
`not_measured` says why, keyed by the field's name.
"""

from __future__ import annotations

import msgspec

from harness.model.checks import SelfChecks
from harness.model.plan import RatePart, TrialSpec
from harness.model.verdict import Verdict


class Percentiles(msgspec.Struct, frozen=True):
    """Of one distribution; a percentile without enough tail episodes behind it is None."""

    count: float  # a sum of weights for clean percentiles
    p50: int | None
    p90: int | None
    p99: int | None
    p999: int | None
    p9999: int | None
    max: int | None
    curve: list[tuple[float, int]] = []  # (quantile, ns), even on the log-nines axis
    p99_low: int | None = None  # block bootstrap of per-second histograms, 95%
    p99_high: int | None = None


class WorkerLoss(msgspec.Struct, frozen=True):
    """A worker that was lost in the middle of a trial; requests of the measured part."""

    name: str
    why: str
    planned: int  # its share
    offered: int  # until the last second that it reported
    completed: int


class Load(msgspec.Struct, frozen=True):
    """Counters over the measured part (warm-up excluded)."""

    offered: int
    sent: int
    completed: int
    good: int
    errors: dict[str, int]
    offered_rps: float
    achieved_rps: float  # good answers / measured seconds
    # None where the engine left no totals: records do not tell of these.
    bytes_in: int | None
    bytes_out: int | None
    connections_lost: int | None
    records_dropped: int | None
    unfinished: int
    # Good answers that ended within the measured part, the warm-up's last ones among them: `good`
    # also holds what an overloaded backend answered after the end.
    served: int | None = None
    workers_lost: list[WorkerLoss] = []  # `offered` holds what they were to send, too


class OperationFigures(msgspec.Struct, frozen=True):
    """The response times of one operation, in ns; None: too few tail episodes."""

    count: int
    errors: int
    p50: int | None
    p99: int | None


class PartData(msgspec.Struct, frozen=True):
    """One step or ramp of a trial, from the records of its requests."""

    part: RatePart
    start_ns: int
    end_ns: int
    offered: int  # intended in this part, as are those that failed and those that never ended
    served: int  # good answers that ended in this part, whenever they were intended
    errors: dict[str, int]
    unfinished: int
    offered_rps: float
    achieved_rps: float  # served / seconds
    response: Percentiles | None  # of those intended in this part; without the curve


class ClosedLoop(msgspec.Struct, frozen=True):
    """A maximum, found with every connection always busy: no promise about response times."""

    throughput_rps: float | None  # good answers that ended in the measured part / its seconds
    in_flight: int  # requests at once: connections x depth
    service: Percentiles | None  # from the send to the last byte


class Pacing(msgspec.Struct, frozen=True):
    """How the engine waited between slots, as it says itself."""

    asked: str
    chosen: str  # sleep | spin
    why: str
    grain_ns: int
    wake_late_ns_p90: int | None = None  # None: not timed, as only `auto` does


class Clean(msgspec.Struct, frozen=True):
    """The same response times over the requests that no platform window touched."""

    response: Percentiles | None
    share_touched: float | None
    withheld: str  # why `response` is None; "" when it is not


class Latency(msgspec.Struct, frozen=True):
    """The client's side."""

    response: Percentiles
    service: Percentiles
    own_fault_lag: Percentiles
    backlog_lag: Percentiles
    clean: Clean


class Total(msgspec.Struct, frozen=True):
    """Count, sum and maximum of one kind of window."""

    count: int
    total_ns: int
    max_ns: int


class Pauses(msgspec.Struct, frozen=True):
    """No-progress gaps; each gap's time is split over the causes that overlap it."""

    all: Total
    by_cause: dict[str, Total]


class Collector(msgspec.Struct, frozen=True):
    """GC jitter; `kind` "none" means that there is no collector, and then all else is None."""

    kind: str
    cycles: int | None = None
    stop_the_world: Total | None = None
    mark_share: float | None = None
    mark_worker_ns: int | None = None
    assist_ns: int | None = None
    p99_inside: int | None = None  # ns, requests whose intended send time lies inside a GC cycle
    p99_outside: int | None = None
    requests_inside: int | None = None


class Resources(msgspec.Struct, frozen=True):
    """Over the measured part."""

    backend_cpu_ns: int
    backend_cpu_ns_per_request: float
    memory_peak_bytes: int | None
    engine_cpu_ns: int
    engine_core_share: float
    throttled_ns: int | None
    page_faults: int | None
    allocator_calls: dict[str, Total] | None
    runqueue_wait: Total | None
    runqueue_holders: dict[str, int] | None  # ns by process name


class Platform(msgspec.Struct, frozen=True):
    """What the machine did to the trial; by role: backend, engine."""

    steal_share: dict[str, float]
    windows: dict[str, Total] | None  # vcpu_not_run, wakeup_not_taken, foreign
    foreign_holders: dict[str, dict[str, int]] | None  # role -> process name -> ns


class Hiccups(msgspec.Struct, frozen=True):
    """How late a thread that only sleeps woke on the CPUs of a role: backend, engine."""

    by_role: dict[str, Percentiles]
    interval_ns: int  # between the points at which it wanted to wake
    waited_is_off: bool  # what it waited behind others on its CPU was counted, and taken off


class ProbeReport(msgspec.Struct, frozen=True):
    """How one probe fared: what it cost and what it lost."""

    name: str
    state: str  # measured | unavailable | died | off
    reason: str
    records: dict[str, int]
    drops: dict[str, int]
    cpu_ns: int | None
    bpf_run_ns: int | None


class TrialData(msgspec.Struct, frozen=True):
    """`trials/<n>/trial.json`."""

    schema: int
    spec: TrialSpec
    start_ns: int
    measure_ns: int
    end_ns: int
    started_utc: str
    load: Load | None
    latency: Latency | None
    server_time: Percentiles | None
    pauses: Pauses | None
    collector: Collector | None
    resources: Resources | None
    platform: Platform | None
    probes: list[ProbeReport]
    not_measured: dict[str, str]
    verdict: Verdict
    operations: dict[str, OperationFigures] = {}
    checks: SelfChecks | None = None
    hiccups: Hiccups | None = None
    parts: list[PartData] = []
    closed_loop: ClosedLoop | None = None  # then there is no `latency`
    pacing: Pacing | None = None
