"""Which of several tries of a known-answer test speaks for all."""

from __future__ import annotations

import msgspec
import pytest

from harness.calibration import disturbances, median
from harness.model.checks import SelfChecks
from harness.model.known import Reading
from harness.model.trial import Hiccups, Percentiles
from harness.model.verdict import Status
from harness.stats.known import TOLERANCE_NS
from tests.unit import trials


def reading(error_ns: int | None) -> Reading:
    """A try with this error."""
    return Reading(
        name="freeze",
        passed=error_ns is not None and abs(error_ns) <= TOLERANCE_NS,
        disturbed=[],
        expected_ns=None if error_ns is None else 10_000_000,
        found_ns=None if error_ns is None else 10_000_000 + error_ns,
        error_ns=error_ns,
        rho=0.01,
        text="",
    )


@pytest.mark.parametrize(
    ("errors", "counts"),
    [
        ([900_000], 900_000),
        ([900_000, 100_000, -200_000], -200_000),
        ([900_000, 100_000, -800_000], -800_000),
        ([None, 100_000, -200_000], -200_000),
        ([None, None, 100_000], None),
        ([0, 0, 900_000], 0),
    ],
    ids=["one", "one bad of three", "two bad", "one without a figure", "two without", "exact"],
)
def test_the_median_error_speaks(errors: list[int | None], counts: int | None) -> None:
    found = median([reading(error) for error in errors])
    assert found.error_ns == counts
    assert found.passed is (counts is not None and abs(counts) <= TOLERANCE_NS)


def test_a_second_behind_others_disturbs_a_try_and_a_usual_one_does_not() -> None:
    quiet = trials.trial(trials.BASE, 0, status=Status.VALID)
    for worst, found in ((None, []), (0.04, []), (0.098, ["10% of a second"])):
        checks = SelfChecks(runqueue_share=0.01, runqueue_second_p99=worst)
        told = disturbances(msgspec.structs.replace(quiet, checks=checks))
        assert len(told) == len(found)
        assert all(text in line for text, line in zip(found, told, strict=True))


def test_a_stop_of_the_machine_that_a_sleeper_saw_disturbs_a_try() -> None:
    quiet = trials.trial(trials.BASE, 0, status=Status.VALID)
    for late_ns, found in ((2_000_000, []), (32_600_000, ["stopped the engine's", "33 ms"])):
        slept = Percentiles(
            count=1, p50=None, p90=None, p99=None, p999=None, p9999=None, max=late_ns
        )
        hiccups = Hiccups(by_role={"engine": slept}, interval_ns=2_000_000, waited_is_off=True)
        told = " ".join(disturbances(msgspec.structs.replace(quiet, hiccups=hiccups)))
        assert bool(told) == bool(found)
        assert all(text in told for text in found)
