"""What a verdict rests on: the amounts of one trial, before any threshold is asked."""

from __future__ import annotations

import msgspec

from harness.model.checks import SelfChecks
from harness.model.facts import Incident
from harness.model.trial import Hiccups, Load, ProbeReport


class CoreUse(msgspec.Struct, frozen=True):
    """What happened on the cores of one role (backend, engine); None: not measured."""

    cpus: list[int]
    steal_share: float | None = None  # of the time of these CPUs, from /proc/stat
    not_run_share: float | None = None  # the same by the platform probe
    foreign_share: float | None = None  # a process of neither role held the core
    foreign_holders: dict[str, int] = {}  # ns by process name, when a probe saw them


class Evidence(msgspec.Struct, frozen=True):
    """Everything that `judge` reads."""

    subject: str
    duration_ns: int
    backend: CoreUse
    engine: CoreUse
    layout: str
    load: Load | None
    never_sent: int | None
    own_lag_p99_ns: int | None  # of what the platform does not explain
    own_lag_seconds_share: float | None  # seconds with a lag over 5 ms that nothing explains
    own_lag_max_ns: int | None
    lag_explained_by: str  # how the platform's part was taken out; "" when none was
    throttled_ns: int | None
    probes: list[ProbeReport]
    incidents: list[Incident]
    calibration_passed: bool | None
    calibration_text: str
    hiccups: Hiccups | None = None
    checks: SelfChecks | None = None  # None: the trial left no books at all
    closed_loop: bool = False  # then there is no lag, and the engine's speed bounds what is found
    engine_busy_share: float | None = None  # of its threads' time
