"""Axes and lines of charts: from measured values to whole units of a drawing 1000 wide.

A drawing is stretched to whatever width the page has, so positions of ticks are percentages and
coordinates of lines are integers (they also compress well: a page has a budget of bytes).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import msgspec

from harness.model.view import Tick
from harness.model.words import duration

WIDTH = 1000


class LogScale(msgspec.Struct, frozen=True):
    """A logarithmic axis between two positive ends."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """Where `value` lies: 0 at the low end, 1 at the high end, held inside."""
        if value <= self.low:
            return 0.0
        return min(1.0, math.log(value / self.low) / math.log(self.high / self.low))


def log_scale(values: Sequence[float], *, least_decades: float = 1.0) -> LogScale:
    """An axis around the positive values, ending on 1, 2 or 5 times a power of ten."""
    positive = [value for value in values if value > 0]
    if not positive:
        return LogScale(1_000, 1_000_000)
    low, high = _round_125(min(positive), up=False), _round_125(max(positive) * 1.01, up=True)
    if math.log10(high / low) < least_decades:
        high = _round_125(low * 10**least_decades, up=True)
    return LogScale(low, high)


def _round_125(value: float, *, up: bool) -> float:
    power = math.floor(math.log10(value))
    steps = [factor * 10.0**exponent for exponent in (power, power + 1) for factor in (1, 2, 5)]
    # a billionth of slack, for a value that is itself such a step after rounding
    if up:
        return next(step for step in steps if step >= value * (1 - 1e-9))
    return max(step for step in steps if step <= value * (1 + 1e-9))


def time_ticks(scale: LogScale, *, most: int = 7, from_top: bool = True) -> list[Tick]:
    """Powers of ten, and 2 and 5 between them when there is room; labels are durations."""
    decades = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [v for v in values if scale.low * 0.999 <= v <= scale.high * 1.001]
        if len(inside) <= most or factors == (1,):
            break
    return [
        Tick(round(100 * (1 - scale.share(v) if from_top else scale.share(v)), 2), duration(v, 1))
        for v in inside
    ]


def nines(quantile: float) -> float:
    """The log-nines axis: 0.9 is 1, 0.99 is 2, 0.999 is 3."""
    return -math.log10(max(1e-9, 1 - quantile))


def nines_ticks(deepest: float) -> list[Tick]:
    """50%, 90%, 99% and so on up to `deepest` nines."""
    marks = [(0.0, "0"), (nines(0.5), "50%"), (1.0, "90%"), (2.0, "99%"), (3.0, "99.9%")]
    marks += [(4.0, "99.99%"), (5.0, "99.999%"), (6.0, "99.9999%")]
    inside = [(at, text) for at, text in marks if at <= deepest * 1.0001]
    return [Tick(round(100 * at / deepest, 2), text) for at, text in inside]


def second_ticks(first: int, last: int, *, most: int = 7) -> list[Tick]:
    """Whole seconds on a linear axis from `first` to the end of `last`."""
    length = last - first + 1
    steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
    step = next((s for s in steps if length / s <= most), steps[-1])
    return [
        Tick(round(100 * at / length, 2), f"{at} s" if at == 0 else f"{at}")
        for at in range(0, length + 1, step)
    ]


def bins(length: int, most: int) -> list[range]:
    """`length` items in at most `most` neighbouring groups of near-equal size."""
    count = min(length, most)
    edges = [round(i * length / count) for i in range(count + 1)] if count else []
    return [range(a, b) for a, b in itertools.pairwise(edges)]


def reduced(
    values: Sequence[int | None], groups: list[range], how: Callable[[list[int]], int]
) -> list[int | None]:
    """One value a group; a group with nothing measured stays None."""
    result: list[int | None] = []
    for group in groups:
        present = [value for i in group if (value := values[i]) is not None]
        result.append(how(present) if present else None)
    return result


def polyline(points: Sequence[tuple[int, int] | None]) -> str:
    """SVG path data in relative integers; None breaks the line, a lone point gets a width."""
    parts: list[str] = []
    previous: tuple[int, int] | None = None
    for i, point in enumerate(points):
        if point is None:
            previous = None
        elif previous is None:
            lone = i + 1 == len(points) or points[i + 1] is None
            parts.append(f"M{point[0]} {point[1]}" + ("h1" if lone else "l"))
            previous = point
        else:
            parts.append(f"{point[0] - previous[0]} {point[1] - previous[1]} ")
            previous = point
    return "".join(parts).rstrip()


def bars(heights: Sequence[float], height: int) -> str:
    """Bars from the bottom of a lane `height` high, one for each share of 0 to 1, as one path."""
    parts: list[str] = []
    count = len(heights)
    run_start, run_height = 0, 0
    for i in range(count + 1):
        tall = round(heights[i] * height) if i < count else 0
        if i == count or tall != run_height:
            if run_height > 0:
                x, end = run_start * WIDTH // count, i * WIDTH // count
                parts.append(f"M{x} {height}v-{run_height}h{max(1, end - x)}v{run_height}z")
            run_start, run_height = i, tall
    return "".join(parts)
