"""The search for capacity against made-up servers: monotone, noisy, broken, boundless, limited."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.capacity import Judged, Outcome, State
from harness.stats.search import CONFIRMATIONS_MAX, REPEATS_MAX, Found, search


class Server:
    """Notes what was tried; `answers` says what a trial at a rate comes to."""

    def __init__(self, answers: Callable[[float, bool], Outcome]) -> None:
        self._answers = answers
        self.tried: list[tuple[float, bool, int]] = []

    def __call__(self, rate_rps: float, *, full: bool, longer: int) -> Judged:
        self.tried.append((rate_rps, full, longer))
        outcome = self._answers(rate_rps, full)
        return Judged(outcome, [] if outcome is Outcome.KEPT else [f"{outcome} at {rate_rps:g}"])

    def search(self, low: float = 1000, high: float = 1e6, resolution: float = 0.05) -> Found:
        return search(self, low=low, high=high, resolution=resolution)


def up_to(limit: float) -> Callable[[float, bool], Outcome]:
    return lambda rate, full: Outcome.KEPT if rate <= limit else Outcome.BROKEN


@given(st.floats(1000, 900_000), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_monotone_server_is_found_within_the_resolution(limit: float, resolution: float) -> None:
    server = Server(up_to(limit))
    found = server.search(resolution=resolution)
    assert found.state is State.FOUND
    assert found.rate_rps == found.kept_rps
    assert found.rate_rps is not None
    assert found.broken_rps is not None
    assert found.rate_rps <= limit < found.broken_rps
    assert found.broken_rps / found.rate_rps <= 1 + resolution
    assert found.broke == [f"broken at {found.broken_rps:g}"]
    steps = math.log2(limit / 1000) + 2 + math.log2(1 / math.log2(1 + resolution)) + 1
    assert len(server.tried) <= steps + 2
    assert [full for _, full, _ in server.tried].count(True) == 1
    assert server.tried[-1][:2] == (found.rate_rps, True)


def test_rates_double_and_are_whole_numbers() -> None:
    server = Server(up_to(5000))
    server.search()
    rates = [rate for rate, _, _ in server.tried]
    assert rates[:4] == [1000, 2000, 4000, 8000]
    assert rates[4] == round(math.sqrt(4000 * 8000))
    assert all(rate == int(rate) for rate in rates)


@pytest.mark.parametrize("seed", range(20))
def test_a_noisy_edge_never_claims_what_no_long_trial_kept(seed: int) -> None:
    """Short trials err within a fifth of the limit; long ones do not."""
    draw = random.Random(seed)

    def answers(rate: float, full: bool) -> Outcome:
        limit = 40_000 * (1 if full else draw.uniform(0.8, 1.25))
        return Outcome.KEPT if rate <= limit else Outcome.BROKEN

    found = Server(answers).search()
    assert found.state is State.FOUND
    assert found.rate_rps is not None
    assert found.broken_rps is not None
    assert 40_000 / 2 <= found.rate_rps <= 40_000
    assert found.broken_rps > found.rate_rps


def test_long_trials_lower_the_answer_in_growing_steps() -> None:
    """Short trials see nothing of a leak that breaks every long trial above 3,000."""
    server = Server(lambda rate, full: up_to(3000 if full else 8500)(rate, full))
    found = server.search()
    full = [rate for rate, full, _ in server.tried if full]
    assert full == sorted(full, reverse=True)
    assert found.rate_rps == full[-1] <= 3000
    assert found.broken_rps == full[-2] > 3000
    assert len(full) <= CONFIRMATIONS_MAX


def test_broken_from_the_start() -> None:
    server = Server(up_to(0))
    found = server.search()
    assert (found.state, found.rate_rps, found.kept_rps) == (State.BELOW, None, None)
    assert found.broken_rps == 1000
    assert server.tried == [(1000, False, 0)]


def test_broken_by_every_long_trial() -> None:
    found = Server(lambda rate, full: up_to(0 if full else 5000)(rate, full)).search()
    assert (found.state, found.rate_rps, found.kept_rps) == (State.BELOW, None, None)
    assert found.broken_rps == 1000


def test_long_trials_that_all_break_far_above_the_lowest_rate_end_the_search() -> None:
    server = Server(lambda rate, full: up_to(0 if full else 500_000)(rate, full))
    found = server.search()
    assert (found.state, found.rate_rps, found.kept_rps) == (State.STOPPED, None, None)
    assert found.stopped == "8 confirming trials in a row broke it"
    full = [rate for rate, full, _ in server.tried if full]
    assert len(full) == CONFIRMATIONS_MAX
    assert found.broken_rps == full[-1] > 1000


def test_a_limit_above_long_trials_that_all_break_is_told_too() -> None:
    def answers(rate: float, full: bool) -> Outcome:
        if rate > 500_000:
            return Outcome.INVALID
        return Outcome.BROKEN if full else Outcome.KEPT

    found = Server(answers).search()
    assert found.state is State.STOPPED
    assert found.stopped == "invalid at 512000; 8 confirming trials in a row broke it"


def test_never_broken_says_at_least() -> None:
    server = Server(up_to(math.inf))
    found = server.search(high=10_000)
    assert (found.state, found.rate_rps) == (State.AT_LEAST, 10_000)
    assert (found.broken_rps, found.broke, found.stopped) == (None, [], "")
    assert [rate for rate, _, _ in server.tried] == [1000, 2000, 4000, 8000, 10_000, 10_000]


def test_one_rate_is_only_confirmed() -> None:
    server = Server(up_to(2000))
    assert server.search(low=1500, high=1500).state is State.AT_LEAST
    assert server.search(low=2500, high=2500).state is State.BELOW
    assert server.tried == [(1500, True, 0), (2500, True, 0)]
    limited = Server(lambda rate, full: Outcome.INVALID).search(low=1500, high=1500)
    assert (limited.state, limited.kept_rps, limited.broken_rps) == (State.STOPPED, None, None)


def test_a_generator_limit_stops_the_search_and_the_rest_is_confirmed() -> None:
    def answers(rate: float, full: bool) -> Outcome:
        return Outcome.KEPT if rate <= 9000 else Outcome.INVALID

    server = Server(answers)
    found = server.search()
    assert (found.state, found.rate_rps, found.broken_rps) == (State.AT_LEAST, 8000, None)
    assert found.stopped == "invalid at 16000"
    assert [t for t in server.tried if t[0] == 16_000] == [(16_000, False, 0)] * (1 + REPEATS_MAX)
    assert server.tried[-1] == (8000, True, 0)


def test_a_generator_limit_at_the_start_finds_nothing() -> None:
    server = Server(lambda rate, full: Outcome.INVALID)
    found = server.search()
    assert (found.state, found.rate_rps, found.stopped) == (State.STOPPED, None, "invalid at 1000")
    assert len(server.tried) == 1 + REPEATS_MAX


def test_a_long_trial_that_is_never_valid_confirms_nothing() -> None:
    found = Server(lambda rate, full: Outcome.INVALID if full else up_to(5000)(rate, full)).search()
    assert (found.state, found.rate_rps) == (State.STOPPED, None)
    assert found.stopped.startswith("invalid at ")
    assert found.kept_rps is not None, "what short trials kept is still told"


def test_a_long_trial_that_is_never_valid_confirms_nothing_after_a_limit() -> None:
    def answers(rate: float, full: bool) -> Outcome:
        return Outcome.INVALID if full or rate > 9000 else Outcome.KEPT

    found = Server(answers).search()
    assert (found.state, found.rate_rps, found.broken_rps) == (State.STOPPED, None, None)


def test_an_invalid_trial_that_is_valid_when_repeated_does_not_count() -> None:
    seen: set[float] = set()

    def answers(rate: float, full: bool) -> Outcome:
        if rate not in seen:
            seen.add(rate)
            return Outcome.INVALID
        return up_to(5000)(rate, full)

    found = Server(answers).search()
    assert (found.state, found.stopped) == (State.FOUND, "")


def test_what_is_unknown_is_tried_longer_and_then_not_claimed() -> None:
    def answers(rate: float, full: bool) -> Outcome:
        return Outcome.KEPT if rate <= 5000 else Outcome.UNKNOWN

    server = Server(answers)
    found = server.search()
    assert [t[2] for t in server.tried if t[0] == 8000] == [0, 1, 2]
    assert found.state is State.FOUND
    assert found.broke == [f"unknown at {found.broken_rps:g}"]
