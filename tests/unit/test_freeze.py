"""The freeze server's known answer, against the closed form and a small simulation of a queue."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.freeze import (
    Freeze,
    drain,
    expected_delay_ns,
    scheduled_delay_ns,
    utilisation,
)

SECOND = 1_000_000_000
FREEZE = 20_000_000


def _freezes(count: int, *, drained: int = 0, service_ns: int = 0) -> list[Freeze]:
    """One every second, after which `drained` requests are answered, one after the other."""
    served = tuple(service_ns * (number + 1) for number in range(drained))
    starts = [index * SECOND for index in range(count)]
    return [Freeze(start, start + FREEZE, served) for start in starts]


def test_equal_freezes_follow_the_closed_form() -> None:
    found = expected_delay_ns(_freezes(10), share=0.01, duration_ns=10 * SECOND, rho=0.25)
    assert found == pytest.approx(20e6 - 10e6 * 0.75, abs=1)


def test_a_share_beyond_every_freeze_is_not_delayed() -> None:
    assert expected_delay_ns(_freezes(1), share=0.5, duration_ns=SECOND, rho=0.0) == 0.0


def test_utilisation_is_rate_over_drain_rate() -> None:
    freezes = _freezes(4, drained=200, service_ns=25_000)
    assert utilisation(freezes, rate_rps=10_000) == pytest.approx(0.25)


def test_a_simulated_single_server_queue_agrees() -> None:
    """Lindley's recursion with deterministic service, frozen 20 ms at each second's beginning."""
    rate, service_ns = 10_000, 25_000  # rho 0.25
    arrivals = np.arange(0, 5 * SECOND, SECOND // rate)
    free = 0
    delays = np.empty(len(arrivals))
    for index, arrival in enumerate(arrivals):
        begin = max(int(arrival), free)
        into = begin % SECOND
        if into < FREEZE:
            begin += FREEZE - into
        free = begin + service_ns
        delays[index] = free - arrival
    found = np.quantile(delays, 0.99, method="inverted_cdf")
    expected = expected_delay_ns(_freezes(5), share=0.01, duration_ns=5 * SECOND, rho=0.25)
    assert found == pytest.approx(expected + service_ns, abs=150_000)


def test_the_drain_ends_where_service_catches_up_with_the_schedule() -> None:
    """10,000 RPS, served every 25 us after a 20 ms freeze: 200 / (1 - 0.25) requests later."""
    served = [25_000 * (number + 1) for number in range(2000)]
    found = drain(0, FREEZE, served, rate_rps=10_000)
    assert len(found.served_ns) == pytest.approx(200 / 0.75, abs=2)
    assert utilisation([found], rate_rps=10_000) == pytest.approx(0.25, abs=0.01)


def test_a_freeze_that_nobody_was_served_after_has_no_drain() -> None:
    assert utilisation([drain(0, FREEZE, [], rate_rps=10_000)], rate_rps=10_000) == 0.0


@pytest.mark.parametrize("phase_ns", [0, 250_000, 999_999])
def test_the_schedule_samples_the_line_within_a_slot(phase_ns: int) -> None:
    """1,000 RPS: delays 20 - phase, 19 - phase ...; ten of each freeze are above the P99."""
    found = scheduled_delay_ns(
        _freezes(10, drained=20),
        rate_rps=1000,
        duration_ns=10 * SECOND,
        share=0.01,
        phase_ns=phase_ns,
    )
    assert found == pytest.approx(20e6 - phase_ns - 10e6, abs=1)


def test_a_dense_schedule_with_an_even_drain_is_the_line() -> None:
    freezes = _freezes(10, drained=26_000, service_ns=250)  # rho 0.25 at a million a second
    dense = scheduled_delay_ns(
        freezes, rate_rps=1e6, duration_ns=10 * SECOND, share=0.01, phase_ns=7
    )
    line = expected_delay_ns(freezes, share=0.01, duration_ns=10 * SECOND, rho=0.25)
    assert dense == pytest.approx(line, abs=2_000)


def test_a_drain_that_begins_slowly_delays_those_that_it_served_late() -> None:
    """Ten are answered 3 ms after each freeze, the rest then at once: the tenth waited 14 ms."""
    freezes = [
        Freeze(start, start + FREEZE, (3_000_000,) * 10 + (3_100_000,) * 15)
        for start in range(0, 10 * SECOND, SECOND)
    ]
    found = scheduled_delay_ns(
        freezes, rate_rps=1000, duration_ns=10 * SECOND, share=0.009, phase_ns=0
    )
    assert found == 20e6 + 3e6 - 9e6


def test_nobody_served_means_nothing_known() -> None:
    found = scheduled_delay_ns(
        _freezes(3), rate_rps=1000, duration_ns=3 * SECOND, share=0.01, phase_ns=0
    )
    assert found == 0.0
