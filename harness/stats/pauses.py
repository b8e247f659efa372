"""Splits no-progress gaps over their causes, and sums up the windows of collector and platform."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.model.recording import Ints
from harness.model.trial import Pauses, Total
from harness.stats import intervals
from harness.stats.intervals import Windows

# First come, first charged: a stop of the world stops the backend whatever else goes on; a virtual
# CPU that does not run explains all that would have run on it; mark workers only take processors
# away, so they get what nothing else explains.
PRIORITY = (
    "stop_the_world",
    "vcpu_not_run",
    "wakeup_not_taken",
    "foreign",
    "assist",
    "mark",
)
UNATTRIBUTED = "unattributed"


def total(durations: Ints) -> Total:
    """Count, sum and maximum of the durations that are not empty."""
    real = durations[durations > 0]
    return Total(
        count=len(real), total_ns=int(real.sum()), max_ns=int(real.max()) if len(real) else 0
    )


def total_of(windows: Windows) -> Total:
    """The same of windows."""
    return total(windows.end - windows.start)


def exclusive(causes: dict[str, Windows], priority: Sequence[str] = PRIORITY) -> dict[str, Windows]:
    """The causes' windows with each instant left only to the first cause that claims it."""
    claimed = intervals.EMPTY
    left: dict[str, Windows] = {}
    for name in priority:
        windows = causes.get(name)
        if windows is None:
            continue
        left[name] = intervals.subtract(windows, claimed)
        claimed = intervals.union(claimed, windows)
    return left


def split(gaps: Windows, causes: dict[str, Windows]) -> Pauses:
    """Charge each ns of each gap to one cause, or to none ("unattributed").

    A cause that is absent from `causes` was not measured; its time is then unattributed.
    """
    rest = gaps.end - gaps.start
    by_cause: dict[str, Total] = {}
    for name, windows in exclusive(causes).items():
        share = intervals.overlap(windows, gaps.start, gaps.end)
        by_cause[name] = total(share)
        rest = rest - share
    by_cause[UNATTRIBUTED] = total(rest)
    return Pauses(all=total(np.asarray(gaps.end - gaps.start)), by_cause=by_cause)
