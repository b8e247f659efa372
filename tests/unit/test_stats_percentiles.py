"""Percentiles by nearest rank, episodes, the bootstrap, windows and the split of pauses."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import intervals, pauses, percentiles
from harness.stats.intervals import Windows
from tests.unit.queues import SECOND, schedule

Pieces = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 15)), max_size=8)


def made(pieces: list[tuple[int, int]]) -> tuple[Windows, set[int]]:
    start = np.array([begin for begin, _ in pieces], np.int64)
    long = np.array([length for _, length in pieces], np.int64)
    covered = {at for begin, length in pieces for at in range(begin, begin + length)}
    return intervals.merge(start, start + long), covered


def instants(windows: Windows) -> set[int]:
    return {
        at
        for begin, end in zip(windows.start.tolist(), windows.end.tolist(), strict=True)
        for at in range(begin, end)
    }


@given(Pieces, Pieces)
def test_sets_of_windows_are_sets_of_instants(
    a: list[tuple[int, int]], b: list[tuple[int, int]]
) -> None:
    first, first_set = made(a)
    second, second_set = made(b)
    assert instants(first) == first_set
    assert instants(intervals.union(first, second)) == first_set | second_set
    assert instants(intervals.subtract(first, second)) == first_set - second_set
    moments = np.arange(80)
    assert set(np.flatnonzero(intervals.contains(first, moments)).tolist()) == first_set
    low, high = np.arange(0, 70), np.arange(0, 70) + 7
    covered = [len(first_set & set(range(at, at + 7))) for at in range(70)]
    assert intervals.overlap(first, low, high).tolist() == covered


@given(Pieces, Pieces, Pieces)
def test_every_instant_of_a_gap_is_charged_once(
    gaps: list[tuple[int, int]], a: list[tuple[int, int]], b: list[tuple[int, int]]
) -> None:
    found = pauses.split(made(gaps)[0], {"vcpu_not_run": made(a)[0], "stop_the_world": made(b)[0]})
    assert sum(total.total_ns for total in found.by_cause.values()) == found.all.total_ns
    both = len(made(gaps)[1] & made(b)[1])
    assert found.by_cause["stop_the_world"].total_ns == both


def test_nearest_rank_is_exact() -> None:
    values = np.arange(1, 1001)
    assert percentiles.rank(values, 0.5) == 500
    assert percentiles.rank(values, 0.999) == 999
    assert percentiles.rank(values, 1.0) == 1000


def test_a_stall_is_one_episode_however_many_requests_it_delays() -> None:
    intended = schedule(10_000, 10)
    values = np.full(len(intended), 100_000)
    values[5_000:5_200] = 20_000_000  # 200 requests, 0.2%, of one stall of 20 ms
    found = percentiles.summarise(values, intended)
    assert found is not None
    assert found.p99 == 100_000
    assert found.p999 is None
    for stall in range(20):
        values[stall * 5_000 : stall * 5_000 + 10] = 20_000_000
    many = percentiles.summarise(values, intended)
    assert many is not None
    assert many.p999 == 20_000_000


def test_p99_of_an_ordinary_trial_is_shown_and_too_short_a_trial_is_not() -> None:
    rng = np.random.default_rng(1)
    for rate, seconds, shown in ((10_000, 10, True), (1_000, 10, True), (100, 10, False)):
        intended = schedule(rate, seconds)
        values = rng.gamma(4, 25_000, len(intended)).astype(np.int64)
        found = percentiles.summarise(values, intended)
        assert found is not None
        assert (found.p99 is not None) == shown


def test_the_bootstrap_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    intended = schedule(1_000, 60)
    truth = np.quantile(rng.gamma(4, 25_000, 2_000_000), 0.99)
    held = 0
    for seed in range(60):
        values = rng.gamma(4, 25_000, len(intended)).astype(np.int64)
        low, high = percentiles.bootstrap(values, intended, 0.99, seed=seed)
        assert low is not None
        assert high is not None
        held += int(low <= truth <= high)
    assert held >= 48


def test_the_bootstrap_of_a_short_trial_is_none_and_the_same_seed_the_same() -> None:
    intended = schedule(1_000, 19)
    assert percentiles.bootstrap(intended, intended, 0.99, seed=1) == (None, None)
    intended = schedule(1_000, 30)
    values = (intended * 7_919) % SECOND
    first = percentiles.bootstrap(values, intended, 0.99, seed=1)
    assert first == percentiles.bootstrap(values, intended, 0.99, seed=1)
