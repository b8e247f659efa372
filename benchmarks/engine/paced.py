"""Trials of the engine at a fixed rate: what pacing costs, and how late it sends."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import generators as gen
import server

STEAL_SHARE_MAX = 0.01
LEFT_OUT_MAX = 0.5


@dataclass(frozen=True, slots=True)
class Paced:
    """One trial, over its seconds without steal; `left_out` is the share of the others."""

    core_share: float
    lag_ns_p50: int
    lag_ns_p99: int
    runqueue_share: float
    served_share: float
    left_out: float

    def __str__(self) -> str:
        """As it is printed."""
        return (
            f"{self.core_share:.3f} of a core, own-fault lag P50 {self.lag_ns_p50 / 1e3:.0f} us, "
            f"P99 {self.lag_ns_p99 / 1e3:.0f} us, served {self.served_share:.4%} of the offered; "
            f"run queue {self.runqueue_share:.1%}; {self.left_out:.0%} of seconds left out"
        )


def _with_steal(events: Iterator[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], float]]:
    """Each second of the engine with the share of it that its processor was stolen."""
    before = server.steal_ticks()
    for event in events:
        if event["event"] == "start":
            before = server.steal_ticks()
        if event["event"] == "second":
            now = server.steal_ticks()
            yield event, (now - before) / server.TICKS_PER_S
            before = now


def trial(engine: Path, url: str, rate_rps: float, seconds: int, grain_ns: int) -> Paced | None:
    """One trial; None when more than half of its seconds had steal."""
    plan = gen.plan(url, rate_rps, seconds, grain_ns)
    recorded = list(_with_steal(gen.engine_events(engine, plan)))
    # What left with the last grain is answered after the last second in which anything was offered.
    every = [(second, stolen) for second, stolen in recorded if second["offered"]]
    kept = [second for second, stolen in every if stolen <= STEAL_SHARE_MAX]
    left_out = 1 - len(kept) / max(1, len(every))
    if left_out > LEFT_OUT_MAX:
        return None
    lag = gen.merged(kept, "own_fault_lag")
    offered = sum(second["offered"] for second, _ in every)
    return Paced(
        core_share=statistics.mean(second["cpu_ns"] for second in kept) / 1e9,
        lag_ns_p50=lag.get_value_at_percentile(50),
        lag_ns_p99=lag.get_value_at_percentile(99),
        runqueue_share=statistics.mean(second["runqueue_ns"] for second in kept) / 1e9,
        served_share=sum(second["good"] for second, _ in recorded) / max(1, offered),
        left_out=left_out,
    )
