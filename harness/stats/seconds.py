"""A trial's series: one row a second of intended send time, from arrays of the whole trial."""

from __future__ import annotations

import numpy as np

from harness.model.analysis import Second
from harness.model.recording import Flags, Ints
from harness.stats import intervals
from harness.stats.intervals import Windows

SECOND_NS = 1_000_000_000


def series(
    *,
    low: int,
    high: int,
    intended_ns: Ints,
    response_ns: Ints,
    good: Flags,
    own_fault_ns: Ints,
    windows: dict[str, Windows | None],
    server_p99_ns: list[int | None],
) -> list[Second]:
    """Rows for [low, high); `windows` by the field's name without `_ns`, None: not measured."""
    count = max(int((high - low) // SECOND_NS), 1)
    edges = low + np.arange(count + 1, dtype=np.int64) * SECOND_NS
    cut = np.searchsorted(intended_ns, edges)
    covered = {
        name: None if part is None else intervals.overlap(part, edges[:-1], edges[1:])
        for name, part in windows.items()
    }

    def window(name: str, second: int) -> int | None:
        found = covered.get(name)
        return None if found is None else int(found[second])

    rows = []
    for second in range(count):
        part = slice(cut[second], cut[second + 1])
        values = np.sort(response_ns[part])
        rows.append(
            Second(
                second=second,
                offered=len(values),
                good=int(np.count_nonzero(good[part])),
                p50_ns=_rank(values, 0.5),
                p99_ns=_rank(values, 0.99),
                max_ns=_rank(values, 1.0),
                own_fault_p99_ns=_rank(np.sort(own_fault_ns[part]), 0.99),
                pause_ns=window("pause", second),
                stop_the_world_ns=window("stop_the_world", second),
                mark_ns=window("mark", second),
                vcpu_not_run_ns=window("vcpu_not_run", second),
                wakeup_not_taken_ns=window("wakeup_not_taken", second),
                foreign_ns=window("foreign", second),
                server_time_p99_ns=server_p99_ns[second] if second < len(server_p99_ns) else None,
            )
        )
    return rows


def _rank(ordered: Ints, quantile: float) -> int | None:
    if not len(ordered):
        return None
    at = int(np.ceil(quantile * len(ordered) - 1e-9)) - 1
    return int(ordered[max(at, 0)])
