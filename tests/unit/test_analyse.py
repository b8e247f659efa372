"""Analyse: what is summed up, what is left out, and what is said instead of a figure."""

from __future__ import annotations

import math
from typing import cast

import msgspec
import pytest

from harness.model.analysis import Analysis
from harness.model.manifest import Operation
from harness.model.plan import Plan, RatePart
from harness.model.trial import ClosedLoop, Collector, Pacing, PartData, TrialData
from harness.model.verdict import Status
from harness.stages.analyse import analyse
from tests.unit.trials import BASE, percentiles, trial


class _Mix(msgspec.Struct):
    operations: list[Operation]


class _Asked(msgspec.Struct):
    subjects: list[object]
    scenario: _Mix
    parts: list[RatePart] = []
    closed_loop: bool = False


class _Planned(msgspec.Struct):
    request: _Asked


def analysed(trials: list[TrialData], *names: str, **asked: object) -> Analysis:
    mix = _Mix([Operation(name, 1, 200) for name in names or ("get",)])
    request = msgspec.structs.replace(_Asked([BASE], mix), **asked)
    return analyse("r", cast(Plan, _Planned(request)), trials, {})


def _part(part: RatePart, p99: int, served: int) -> PartData:
    response = percentiles(p99 / 2, p99)
    return PartData(part, 0, 10**9, 100, served, {"status": 1}, 0, 100.0, float(served), response)


def test_steps_are_rows_of_their_own_and_summed_up_over_trials() -> None:
    steps = [RatePart(100.0, 100.0, 1.0), RatePart(200.0, 200.0, 1.0)]
    trials = [
        msgspec.structs.replace(
            trial(BASE, block), parts=[_part(steps[0], p99, 99), _part(steps[1], 9 * p99, 150)]
        )
        for block, p99 in enumerate((1_000_000, 4_000_000))
    ]
    found = analysed(trials, parts=steps)
    assert [row.title for row in found.part_rows] == [
        "c/epoll (baseline) at 100 requests/s",
        "c/epoll (baseline) at 200 requests/s",
    ]
    first, second = (row.cells for row in found.part_rows)
    assert first["p99_observed"].value == pytest.approx(2e6)
    assert second["p99_observed"].value == pytest.approx(18e6)
    assert second["achieved_rps"].value == pytest.approx(150)
    assert first["errors"].value == 2
    assert [column.id for column in found.part_columns] == list(first)
    assert not analysed(trials).part_rows


def test_a_closed_loop_shares_no_time_column_with_fixed_rates() -> None:
    service = percentiles(1e6, 2e6)
    busy = msgspec.structs.replace(
        trial(BASE, 0), latency=None, closed_loop=ClosedLoop(81_000.0, 64, service)
    )
    found = analysed([busy], closed_loop=True)
    names = {column.id for column in found.columns}
    assert not names & {"achieved_rps", "p50_observed", "p99_observed", "p99_clean"}
    assert found.rows[0].cells["throughput"].value == pytest.approx(81_000)
    assert found.rows[0].cells["service_p99"].value == pytest.approx(2e6)
    assert found.closed_loop
    fixed = analysed([trial(BASE, 0)])
    assert "throughput" not in {column.id for column in fixed.columns}


def test_how_the_engine_waited_is_told_for_all_trials() -> None:
    def paced(block: int, chosen: str | None) -> TrialData:
        pacing = None if chosen is None else Pacing("auto", chosen, "why", 20_000)
        return msgspec.structs.replace(trial(BASE, block), pacing=pacing)

    assert analysed([paced(0, "spin"), paced(1, "spin")]).pace == "spin"
    mixed = analysed([paced(0, "spin"), paced(1, "sleep"), paced(2, "sleep")]).pace
    assert mixed == "sleep (2 of 3 trials), spin (1 of 3 trials)"
    assert analysed([paced(0, "spin"), paced(1, None)]).pace == "spin (1 of 2 trials)"
    assert not analysed([paced(0, None)]).pace


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
