"""What the probes saw in the measured part of a trial: gaps, platform and collector as windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.model.recording import Ints, Recording, Stream
from harness.model.trial import Total
from harness.stats import buckets, intervals, pauses
from harness.stats.intervals import Windows

SECOND_NS = 1_000_000_000
# The sockets probe takes what arrives for a request, and what leaves for an answer.
PROTOCOL_UNSEEN = "h2c"
WHY_UNSEEN = "HTTP/2: streams of one connection cannot be told apart on its socket"
PLATFORM_KINDS = ("vcpu_not_run", "wakeup_not_taken", "foreign")
# Reasons of the collector's own stops: mark termination, sweep termination. All others (profiles,
# reading statistics) stop the backend just as well, so they are causes of pauses, but not GC.
GC_REASONS = (1, 2)
STOPPED_OTHERWISE = "stopped_otherwise"
GC_KINDS = ("stop_the_world", "mark_phase", "assist", "mark_worker")


@dataclass(frozen=True, slots=True)
class Watched:
    """Windows clipped to the measured part; None: not measured."""

    gaps: Windows | None
    platform: dict[str, dict[str, Windows]] | None  # role -> kind -> windows
    holders: dict[str, dict[str, int]] | None  # role -> process name -> ns of foreign windows
    gc: dict[str, Windows] | None
    stops: Total | None  # each stop-the-world of its own, before merging
    gc_times: dict[str, int] | None  # kind -> ns summed over goroutines and workers
    gc_cycles: int | None
    server_time: list[dict[str, Any] | None]  # a histogram a second

    def all_platform(self) -> Windows:
        """Every platform window of every role."""
        roles = (self.platform or {}).values()
        return intervals.union(*(part for kinds in roles for part in kinds.values()))

    def role(self, name: str) -> dict[str, Windows]:
        """The platform windows of one role by kind."""
        return (self.platform or {}).get(name, {})

    def causes(self) -> dict[str, Windows]:
        """What a pause of the backend can be charged to, by the names of `pauses.PRIORITY`."""
        found = dict(self.role("backend"))
        if self.gc is not None:
            stops = (self.gc["stop_the_world"], self.gc[STOPPED_OTHERWISE])
            found["stop_the_world"] = intervals.union(*stops)
            found["assist"] = self.gc["assist"]
            found["mark"] = intervals.union(self.gc["mark_worker"], self.gc["mark_phase"])
        return found

    def cycles(self) -> Windows:
        """GC cycles: mark phases with their stops."""
        if self.gc is None:
            return intervals.EMPTY
        return intervals.union(self.gc["mark_phase"], self.gc["stop_the_world"])

    def gc_sum(self, kind: str) -> int | None:
        """The time of a kind summed over all who spent it; they may overlap."""
        return None if self.gc_times is None else self.gc_times.get(kind, 0)


def watched(recording: Recording, missing: dict[str, str]) -> Watched:
    """Read the streams; what is not there is None and `missing` says why, by the stream's name."""
    facts = recording.facts
    low, high = facts.measure_ns, facts.end_ns
    gaps = _stream(recording, "gaps", missing)
    if facts.protocol == PROTOCOL_UNSEEN:
        gaps, missing["gaps"] = None, WHY_UNSEEN
    platform = _stream(recording, "platform", missing)
    gc = None
    if facts.collector == "none":
        missing.pop("gc", None)
    else:
        gc = _stream(recording, "gc", missing)
    histograms = _server_time(recording, low, high)
    if facts.protocol == PROTOCOL_UNSEEN:
        histograms, missing["server_time"] = [None] * len(histograms), WHY_UNSEEN
    if not any(histograms):
        why = _why(recording, "sockets") or "the probe wrote no histograms"
        missing.setdefault("server_time", why)
    marks = None if gc is None else _phases(gc, "mark_phase", low, high)
    return Watched(
        gaps=None if gaps is None else _clipped(gaps.records, low, high),
        platform=None if platform is None else _by_role(platform, low, high),
        holders=None if platform is None else _holders(platform, low, high),
        gc=None if gc is None else _collector(gc, low, high),
        stops=None if gc is None else _each(_stops(gc, own=True), low, high),
        gc_times=None if gc is None else _times(gc, low, high),
        gc_cycles=marks,
        server_time=histograms,
    )


def server_p99(histograms: Iterable[dict[str, Any] | None]) -> list[int | None]:
    """The P99 of each second's server time."""
    return [
        None if found is None else buckets.quantile(buckets.merge([found]), 0.99)
        for found in histograms
    ]


