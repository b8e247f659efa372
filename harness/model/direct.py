"""What `bench load` is asked for."""

from __future__ import annotations

import msgspec

from harness.model.manifest import Scenario
from harness.model.plan import RatePart


class Asked(msgspec.Struct, frozen=True):
    """The flags of `bench load`, parsed; without a scenario the target's path is asked for."""

    rate_rps: float
    duration_s: float
    warmup_s: float
    connections: int
    grain_ns: int
    tune: str
    protocol: str = "h1"
    pipeline: int = 1
    streams: int = 1
    parts: list[RatePart] = []
    pace: str = "sleep"
    engine_threads: int = 1
    scenario: Scenario | None = None
    payload: str = "unsigned"
    keep_objects: bool = False
    into_existing: bool = False
