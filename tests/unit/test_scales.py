"""Axes and lines: nothing leaves the drawing, no worst second is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import scales

TIMES = st.lists(st.integers(1, 10**11), min_size=1, max_size=50)


@given(TIMES)
def test_an_axis_holds_its_values_and_has_ticks_inside(values: list[int]) -> None:
    scale = scales.log_scale(values)
    assert scale.low <= min(values) * 1.000001
    assert scale.high >= max(values) * 0.999999
    ticks = scales.time_ticks(scale)
    assert 1 <= len(ticks) <= 14
    assert all(-0.1 <= tick.at <= 100.1 for tick in ticks)


def test_an_axis_without_values_is_still_an_axis() -> None:
    assert scales.log_scale([]).low < scales.log_scale([]).high
    assert scales.log_scale([0, -1]).share(5) == 0


@pytest.mark.parametrize(("quantile", "nines"), [(0, 0), (0.9, 1), (0.99, 2), (0.999, 3), (1.0, 9)])
def test_nines(quantile: float, nines: float) -> None:
    assert scales.nines(quantile) == pytest.approx(nines)


@given(st.integers(0, 5000), st.integers(1, 400))
def test_bins_cover_every_second_once(length: int, most: int) -> None:
    groups = scales.bins(length, most)
    assert [i for group in groups for i in group] == list(range(length))
    assert len(groups) <= most
    assert all(len(group) > 0 for group in groups)


def test_the_worst_second_survives_and_a_gap_stays_a_gap() -> None:
    values = [1, 2, None, None, 9, None]
    assert scales.reduced(values, scales.bins(6, 3), max) == [2, None, 9]


@given(st.lists(st.none() | st.tuples(st.integers(0, 1000), st.integers(0, 300)), max_size=60))
def test_a_line_goes_through_its_points_and_breaks_at_gaps(
    points: list[tuple[int, int] | None],
) -> None:
    pieces = re.findall(r"M(\d+) (\d+)(h1|l[^M]*)", scales.polyline(points))
    seen = []
    for x, y, rest in pieces:
        at = (int(x), int(y))
        seen.append(at)
        moves = [int(n) for n in rest[1:].split()] if rest.startswith("l") else []
        for dx, dy in zip(moves[::2], moves[1::2], strict=True):
            at = (at[0] + dx, at[1] + dy)
            seen.append(at)
    assert seen == [point for point in points if point is not None]
    starts = [
        i for i, p in enumerate(points) if p is not None and (i == 0 or points[i - 1] is None)
    ]
    assert len(pieces) == len(starts)


@given(st.lists(st.floats(0, 1), max_size=400))
def test_bars_stay_inside_their_lane(heights: list[float]) -> None:
    for x, tall, wide in re.findall(r"M(\d+) 20v-(\d+)h(\d+)v\d+z", scales.bars(heights, 20)):
        assert 0 < int(tall) <= 20
        assert int(x) + int(wide) <= scales.WIDTH


def test_ticks_of_seconds_are_few_and_round() -> None:
    for length in (1, 7, 30, 300, 3600, 86_400):
        ticks = scales.second_ticks(0, length - 1)
        assert 1 <= len(ticks) <= 8
        assert ticks[0].text == "0 s"