def _stream(recording: Recording, name: str, missing: dict[str, str]) -> Stream | None:
    stream = recording.streams.get(name)
    outcome = next((p for p in recording.probes if name in p.records), None)
    if stream is None:
        why = _why(recording, name) or "no probe wrote this stream"
        missing[name] = missing.get(name) or why
        return None
    # A probe that died mid-trial left a file that ends early: silence there is not calm.
    if outcome is not None and outcome.state != "measured":
        missing[name] = f"probe {outcome.name} {outcome.state}: {outcome.reason}"
        return None
    dead = next((p for p in recording.probes if p.name == stream.probe), None)
    if dead is not None and dead.state != "measured":
        missing[name] = f"probe {dead.name} {dead.state}: {dead.reason}"
        return None
    if stream.truncated:
        missing[name] = stream.truncated
        return None
    return stream


def _why(recording: Recording, name: str) -> str:
    """The reason that a probe itself gave; the gaps are the sockets probe's."""
    owner = "sockets" if name == "gaps" else name
    for outcome in recording.probes:
        if outcome.name == owner and outcome.state != "measured":
            return f"probe {outcome.name} {outcome.state}: {outcome.reason}".rstrip(": ")
    return "" if recording.probes else "probes were off"


def _of(stream: Stream, field: str, word: str) -> npt.NDArray[Any]:
    codes = [code for code, name in stream.enums.get(field, {}).items() if name == word]
    return stream.records[np.isin(stream.records[field], codes)]


def _clipped(records: npt.NDArray[Any], low: int, high: int) -> Windows:
    start, end = _times_of(records)
    return intervals.clip(intervals.merge(start, end), low, high)


def _times_of(records: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    return records["start_ns"].astype(np.int64), records["end_ns"].astype(np.int64)


def _each(records: npt.NDArray[Any], low: int, high: int) -> Total:
    start, end = _times_of(records)
    return pauses.total(np.minimum(end, high) - np.maximum(start, low))


def _stops(stream: Stream, *, own: bool) -> npt.NDArray[Any]:
    stops = _of(stream, "kind", "stop_the_world")
    chosen: npt.NDArray[Any] = stops[np.isin(stops["reason"], GC_REASONS) == own]
    return chosen


def _collector(stream: Stream, low: int, high: int) -> dict[str, Windows]:
    found = {kind: _clipped(_of(stream, "kind", kind), low, high) for kind in GC_KINDS}
    found["stop_the_world"] = _clipped(_stops(stream, own=True), low, high)
    found[STOPPED_OTHERWISE] = _clipped(_stops(stream, own=False), low, high)
    return found


def _phases(stream: Stream, kind: str, low: int, high: int) -> int:
    return _each(_of(stream, "kind", kind), low, high).count


def _times(stream: Stream, low: int, high: int) -> dict[str, int]:
    return {kind: _each(_of(stream, "kind", kind), low, high).total_ns for kind in GC_KINDS}


def _by_role(stream: Stream, low: int, high: int) -> dict[str, dict[str, Windows]]:
    # The contract's numbers, for a header without names.
    roles = stream.enums.get("role") or {1: "backend", 2: "engine"}
    kinds = stream.enums.get("kind") or dict(enumerate(PLATFORM_KINDS, start=1))
    records = stream.records
    return {
        role: {
            kind: _clipped(
                records[(records["role"] == role_code) & (records["kind"] == kind_code)], low, high
            )
            for kind_code, kind in kinds.items()
        }
        for role_code, role in roles.items()
    }


def _holders(stream: Stream, low: int, high: int) -> dict[str, dict[str, int]]:
    roles = stream.enums.get("role") or {1: "backend", 2: "engine"}
    kinds = stream.enums.get("kind") or dict(enumerate(PLATFORM_KINDS, start=1))
    foreign = [code for code, kind in kinds.items() if kind == "foreign"]
    found: dict[str, dict[str, int]] = {role: {} for role in roles.values()}
    records = stream.records[np.isin(stream.records["kind"], foreign)]
    for code, role in roles.items():
        part = records[records["role"] == code]
        for holder in np.unique(part["holder"]):
            windows = _clipped(part[part["holder"] == holder], low, high)
            name = bytes(holder).rstrip(b"\0").decode("utf-8", "replace") or "unnamed"
            if windows.total_ns:
                found[role][name] = windows.total_ns
    return found


def _server_time(recording: Recording, low: int, high: int) -> list[dict[str, Any] | None]:
    """The sockets probe's histograms, each put to the second that holds its middle."""
    found: list[dict[str, Any] | None] = [None] * max((high - low) // SECOND_NS, 0)
    if _why(recording, "sockets"):
        return found
    for line in recording.seconds.get("sockets", []):
        middle = (int(line.get("start_ns", 0)) + int(line.get("end_ns", 0))) // 2
        at = (middle - low) // SECOND_NS
        histogram = next(
            (
                value
                for name, value in line.items()
                if name.startswith("server_time") and isinstance(value, dict)
            ),
            None,
        )
        if histogram is None or not 0 <= at < len(found):
            continue
        before = found[at]
        parts = histogram["buckets"] + (before["buckets"] if before else [])
        found[at] = {"buckets": parts}
    return found
