"""Analyse: what is summed up, what is left out, and what is said instead of a figure."""

from __future__ import annotations

import math
from typing import cast

import msgspec
import pytest

from harness.model.analysis import Analysis
from harness.model.manifest import Operation
from harness.model.plan import Plan
from harness.model.trial import Collector, TrialData
from harness.model.verdict import Status
from harness.stages.analyse import analyse
from tests.unit.trials import BASE, trial


class _Mix(msgspec.Struct):
    operations: list[Operation]


class _Asked(msgspec.Struct):
    subjects: list[object]
    scenario: _Mix


class _Planned(msgspec.Struct):
    request: _Asked


def analysed(trials: list[TrialData], *names: str) -> Analysis:
    mix = _Mix([Operation(name, 1, 200) for name in names or ("get",)])
    return analyse("r", cast(Plan, _Planned(_Asked([BASE], mix))), trials, {})


def test_geometric_mean_over_valid_trials_only() -> None:
    found = analysed(
        [
            trial(BASE, 0, p99=1e6),
            trial(BASE, 1, p99=4e6),
            trial(BASE, 2, p99=900e6, status=Status.INVALID),
        ]
    )
    cell = found.rows[0].cells["p99_observed"]
    assert cell.value == pytest.approx(2e6)
    assert cell.low is not None
    assert cell.high is not None
    assert math.sqrt(cell.low * cell.high) == pytest.approx(2e6)
    assert (found.rows[0].trials, found.rows[0].trials_valid) == (3, 2)
    assert found.rows[0].worst is Status.INVALID
    assert {warning.id for warning in found.warnings} == {"trials-invalid"}


def test_each_operation_has_a_row_where_there_are_several() -> None:
    trials = [trial(BASE, 0, p50=1e5, errors=3), trial(BASE, 1, p50=4e5, errors=4)]
    found = analysed(trials, "get", "put", "head")
    assert [one.operation for one in found.operations] == ["get", "put", "head"]
    get, put, head = (one.row.cells for one in found.operations)
    assert get["operation_p50"].value == pytest.approx(2e5)
    assert (get["operation_count"].value, get["operation_errors"].value) == (180_000, 7)
    assert (put["operation_p99"].value, put["operation_p99"].text) == (
        None,
        "too few tail episodes",
    )
    assert head["operation_count"].text == "not measured"
    assert analysed(trials).operations == []


def test_no_gc_is_not_zero_and_not_measured_has_its_reason() -> None:
    none = analysed([trial(BASE, 0, collector=Collector(kind="none"))])
    assert none.rows[0].cells["stw_total"].text == "no GC"
    assert none.rows[0].cells["mark_share"].value is None
    unknown = analysed([trial(BASE, 0)])
    cell = unknown.rows[0].cells["stw_count"]
    assert (cell.value, cell.text) == (None, "not measured")
    assert cell.note == "not measured (probes were off)"
    assert unknown.pauses[0].note == "not measured (probes were off)"


def test_withheld_clean_percentiles_say_so() -> None:
    found = analysed([trial(BASE, 0, clean=False), trial(BASE, 1, clean=False)])
    cell = found.rows[0].cells["p99_clean"]
    assert (cell.value, cell.text) == (None, "withheld")
    assert "probes were off" in cell.note
    assert "clean-withheld" in {warning.id for warning in found.warnings}


def test_all_invalid_is_said() -> None:
    found = analysed([trial(BASE, 0, status=Status.INVALID)])
    cell = found.rows[0].cells["p99_observed"]
    assert (cell.value, cell.text) == (None, "(1,000 µs)")  # shown, never ranked


def test_json_round_trip() -> None:
    found = analysed([trial(BASE, 0)])
    assert msgspec.json.decode(msgspec.json.encode(found), type=Analysis) == found
