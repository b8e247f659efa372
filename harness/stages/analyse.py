"""Trials to the Analysis that the report shows; pure, and never a percentile of percentiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.model import words
from harness.model.analysis import (
    Analysis,
    CauseShare,
    Cell,
    CurvePoint,
    OperationRow,
    Row,
    Second,
    SubjectPauses,
    TrialCurve,
    TrialSeries,
)
from harness.model.plan import Plan, Subject
from harness.model.trial import Total, TrialData
from harness.model.verdict import Status
from harness.stats import advice, operations
from harness.stats.columns import CLOSED_LOOP_FIGURES, FIGURES, Figure, part_figures

SCHEMA = 1
_ORDER = [Status.VALID, Status.DEGRADED, Status.INVALID]


def analyse(
    run_id: str,
    plan: Plan,
    trials: Sequence[TrialData],
    series: Mapping[int, Sequence[Second]],
) -> Analysis:
    """Everything a report shows; `series` by the trial's index."""
    groups = _by_subject(plan, trials)
    closed, parts = plan.request.closed_loop, plan.request.parts
    figures = CLOSED_LOOP_FIGURES if closed else FIGURES
    return Analysis(
        schema=SCHEMA,
        run_id=run_id,
        columns=[figure.column for figure in figures],
        rows=[_row(subject, group, figures) for subject, group in groups.items()],
        curves=[_curve(trial) for trial in trials],
        series=[_series(trial, series.get(trial.spec.index, ())) for trial in trials],
        pauses=[_pauses(subject, group) for subject, group in groups.items()],
        warnings=advice.warnings(groups),
        operation_columns=operations.COLUMNS,
        operations=_operations(plan, groups),
        part_columns=[figure.column for figure in part_figures(0)] if parts else [],
        part_rows=[
            _row(subject, group, part_figures(at), f" at {words.part_rate(part)}")
            for subject, group in groups.items()
            for at, part in enumerate(parts)
        ],
        closed_loop=closed,
        pace=_pace(trials),
    )


def _operations(plan: Plan, groups: dict[Subject, list[TrialData]]) -> list[OperationRow]:
    """A row an operation for every subject; none where only one thing was asked."""
    names = [operation.name for operation in plan.request.scenario.operations]
    if len(names) < 2 or plan.request.closed_loop:
        return []
    return [
        OperationRow(name, _row(subject, group, operations.figures(name)))
        for subject, group in groups.items()
        for name in names
    ]


def _pace(trials: Sequence[TrialData]) -> str:
    """Of all trials, told apart where they differ; "" where none said it."""
    chosen = [trial.pacing.chosen for trial in trials if trial.pacing is not None]
    kinds = sorted(set(chosen))
    if len(kinds) == 1 and len(chosen) == len(trials):
        return kinds[0]
    return ", ".join(f"{kind} ({chosen.count(kind)} of {len(trials)} trials)" for kind in kinds)


def _by_subject(plan: Plan, trials: Sequence[TrialData]) -> dict[Subject, list[TrialData]]:
    """In the order of the request; subjects that were resolved since then come after."""
    groups: dict[Subject, list[TrialData]] = {}
    places = {subject.name: at for at, subject in enumerate(plan.request.subjects)}
    for trial in sorted(trials, key=lambda t: places.get(t.spec.subject.name, len(places))):
        groups.setdefault(trial.spec.subject, []).append(trial)
    return groups


def _row(
    subject: Subject,
    trials: list[TrialData],
    figures: Sequence[Figure] = FIGURES,
    suffix: str = "",
) -> Row:
    counted = [trial for trial in trials if trial.verdict.status is not Status.INVALID]
    return Row(
        subject=subject,
        title=f"{subject.name}{suffix}",
        trials=len(trials),
        trials_valid=len(counted),
        worst=max((trial.verdict.status for trial in trials), key=_ORDER.index),
        cells={figure.column.id: _cell(figure, counted, trials) for figure in figures},
    )


def _cell(figure: Figure, counted: list[TrialData], trials: list[TrialData]) -> Cell:
    """The trials' summary without the INVALID ones.

    Where all are INVALID their figure is shown in brackets: text without a value, which is never
    ranked, drawn or compared.
    """
    if not counted:
        return _bracketed(_cell(figure, trials, trials), len(trials))
    readings = [figure.read(trial) for trial in counted]
    values = [reading for reading in readings if not isinstance(reading, str)]
    reasons = [reading for reading in readings if isinstance(reading, str)]
    if not values:
        return Cell(None, None, None, *_reason(reasons[0]))
    value, low, high = figure.summarise(values)
    note = f"{len(values)} of {len(counted)} trials; {reasons[0]}" if reasons else ""
    return Cell(value, low, high, _text(figure.column.unit, value), note)


def _bracketed(cell: Cell, trials: int) -> Cell:
    if cell.value is None:
        return cell
    return Cell(None, None, None, f"({cell.text})", f"all {trials} trials are INVALID")


def _reason(text: str) -> tuple[str, str]:
    """A short text for the cell; the whole of it beside."""
    return (text.split(" (", 1)[0], text) if " (" in text else (text, "")


def _text(unit: str, value: float) -> str:
    if unit == "ns":
        return words.duration(value)
    if unit == "ratio":
        return words.percent(value)
    if unit == "bytes":
        return f"{words.number(value / (1 << 20))} MiB"
    return words.number(value)


def _curve(trial: TrialData) -> TrialCurve:
    points: list[CurvePoint] = []
    if trial.latency is not None:
        observed = trial.latency.response.curve
        response = trial.latency.clean.response
        clean = dict(response.curve) if response is not None else {}
        # Both curves stand on the same steps of the log-nines axis, so keys agree exactly.
        points = [CurvePoint(q, value, clean.get(q)) for q, value in observed]
    return TrialCurve(trial.spec.index, trial.spec.subject.name, points)


def _series(trial: TrialData, seconds: Sequence[Second]) -> TrialSeries:
    return TrialSeries(
        trial=trial.spec.index,
        block=trial.spec.block,
        subject=trial.spec.subject.name,
        status=trial.verdict.status,
        reasons=[reason.text for reason in trial.verdict.reasons],
        seconds=list(seconds),
    )


def _pauses(subject: Subject, trials: list[TrialData]) -> SubjectPauses:
    counted = [trial for trial in trials if trial.verdict.status is not Status.INVALID]
    if not counted:
        return SubjectPauses(subject.name, [], "all trials are INVALID")
    found = [trial.pauses for trial in counted if trial.pauses is not None]
    if not found:
        why = next((t.not_measured["gaps"] for t in counted if "gaps" in t.not_measured), "")
        return SubjectPauses(subject.name, [], f"not measured ({why})" if why else "not measured")
    parts: dict[str, list[Total]] = {}
    for pauses in found:
        for cause, total in pauses.by_cause.items():
            parts.setdefault(cause, []).append(total)
    whole = sum(pauses.all.total_ns for pauses in found)
    causes = []
    for cause, totals in parts.items():
        spent = sum(total.total_ns for total in totals)
        count = sum(total.count for total in totals)
        causes.append(CauseShare(cause, count, spent, spent / whole if whole else 0.0))
    causes.sort(key=lambda cause: -cause.total_ns)
    return SubjectPauses(subject.name, causes, "" if whole else "no pause was seen")
