"""What the measure stage noted beside a trial: times, samples of the machine, incidents, probes.

`facts.json` is a `TrialFacts`, `probes.json` a list of `ProbeOutcome`. Times are integer
nanoseconds on CLOCK_MONOTONIC. None means "could not be read", never zero.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from harness.model.plan import Layout, RatePart, TrialSpec

SCHEMA = 1
Some = Annotated[int, msgspec.Meta(ge=1)]  # a file that says less is damaged


class CpuTimes(msgspec.Struct, frozen=True):
    """Counters of one CPU since boot, from /proc/stat, in ns (ticks x 1e9 / HZ)."""

    busy_ns: int  # user + nice + system + irq + softirq: without idle, iowait, steal
    idle_ns: int  # idle + iowait
    steal_ns: int


class Sample(msgspec.Struct, frozen=True):
    """Counters as they stood at one moment; they only ever grow (but for `memory_bytes`).

    One at `measure_ns` or before, one at `end_ns` or after, about one a second between: the
    collect stage interpolates and takes differences, so nobody has to subtract while measuring.
    """

    at_ns: int
    backend_cpu_ns: int | None = None  # cgroup, or the sum over the process tree
    engine_cpu_ns: int | None = None  # the native engine's processes, without Locust
    memory_bytes: int | None = None  # of the backend at this moment
    throttled_ns: int | None = None  # cpu.stat; None without a cgroup
    throttled_count: int | None = None
    cpus: dict[int, CpuTimes] = {}
    # By a CPU quota of the engine's own control group or one above it, whichever took most.
    engine_throttled_ns: int | None = None


class Incident(msgspec.Struct, frozen=True):
    """Something that ended or broke; `id` is a key of verdict.THRESHOLDS.

    backend-died, backend-wrong, engine-died, probe-died, runtime-lost, interrupted.
    """

    id: str
    who: str  # the culprit by name: "go/nethttp (pid 4711)"
    text: str  # one sentence with what was seen: "ended with signal 9 after 12.3 s"
    at_ns: int


class TrialFacts(msgspec.Struct, frozen=True):
    """`trials/<n>/facts.json`."""

    spec: TrialSpec
    layout: Layout
    start_ns: int
    measure_ns: int
    end_ns: int
    started_utc: str
    collector: str  # of the backend's manifest: "none", "go"
    protocol: str
    rate_rps: float
    connections: Some
    arrivals: str = ""  # uniform | poisson; "" where an earlier version did not note it
    pipeline: Some = 1
    streams: Some = 1
    workers: int = 1  # engines beside the harness
    workers_elsewhere: int = 0  # engines of other machines: no probe watches them
    cpu_quota: float | None = None
    parts: list[RatePart] = []
    closed_loop: bool = False
    engine_threads: Some = 1
    samples: list[Sample] = []
    memory_peak_bytes: int | None = None
    incidents: list[Incident] = []
    calibration_passed: bool | None = None  # None: not run
    calibration_text: str = ""  # what failed, in one sentence
    schema: int = SCHEMA


class BpfCost(msgspec.Struct, frozen=True):
    """From kernel.bpf_stats_enabled."""

    runs: int | None = None
    run_ns: int | None = None


class ProbeOutcome(msgspec.Struct, frozen=True):
    """One line of `probes.json`: the probe's state and the fields of its `stopped` event."""

    name: str
    state: str  # measured | unavailable | died | off
    reason: str = ""
    records: dict[str, int] = {}
    drops: dict[str, int] = {}
    cpu_ns: int | None = None
    bpf: BpfCost | None = None
    unavailable: list[dict[str, str]] = []  # {hook, reason}, from the `ready` event
    summary: dict[str, Any] = {}
