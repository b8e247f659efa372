"""The geometry of the report's charts: from an analysis to ticks, lines and lanes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.model.analysis import Analysis, CurvePoint, SubjectPauses, TrialCurve
from harness.model.verdict import Status
from harness.model.view import (
    CauseCell,
    CauseChart,
    CauseRow,
    CauseSubject,
    CurveChart,
    CurvePanel,
    Interval,
    IntervalChart,
    IntervalRow,
    Line,
)
from harness.model.words import duration, percent
from harness.stats.scales import (
    WIDTH,
    LogScale,
    bins,
    log_scale,
    nines,
    nines_ticks,
    polyline,
    time_ticks,
)

CURVE_HEIGHT = 400
CURVE_POINTS_MOST = 72
CAUSE_TITLES = {
    "stop_the_world": "GC stop-the-world",
    "gc_mark": "GC mark worker",
    "mark_worker": "GC mark worker",
    "gc_assist": "GC assist",
    "assist": "GC assist",
    "run_queue": "waiting for a processor",
    "runqueue": "waiting for a processor",
    "vcpu_not_run": "platform: virtual CPU did not run",
    "wakeup_not_taken": "platform: wake-up not taken",
    "foreign": "another process held the core",
    "page_fault": "page faults",
    "allocator": "allocator slow path",
    "lock": "lock wait",
    "disk": "disk wait",
    "throttle": "CPU quota throttle",
    "own": "own work, or cause unknown",
    "unattributed": "own work, or cause unknown",
}


class Named(msgspec.Struct, frozen=True):
    """How a subject is called and coloured on this page."""

    title: str
    slot: int


def column_with(analysis: Analysis, *words: str) -> str | None:
    """The id of the first column whose id is made of at least these words."""
    for column in analysis.columns:
        parts = set(column.id.split("_"))
        if parts.issuperset(words) and not parts & ({"inside", "outside", "server"} - set(words)):
            return column.id
    return None


def interval_chart(
    analysis: Analysis, names: dict[str, Named], observed: str, clean: str
) -> IntervalChart | None:
    """One percentile of every subject with its interval, observed beside clean; ns columns."""
    cells = [row.cells[id] for row in analysis.rows for id in (observed, clean) if id in row.cells]
    values = [v for cell in cells for v in (cell.value, cell.low, cell.high) if v]
    if not values:
        return None
    scale = log_scale(values)
    rows = []
    for row in analysis.rows:
        marks, words = [], []
        for id in (observed, clean):
            cell = row.cells.get(id)
            value = cell.value if cell else None
            words.append("" if value else (cell.text if cell else "not measured"))
            low, high = (cell.low, cell.high) if cell else (None, None)
            marks.append(_interval(scale, value, low, high) if value else None)
        name = names[row.subject.name]
        rows.append(IntervalRow(name.title, name.slot, marks[0], marks[1], words[0], words[1]))
    return IntervalChart(time_ticks(scale, from_top=False), rows)


def _interval(scale: LogScale, value: float, low: float | None, high: float | None) -> Interval:
    left = width = None
    text = duration(value)
    if low is not None and high is not None:
        left = round(100 * scale.share(low), 2)
        width = round(100 * scale.share(high) - left, 2)
        text += f" ({duration(low)} to {duration(high)})"
    return Interval(round(100 * scale.share(value), 2), left, width or 0, text)


def curve_chart(
    analysis: Analysis, names: dict[str, Named], invalid: set[int]
) -> CurveChart | None:
    """Percentile curves, a panel for every subject that has one."""
    points = [point for curve in analysis.curves for point in curve.points]
    values = [v for p in points for v in (p.observed_ns, p.clean_ns) if v is not None]
    if not values:
        return None
    scale = log_scale(values)
    deepest = max(2.0, *(nines(p.quantile) for p in points if p.quantile < 1))
    panels = {name: _lines(analysis.curves, name, scale, deepest, invalid) for name in names}
    ids = {name: [ln.id for ln in lines if ln.kind == "observed"] for name, lines in panels.items()}
    return CurveChart(
        x_ticks=nines_ticks(deepest),
        y_ticks=time_ticks(scale),
        panels=[
            CurvePanel(
                title=names[name].title,
                slot=names[name].slot,
                lines=lines,
                behind=[id for other in ids if other != name for id in ids[other]],
                note=_curve_note(lines),
            )
            for name, lines in panels.items()
        ],
    )


def _curve_note(lines: list[Line]) -> str:
    if not lines:
        return "no curve: nothing was measured"
    if not any(line.kind == "clean" for line in lines):
        return "clean: not measured"
    return ""


def _lines(
    curves: Sequence[TrialCurve], subject: str, scale: LogScale, deepest: float, invalid: set[int]
) -> list[Line]:
    lines = []
    for curve in curves:
        if curve.subject != subject:
            continue
        for kind in ("observed", "clean"):
            d = _curve_path(curve.points, kind, scale, deepest)
            title = f"trial {curve.trial + 1}, {kind}"
            if d:
                id = f"c{curve.trial}{kind[0]}"
                lines.append(Line(id, kind, d, title, curve.trial in invalid))
    return lines


def _curve_path(points: list[CurvePoint], kind: str, scale: LogScale, deepest: float) -> str:
    groups = bins(len(points), CURVE_POINTS_MOST)
    kept = [points[group[-1]] for group in groups]
    place: list[tuple[int, int] | None] = []
    for point in kept:
        value = point.observed_ns if kind == "observed" else point.clean_ns
        if value is None or point.quantile >= 1:
            continue
        x = min(WIDTH, round(WIDTH * nines(point.quantile) / deepest))
        place.append((x, round(CURVE_HEIGHT * (1 - scale.share(value)))))
    return polyline(place)


def cause_chart(pauses: list[SubjectPauses], names: dict[str, Named]) -> CauseChart | None:
    """Shares of no-progress time: a row a cause, a column a subject, worst cause first."""
    known = [entry for entry in pauses if entry.subject in names]
    if not known:
        return None
    weight: dict[str, float] = {}
    for entry in known:
        for cause in entry.causes:
            weight[cause.cause] = weight.get(cause.cause, 0) + cause.share
    by_subject = {entry.subject: {c.cause: c for c in entry.causes} for entry in known}
    rows = []
    for name in sorted(weight, key=lambda name: -weight[name]):
        cells: list[CauseCell | None] = []
        for entry in known:
            found = by_subject[entry.subject].get(name)
            if found is None or found.count == 0:
                cells.append(None)
                continue
            detail = f"{duration(found.total_ns)} in {found.count:,}"
            cells.append(CauseCell(round(100 * found.share, 1), percent(found.share), detail))
        rows.append(CauseRow(CAUSE_TITLES.get(name, name.replace("_", " ")), cells))
    return CauseChart([_cause_subject(entry, names[entry.subject]) for entry in known], rows)


def _cause_subject(entry: SubjectPauses, name: Named) -> CauseSubject:
    total = sum(cause.total_ns for cause in entry.causes)
    return CauseSubject(name.title, name.slot, duration(total) if total else "", entry.note)


def invalid_trials(analysis: Analysis) -> set[int]:
    """Indices of trials that are shown but never ranked."""
    return {series.trial for series in analysis.series if series.status is Status.INVALID}
