"""Steps and ramps: what `--rps` means, how it is said again, and what each part served."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import asked
from harness.errors import UsageError
from harness.model import words
from harness.model.plan import RatePart, Request
from harness.model.recording import Requests
from harness.stats import parts as by_part
from tests.golden.made_up import inputs

SECOND = 1_000_000_000


def _request(text: str, duration_s: float = 60.0, **changes: object) -> Request:
    rate, parts = asked.rates(text, duration_s)
    request = inputs().plan.request
    return msgspec.structs.replace(
        request, rate_rps=rate, parts=parts, duration_s=duration_s, **changes
    )


@pytest.mark.parametrize(
    ("text", "mean", "rates"),
    [
        ("2500", 2500.0, []),
        ("1000,5000,2000", 8000 / 3, [(1000, 1000), (5000, 5000), (2000, 2000)]),
        ("2000:10000:4000", 6000.0, [(2000, 2000), (6000, 6000), (10_000, 10_000)]),
        ("2000:9000:4000", 4000.0, [(2000, 2000), (6000, 6000)]),
        ("300:100:100", 200.0, [(300, 300), (200, 200), (100, 100)]),
        ("2000..10000", 6000.0, [(2000, 10_000)]),
        ("2000..2000", 2000.0, []),
    ],
)
def test_rates_steps_and_ramps(text: str, mean: float, rates: list[tuple[float, float]]) -> None:
    found, parts = asked.rates(text, 60.0)
    assert found == pytest.approx(mean)
    assert [(part.from_rps, part.to_rps) for part in parts] == rates
    assert not parts or sum(part.duration_s for part in parts) == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "expected a rate, steps or a ramp, got 'fast'"),
        ("1,,2", "expected a rate, steps or a ramp"),
        ("1:2", "expected a rate, steps or a ramp"),
        ("1000:2000:0", "expected 1 to 5000000 requests/s, got 0"),
        ("0..100", "expected 1 to 5000000 requests/s, got 0"),
        ("1..2..3", "expected a rate, steps or a ramp"),
        ("1:5000000:1", "expected at most 1000 steps, got 5000000"),
        ("1,2,3,4", "has 4 steps in 3 s, expected 1 s or more for each"),
        ("nan", "expected 1 to 5000000"),
    ],
)
def test_what_is_no_rate_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        asked.rates(text, 3.0)
    assert error.value.where == "--rps"
    assert said in error.value.what


@given(
    st.lists(st.integers(1, 5_000_000), min_size=2, max_size=20).map(
        lambda rates: ",".join(map(str, rates))
    )
    | st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)).map(
        lambda ends: f"{ends[0]}..{ends[1]}"
    )
)
def test_the_command_to_repeat_asks_for_the_same_parts(text: str) -> None:
    request = _request(text)
    flags = words.repeat_command(request).split()
    again = asked.rates(flags[flags.index("--rps") + 1], request.duration_s)
    assert again == (request.rate_rps, request.parts)


def test_what_is_offered_in_words() -> None:
    assert words.offered(_request("2000,10000")) == "steps of 2,000 and 10,000 requests/s"
    assert words.offered(_request("1:50:1")) == "50 steps of 1 to 50 requests/s"
    assert words.offered(_request("2000..10000")) == "a ramp of 2,000 to 10,000 requests/s"
    closed = msgspec.structs.replace(_request("1000"), closed_loop=True, rate_rps=0.0)
    assert words.offered(closed) == "a closed loop on 64 connections"
    command = words.repeat_command(closed)
    assert "--saturate" in command
    assert "--rps" not in command
    paced = words.repeat_command(_request("1000", pace="auto", engine_threads=2))
    assert "--pace auto --engine-threads 2" in paced


def test_each_part_has_its_own_requests_and_what_ended_in_it() -> None:
    parts = [RatePart(100.0, 100.0, 10.0), RatePart(200.0, 200.0, 10.0)]
    low, high = 50 * SECOND, 70 * SECOND
    first = low + np.arange(1000, dtype=np.int64) * (SECOND // 100)
    second = low + 10 * SECOND + np.arange(2000, dtype=np.int64) * (SECOND // 200)
    intended = np.concatenate([first, second])
    # The second step is served at half its rate: the delay grows to ten seconds, beyond the end.
    took = np.concatenate([np.full(1000, 1_000_000), (second - second[0]) + 1_000_000])
    outcome = np.zeros(3000, np.int64)
    outcome[5], outcome[2999] = 1, 2
    zeros = np.zeros(3000, np.int64)
    measured = Requests(
        intended_ns=intended, sent_ns=intended, first_byte_ns=zeros, last_byte_ns=intended + took,
        connection=zeros, status=zeros, operation=zeros, outcome=outcome, flags=zeros,
        operations=("get",), errors=("reset", "status"), truncated="",
    )  # fmt: skip
    found = by_part.split(
        parts,
        low=low,
        high=high,
        measured=measured,
        response_ns=took,
        answered=np.ones(3000, bool),
        ended_good_ns=(intended + took)[outcome == 0],
    )
    assert [(part.start_ns, part.end_ns) for part in found] == [
        (low, low + 10 * SECOND),
        (low + 10 * SECOND, high),
    ]
    assert [part.offered for part in found] == [1000, 2000]
    assert [part.errors for part in found] == [{"reset": 1}, {"status": 1}]
    assert [part.served for part in found] == [999, 1000]
    assert found[1].achieved_rps == pytest.approx(100, rel=0.01)
    assert found[0].response is not None
    assert found[0].response.p90 == found[0].response.max == 1_000_000
    assert found[0].response.p99 is None, "too few tail episodes in so short a part"
    assert found[1].response is not None
    assert found[1].response.p50 == pytest.approx(5 * SECOND, rel=0.01)


def test_the_last_part_ends_with_the_trial_whatever_rounding_made() -> None:
    thirds = [RatePart(1.0, 1.0, 10 / 3)] * 3
    assert by_part.edges(thirds, 7, 7 + 10 * SECOND) == [
        7,
        7 + 3_333_333_333,
        7 + 6_666_666_667,
        7 + 10 * SECOND,
    ]


def test_the_plans_integral_counts_the_slots_of_warm_up_steps_and_ramp() -> None:
    steps = [
        RatePart(100.0, 100.0, 10.0),
        RatePart(300.0, 300.0, 10.0),
        RatePart(300.0, 100.0, 5.0),
    ]
    start, low, high = 7, 7 + 2 * SECOND, 7 + 27 * SECOND
    planned = by_part.planned(steps, start, low, high)
    at = np.array([0, 2, 12, 22, 24, 27], np.int64) * SECOND + start
    assert planned(at) == pytest.approx([0, 200, 1200, 4200, 4720, 5200])
    # Slot 4,500 of the ramp: 300 t - 20 t^2 = 300 has its root at 1.0774 s.
    assert planned(np.array([start + 23_077_383_700], np.int64)) == pytest.approx(4500, abs=0.02)
