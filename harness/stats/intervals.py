"""Sets of time windows as sorted disjoint arrays: merge, subtract, overlap, chance to miss.

All times are integer ns; a window is half open, [start, end).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.model.recording import Flags, Floats, Ints


@dataclass(frozen=True, slots=True)
class Windows:
    """Disjoint windows in order of time."""

    start: Ints
    end: Ints

    def __len__(self) -> int:
        """The number of windows."""
        return len(self.start)

    @property
    def total_ns(self) -> int:
        """The time covered."""
        return int(np.sum(self.end - self.start))


EMPTY = Windows(np.empty(0, np.int64), np.empty(0, np.int64))


def merge(start: Ints, end: Ints) -> Windows:
    """The union of any windows; empty and reversed ones are left out."""
    real = end > start
    start, end = start[real], end[real]
    if not len(start):
        return EMPTY
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(end[order])
    first = np.ones(len(start), bool)
    first[1:] = start[1:] > reach[:-1]
    last = np.append(np.flatnonzero(first)[1:] - 1, len(start) - 1)
    return Windows(start[first], reach[last])


def union(*parts: Windows) -> Windows:
    """All time that any part covers."""
    return merge(
        np.concatenate([part.start for part in parts] or [EMPTY.start]),
        np.concatenate([part.end for part in parts] or [EMPTY.end]),
    )


def clip(windows: Windows, low: int, high: int) -> Windows:
    """The part of the windows that lies in [low, high)."""
    return merge(np.maximum(windows.start, low), np.minimum(windows.end, high))


def subtract(windows: Windows, taken: Windows) -> Windows:
    """What `windows` cover and `taken` do not."""
    if not len(windows) or not len(taken):
        return windows
    # Both sets' edges cut the time line; a piece belongs when its middle is in one and not in the
    # other. Doubling keeps the middle of a piece of 1 ns an integer.
    edges = np.unique(np.concatenate([windows.start, windows.end, taken.start, taken.end]))
    middle = edges[:-1] + edges[1:]
    keep = _inside(windows, middle) & ~_inside(taken, middle)
    return merge(edges[:-1][keep], edges[1:][keep])


def _inside(windows: Windows, doubled: Ints) -> Flags:
    at = np.searchsorted(windows.start * 2, doubled, side="right") - 1
    found: Flags = (at >= 0) & (doubled < windows.end[np.maximum(at, 0)] * 2)
    return found


def contains(windows: Windows, moments: Ints) -> Flags:
    """Whether each moment lies in a window."""
    if not len(windows):
        return np.zeros(len(moments), bool)
    at = np.searchsorted(windows.start, moments, side="right") - 1
    found: Flags = (at >= 0) & (moments < windows.end[np.maximum(at, 0)])
    return found


def covered_before(windows: Windows, moments: Ints) -> Ints:
    """The time covered before each moment."""
    if not len(windows):
        return np.zeros(len(moments), np.int64)
    before = np.concatenate([[0], np.cumsum(windows.end - windows.start)])
    at = np.searchsorted(windows.start, moments, side="right")
    last = np.maximum(at - 1, 0)
    beyond = np.where(at > 0, np.maximum(windows.end[last] - moments, 0), 0)
    covered: Ints = before[at] - beyond
    return covered


def overlap(windows: Windows, start: Ints, end: Ints) -> Ints:
    """How much of each [start, end) the windows cover."""
    return covered_before(windows, end) - covered_before(windows, start)


def touched(windows: Windows, start: Ints, end: Ints) -> Flags:
    """Whether each closed [start, end] meets any window."""
    if not len(windows):
        return np.zeros(len(start), bool)
    at = np.searchsorted(windows.end, start, side="right")
    index = np.minimum(at, len(windows) - 1)
    meets: Flags = (at < len(windows)) & (windows.start[index] <= end)
    return meets


def chance_untouched(windows: Windows, low: int, high: int, duration: Ints) -> Floats:
    """The chance that an interval of each duration, begun anywhere in [low, high), misses all.

    That is what shifting the windows in time (around a circle) gives on average, in closed form:
    of a free stretch of length g, the first g - duration are good beginnings.
    """
    inside = clip(windows, low, high)
    if not len(inside):
        return np.ones(len(duration))
    free = np.append(inside.start[1:], inside.start[0] + (high - low)) - inside.end
    free = np.sort(free)
    # suffix[i]: the sum of the free stretches from the i-th shortest on.
    suffix = np.concatenate([np.cumsum(free[::-1])[::-1], [0]]).astype(np.float64)
    at = np.searchsorted(free, duration, side="right")
    good = suffix[at] - (len(free) - at) * duration.astype(np.float64)
    chance: Floats = np.maximum(good, 0.0) / max(high - low, 1)
    return chance
