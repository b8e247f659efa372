"""Known answers of the clean percentiles, on a simulated queue."""

from __future__ import annotations

import numpy as np
import pytest

from harness.model.recording import Ints
from harness.model.trial import Clean
from harness.stats import clean, percentiles
from harness.stats.intervals import EMPTY, Windows, chance_untouched
from tests.unit.queues import SECOND, poisson_windows, schedule, serve, windows

RATE = 10_000
SECONDS = 60


def service_ns(rng: np.random.Generator, count: int, mean: float = 30_000) -> Ints:
    return rng.gamma(4.0, mean / 4.0, count).astype(np.int64) + 1


def estimate(intended: Ints, ends: Ints, platform: Windows, rho: float) -> Clean:
    return clean.estimate(intended, ends, platform, rho=rho, low=0, high=int(intended[-1]) + 1)


def p(intended: Ints, ends: Ints, quantile: float) -> int:
    return percentiles.rank(np.sort(ends - intended), quantile)


def own_stops(long_ns: int = 5_000_000, every_ns: int = SECOND // 2) -> tuple[Ints, Ints]:
    # A period that shares no divisor with the schedule, as a real one would not.
    start = np.arange(every_ns // 2, SECONDS * SECOND, every_ns + 7_919, dtype=np.int64)
    return start, np.full(len(start), long_ns)


@pytest.mark.parametrize(
    ("per_second", "mean_ns"), [(3, 10e6), (50, 1e6), (500, 100e3), (2_000, 70e3)]
)
def test_platform_alone_leaves_the_unperturbed_percentiles(
    per_second: float, mean_ns: float
) -> None:
    rng = np.random.default_rng(1)
    intended = schedule(RATE, SECONDS)
    service = service_ns(rng, len(intended))
    platform = windows(poisson_windows(rng, per_second, mean_ns, SECONDS))
    unperturbed = serve(intended, service, EMPTY)
    ends = serve(intended, service, platform)
    found = estimate(intended, ends, platform, rho=0.3)
    assert found.response is not None
    assert found.withheld == ""
    for name, quantile in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        truth = p(intended, unperturbed, quantile)
        value = getattr(found.response, name)
        assert value == pytest.approx(truth, rel=0.1), name
    assert p(intended, ends, 0.99) > 1.5 * p(intended, unperturbed, 0.99)


def analytic(rho: float) -> float:
    return 5e6 - 0.001 * SECOND / 2 * (1 - rho)


def test_the_backends_own_stop_stays() -> None:
    rng = np.random.default_rng(2)
    intended = schedule(RATE, SECONDS)
    ends = serve(intended, service_ns(rng, len(intended)), windows(own_stops()))
    found = estimate(intended, ends, EMPTY, rho=0.3)
    assert found.response is not None
    assert found.share_touched == 0.0
    assert found.response.p999 == pytest.approx(analytic(0.3), abs=0.5e6)


@pytest.mark.parametrize(("per_second", "mean_ns"), [(3, 10e6), (20, 2e6), (50, 1e6), (200, 100e3)])
def test_both_at_once_takes_the_platform_out_and_leaves_the_stop(
    per_second: float, mean_ns: float
) -> None:
    rng = np.random.default_rng(3)
    intended = schedule(RATE, SECONDS)
    platform = windows(poisson_windows(rng, per_second, mean_ns, SECONDS))
    both = windows(own_stops(), (platform.start, platform.end - platform.start))
    ends = serve(intended, service_ns(rng, len(intended)), both)
    found = estimate(intended, ends, platform, rho=0.3)
    assert found.response is not None
    assert found.response.p999 == pytest.approx(analytic(0.3), abs=0.5e6)


def test_long_requests_of_a_collector_are_not_thinned_out() -> None:
    rng = np.random.default_rng(4)
    intended = schedule(RATE, SECONDS)
    # A mark phase of 100 ms each second takes 14 ms from each request that it meets.
    own = np.where(
        (intended % SECOND) < SECOND // 10, rng.integers(8_000_000, 14_000_000, len(intended)), 0
    )
    quick = serve(intended, service_ns(rng, len(intended)), EMPTY) + own
    platform = windows(poisson_windows(rng, 100, 0.5e6, SECONDS))
    ends = serve(intended, service_ns(rng, len(intended)), platform) + own
    found = estimate(intended, ends, platform, rho=0.3)
    assert found.response is not None
    truth = p(intended, quick, 0.95)
    kept = clean.keep(
        intended,
        ends,
        clean.extended(platform, 0.3, intended, ends),
        low=0,
        high=int(intended[-1]) + 1,
    )
    without = p(intended[kept.untouched], ends[kept.untouched], 0.95)
    curve = dict(found.response.curve)
    near = curve[min(curve, key=lambda quantile: abs(quantile - 0.95))]
    assert near == pytest.approx(truth, rel=0.1)
    assert without < 0.9 * truth


def test_withheld_where_nothing_long_could_be_untouched() -> None:
    rng = np.random.default_rng(5)
    intended = schedule(RATE, SECONDS)
    own = np.where((intended % SECOND) < SECOND // 20, 20_000_000, 0)
    platform = windows(poisson_windows(rng, 2_000, 70e3, SECONDS))
    ends = serve(intended, service_ns(rng, len(intended)), platform) + own
    found = estimate(intended, ends, platform, rho=0.3)
    assert found.response is not None
    assert found.response.p50 is not None
    assert found.response.p99 is None
    assert "5.0" in found.withheld or "4.9" in found.withheld
    assert "would be untouched" in found.withheld


def test_withheld_entirely_when_the_platform_touched_nearly_all() -> None:
    rng = np.random.default_rng(6)
    intended = schedule(RATE, 5)
    platform = windows(poisson_windows(rng, 9_000, 1e6, 5))
    ends = serve(intended, service_ns(rng, len(intended)), platform)
    found = estimate(intended, ends, platform, rho=0.3)
    assert found.response is None
    assert "95%" in found.withheld


def test_the_chance_in_closed_form_equals_windows_shifted_in_time() -> None:
    rng = np.random.default_rng(7)
    platform = windows(poisson_windows(rng, 100, 1e6, 2))
    high = 2 * SECOND
    begin = rng.integers(0, high, 40_000)
    for duration in (10_000, 1_000_000, 10_000_000):
        around = windows(
            (platform.start, platform.end - platform.start),
            (platform.start + high, platform.end - platform.start),
        )
        at = np.searchsorted(around.end, begin, side="right")
        missed = around.start[np.minimum(at, len(around) - 1)] > begin + duration
        chance = chance_untouched(platform, 0, high, np.array([duration]))[0]
        assert chance == pytest.approx(np.mean(missed), abs=0.01)


def test_the_drain_ends_early_when_nothing_is_outstanding() -> None:
    window = windows((np.array([1_000_000]), np.array([1_000_000])))
    # One request, over before the window ends: it left no backlog.
    found = clean.extended(window, 0.5, np.array([0]), np.array([900_000]))
    assert found.end.tolist() == [2_000_000]
    busy = clean.extended(window, 0.5, np.array([1_500_000]), np.array([9_000_000]))
    assert busy.end.tolist() == [3_000_000]
