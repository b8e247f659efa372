"""METHODOLOGY says what the code does: thresholds, statistics and tuning, with their values."""

from __future__ import annotations

import pytest

from harness import calibration
from harness.drivers import probes
from harness.model.verdict import THRESHOLDS, Threshold
from harness.stages import compare
from harness.stats import clean, inference, known, lag, pauses, percentiles
from harness.stats.columns import NO_COLLECTOR
from harness.system import tuning
from tests.docs.pages import tables, text_of

PAGE = "docs/METHODOLOGY.md"


def limit(value: float | None, unit: str) -> str:
    """A limit as the table writes it."""
    if value is None:
        return "-"
    forms = {"ns": (1e-6, " ms"), "ratio": (100.0, "%"), "count": (1.0, "")}
    scale, ending = forms[unit]
    return f"{value * scale:g}{ending}"


@pytest.mark.parametrize("threshold", THRESHOLDS.values(), ids=THRESHOLDS.keys())
def test_thresholds_are_told(threshold: Threshold) -> None:
    expected = [
        threshold.id,
        threshold.about,
        threshold.unit,
        limit(threshold.degraded, threshold.unit),
        limit(threshold.invalid, threshold.unit),
    ]
    assert expected in tables(PAGE)


def test_no_threshold_is_told_that_is_not_there() -> None:
    told = {row[0] for row in tables(PAGE) if len(row) == 5 and row[2] in {"ns", "ratio", "count"}}
    assert told == set(THRESHOLDS)


def test_causes_stand_in_their_order() -> None:
    told = [row[1] for row in tables(PAGE) if row[0].isdigit()]
    assert told == list(pauses.PRIORITY)


@pytest.mark.parametrize(
    ("value", "expected", "sentence"),
    [
        (percentiles.EPISODES_MIN, 20, "at least 20 episodes"),
        (percentiles.EPISODE_GAP_NS, 1_000_000, "less than 1 ms apart"),
        (percentiles.EPISODE_GAP_SLOTS, 4, "four slots"),
        (percentiles.BOOTSTRAP_ROUNDS, 400, "400 rounds"),
        (percentiles.BLOCK_SECONDS, 5, "blocks of 5 s"),
        (clean.UNTOUCHED_MIN, 0.05, "fewer than 5% of the requests are untouched"),
        (clean.RHO_MAX, 0.9, "at most 0.9"),
        (compare.MARGIN, 0.05, "max(5%, the noise that the twin shows"),
        (compare.FLOOR_NS, 50_000, "above 50 us"),
        (compare.ERRORS_MARGIN, 0.001, "0.1 percentage points"),
        (compare.BLOCKS_MIN, 8, "n >= 8"),
        (inference.ALPHA, 0.05, "each at 0.05"),
        (inference.POWER, 0.8, "4 of 5 such runs"),
        (inference.EXACT_MOST, 20, "beyond 20 blocks"),
        (inference.ROUNDS, 20_000, "20,000 random flips"),
        (lag.STALLED_NS, 5_000_000, "own-fault lag over 5 ms"),
        (known.TOLERANCE_NS, 500_000, "within 0.5 ms of the analytic value"),
        (calibration.TRIES_MAX, 10, "at most 10 tries"),
        (probes.GAP_NS, 100_000, "for 100 us or more"),
        (probes.WINDOW_NS, 50_000, "more than 50 us"),
    ],
)
def test_constants_are_told(value: float, expected: float, sentence: str) -> None:
    """A constant that changed changes its sentence here and there, and the CHANGELOG."""
    assert value == expected
    assert sentence in " ".join(text_of(PAGE).split())


def test_the_gating_family_is_told() -> None:
    assert compare._FAMILY == ("p50_clean", "p99_clean", "cpu_per_request")
    assert "per subject P50 clean, P99 clean and CPU per request" in text_of(PAGE)


def test_every_tuning_operation_is_told() -> None:
    text = text_of(PAGE).lower()
    names = [operation.name.split(" (")[0].lower() for operation in tuning.OPERATIONS]
    assert [name for name in names if name not in text] == []


def test_words_for_nothing_measured_are_told() -> None:
    assert NO_COLLECTOR in {row[0] for row in tables(PAGE)}
