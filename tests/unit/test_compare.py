"""Compare: false alarms on A/A, a planted delay, gates, and the words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.model.compare import Comparison
from harness.model.trial import TrialData
from harness.model.verdict import Status
from harness.stages.compare import compare_run, compare_runs
from harness.stats import inference
from tests.unit.trials import BASE, NEW, TWIN, trial


def blocks(
    rng: np.random.Generator,
    count: int,
    *,
    delay: float = 0.0,
    noise: float = 0.1,
    twin: bool = True,
) -> list[TrialData]:
    """Blocks that share their machine's mood; each trial has noise of its own."""
    found = []
    for block in range(count):
        mood = math.exp(rng.normal(0, 0.3))
        for subject in [BASE, NEW, *([TWIN] if twin else [])]:
            extra = delay if subject is NEW else 0.0
            own = [math.exp(rng.normal(0, noise)) for _ in range(3)]
            found.append(
                trial(
                    subject, block,
                    p50=100_000 * mood * own[0] + extra,
                    p99=1_000_000 * mood * own[1] + extra,
                    cpu=20_000 * math.exp(rng.normal(0, 0.02)),
                )
            )  # fmt: skip
    return found


def pair(found: Comparison, *, twin: bool = False) -> dict[str, str]:
    chosen = next(p for p in found.pairs if p.is_twin == twin)
    return {cell.metric: cell.word for cell in chosen.cells}


def test_a_delay_of_2_ms_is_worse_and_its_twin_is_not() -> None:
    found = compare_run("r", blocks(np.random.default_rng(1), 8, delay=2_000_000))
    assert pair(found)["p99_clean"] == "worse"
    assert pair(found)["p50_clean"] == "worse"
    assert found.exit_code(gate=True) == 1
    assert any("P99 clean" in text for text in found.regressions)
    twin = next(p for p in found.pairs if p.is_twin)
    assert not any(cell.regression for cell in twin.cells)
    assert twin.base == BASE.name


def test_false_alarms_on_equals_are_rare() -> None:
    rng = np.random.default_rng(2)
    runs = [compare_run("r", blocks(rng, 8)) for _ in range(200)]
    gated = sum(run.exit_code(gate=True) != 0 for run in runs)
    worded = sum("worse" in {pair(run)[m] for m in ("p50_clean", "p99_clean")} for run in runs)
    assert gated <= 4  # the gate's promise is 0 to 1%
    assert worded <= 16  # Holm holds the family at 5%, half of it on the worse side


def test_too_few_blocks_cannot_tell() -> None:
    found = compare_run("r", blocks(np.random.default_rng(3), 7, delay=2_000_000))
    assert pair(found)["p99_clean"] == "cannot tell (needs n >= 8)"
    assert found.exit_code(gate=False) == 0
    assert found.exit_code(gate=True) == 3


def test_observed_alone_does_not_gate() -> None:
    trials = [
        trial(subject, block, p99=1e6 + block + (2e6 if subject is NEW else 0), clean=False)
        for block in range(8)
        for subject in (BASE, NEW)
    ]
    found = compare_run("r", trials)
    assert pair(found)["p99_observed"] == "worse"
    assert pair(found)["p99_clean"] == "cannot tell (not measured)"
    assert found.regressions == []
    assert found.exit_code(gate=True) == 3
    assert "observed only" in found.pairs[0].notes[0]


def test_invalid_trials_leave_their_block() -> None:
    trials = blocks(np.random.default_rng(4), 8, twin=False)
    trials[1] = trial(NEW, 0, status=Status.INVALID)
    found = compare_run("r", trials)
    assert found.pairs[0].cells[0].n == 7
    assert found.pairs[0].notes[0] == "1 INVALID trials left out"


def test_errors_gate_on_their_difference() -> None:
    trials = [
        trial(subject, block, errors=500 if subject is NEW else 0)
        for block in range(8)
        for subject in (BASE, NEW)
    ]
    found = compare_run("r", trials)
    assert found.exit_code(gate=False) == 1
    assert "errors" in found.regressions[0]


def test_a_small_difference_stays_under_the_floor() -> None:
    trials = [
        trial(s, block, p50=1e5, p99=2e5 + block + (3e4 if s is NEW else 0))
        for block in range(8)
        for s in (BASE, NEW)
    ]
    found = compare_run("r", trials)
    assert pair(found)["p99_clean"] == "worse"  # by 15%, but by 30 us
    assert found.exit_code(gate=True) == 0


def test_equal_within_the_margin_is_no_difference() -> None:
    found = compare_run("r", blocks(np.random.default_rng(6), 10, noise=0.005, twin=False))
    assert pair(found)["p99_clean"] == "no difference"


def test_two_runs_inform_and_never_gate() -> None:
    rng = np.random.default_rng(7)
    old = [t for t in blocks(rng, 8) if t.spec.subject is BASE]
    new = [t for t in blocks(rng, 8, delay=20e6) if t.spec.subject is NEW]
    same = compare_runs("a", "b", old, [t for t in blocks(rng, 8) if t.spec.subject is BASE])
    assert "worse" not in pair(same).values()
    renamed = [trial(BASE, t.spec.block, p99=30e6 + t.spec.block) for t in new]
    found = compare_runs(
        "a", "b", old, renamed, environments=({"kernel": "6.1"}, {"kernel": "6.12"})
    )
    assert pair(found)["p99_observed"] == "worse"
    assert found.regressions == []
    assert found.exit_code(gate=True) == 3
    assert found.exit_code(gate=False) == 0
    assert found.environment_differs == ["kernel: 6.1 against 6.12"]


def test_sign_flip_enumerates() -> None:
    assert inference.sign_flip([1.0] * 8) == pytest.approx(2 / 256)
    assert inference.sign_flip_above([1.0] * 8, 0.5) == pytest.approx(1 / 256)
    assert inference.sign_flip([1.0, -1.0]) == 1.0


def test_permutation_enumerates() -> None:
    assert inference.permutation([1, 2, 3], [11, 12, 13], seed=1) == pytest.approx(2 / 20)


def test_holm() -> None:
    assert inference.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
