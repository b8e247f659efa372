"""Does what was executed follow the plan? Slots one by one, then three distances.

A goodness-of-fit *test* would reject every trial: with three million requests a lag of a
microsecond is significant. What is judged is therefore the size of the effect, a
Kolmogorov-Smirnov distance, as far as it exceeds what chance alone would give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.model.checks import ScheduleCheck
from harness.model.recording import Flags, Floats, Ints

# How many slots a plan has before each moment: the integral of its rate, a fraction between slots.
Planned = Callable[[Ints], Floats]

# The engine cuts a slot's time to whole ns: at 5 million RPS that is 0.005 slots.
SLOT_TOLERANCE = 0.02
# Bounds of |W(t)| on [0, 1], and of the distance of n gaps x sqrt(n): chance exceeds 1 in 1,000.
WALK_CHANCE = 3.5
GAPS_CHANCE = 1.95


def fixed_rate(start_ns: int, rate_rps: float) -> Planned:
    """A plan of one rate from `start_ns` on; plans with steps or ramps bring their own integral."""

    def slots_before(at_ns: Ints) -> Floats:
        found: Floats = (at_ns - start_ns).astype(np.float64) * (rate_rps / 1e9)
        return found

    return slots_before


@dataclass(frozen=True, slots=True)
class Executed:
    """The records of one trial as far as the schedule is concerned, in order of intended time."""

    intended_ns: Ints
    sent_ns: Ints  # 0: never sent
    connection: Ints
    excused: int  # slots without a record that the engine accounts for: lost records, unfinished
    offered: int | None  # slots of the measured part, counted by the engine on its own schedule
    whole: bool  # the schedule went to its end


def check(
    planned: Planned,
    executed: Executed,
    *,
    regular: bool,
    measured: Flags,
    backlog_ns: Ints,
    end_ns: int,
) -> ScheduleCheck | None:
    """None without a record. `regular`: the plan fixes each slot's time (no random arrivals).

    `measured` says which records belong to the measured part, whose backlog lags `backlog_ns` has.
    """
    if not len(executed.intended_ns) or not np.any(measured):
        return None
    off, doubled, missing = _slots(planned, executed, measured, end_ns, regular=regular)
    intended = executed.intended_ns[measured]
    sent = executed.sent_ns[measured]
    # As if a connection had always been free: that none was is the server's doing, or the pool's.
    ready = np.where(sent > 0, sent - backlog_ns, intended)
    behind = sends_distance(intended, ready)
    position = planned(executed.intended_ns)
    distances = {
        "sends": behind / len(intended),
        "slots": _slots_distance(position, executed.excused, regular=regular),
        "gaps": 0.0 if regular else _gaps_distance(np.diff(position)),
    }
    worst = max(distances, key=lambda name: distances[name])
    span = max(int(intended[-1] - intended[0]), 1)
    return ScheduleCheck(
        slots_off=off,
        slots_doubled=doubled,
        slots_missing=missing,
        distance_share=distances[worst],
        distance_of=worst,
        sends_behind=behind,
        sends_behind_ns=round(behind * span / max(len(intended) - 1, 1)),
    )


def _slots(
    planned: Planned, executed: Executed, measured: Flags, end_ns: int, *, regular: bool
) -> tuple[int | None, int, int | None]:
    """Slots off the plan, doubled, and missing."""
    if not regular:
        # Random arrivals may share a nanosecond; no two requests share that and a connection.
        same = np.diff(executed.intended_ns) == 0
        same &= np.diff(executed.sent_ns) == 0
        same &= np.diff(executed.connection) == 0
        recorded = int(np.count_nonzero(measured))
        missing = None
        if executed.whole and executed.offered is not None:
            missing = max(executed.offered - recorded - executed.excused, 0)
        return None, int(np.count_nonzero(same)), missing
    position = planned(executed.intended_ns)
    number = np.rint(position).astype(np.int64)
    on = np.abs(position - number) <= SLOT_TOLERANCE
    on &= (number >= 0) & (executed.intended_ns < end_ns)
    distinct = len(np.unique(number[on]))
    expected = int(np.ceil(planned(np.array([end_ns], np.int64))[0] - SLOT_TOLERANCE))
    missing = max(expected - distinct - executed.excused, 0) if executed.whole else None
    return int(np.count_nonzero(~on)), int(np.count_nonzero(on)) - distinct, missing


def sends_distance(intended_ns: Ints, ready_ns: Ints) -> int:
    """By how many requests the sends lay behind (or before) the intended times, at most.

    The greatest distance of two cumulative counts lies where one of them steps.
    """
    due, done = np.sort(intended_ns), np.sort(ready_ns)
    rank = np.arange(1, len(due) + 1)
    behind = rank - np.searchsorted(done, due, side="right")
    before = rank - np.searchsorted(due, done, side="right")
    return int(max(behind.max(initial=0), before.max(initial=0), 0))


def _slots_distance(position: Floats, excused: int, *, regular: bool) -> float:
    """The greatest distance of the count of slots from the plan's, as a share of all."""
    count = len(position)
    rank = np.arange(count, dtype=np.float64)
    walk = max(float(np.abs(position - rank).max()), float(np.abs(position - rank - 1).max()))
    chance = 1.0 if regular else WALK_CHANCE * np.sqrt(count)
    return max(walk - chance - excused, 0.0) / count


def _gaps_distance(gaps: Floats) -> float:
    """How far gaps, in slots, are from exponential ones of mean 1 (Kolmogorov-Smirnov)."""
    count = len(gaps)
    if not count:
        return 0.0
    expected = 1 - np.exp(-np.sort(gaps))
    rank = np.arange(count, dtype=np.float64)
    found = max(
        float((expected - rank / count).max()), float(((rank + 1) / count - expected).max())
    )
    return max(found - GAPS_CHANCE / float(np.sqrt(count)), 0.0)
