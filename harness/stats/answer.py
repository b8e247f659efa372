"""The answer table in bands: each band one question, one unit for its times, one width."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.model import view, words
from harness.model.analysis import Analysis, Cell, Column, Row
from harness.model.plan import Plan
from harness.model.verdict import Status
from harness.stats.charts import Named

# A column belongs to the first band that has one of the words of its id.
_BANDS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "What did the collector do?",
        frozenset({"gc", "stw", "mark", "assist", "collector", "cycles", "inside", "outside"}),
    ),
    (
        "Did it hold the rate, and how long did requests take?",
        frozenset({"throughput", "rate", "rps", "achieved", "p50", "p90", "p99", "p999", "p9999"}),
    ),
    ("What did it cost, and what went wrong?", frozenset()),
)
_ORDER = (1, 0, 2)
MAXIMUM = "How much can it do? A closed loop: no promise about response times"
EACH_RATE = "How did it do at each rate?"
OVER_ALL = " (over all rates together)"
_BADNESS = {Status.VALID: 0, Status.DEGRADED: 1, Status.INVALID: 2}


def subject_names(rows: list[Row]) -> dict[str, Named]:
    """Title and colour slot by the subject's full name, in the order of the table."""
    return {row.subject.name: Named(row.title, i % view.SLOTS) for i, row in enumerate(rows)}


def row_status(analysis: Analysis, trials: dict[str, list[Status]]) -> dict[str, Status]:
    """The worst status of the trials that a row is made of: INVALID only when all are."""
    found = {}
    for row in analysis.rows:
        statuses = trials.get(row.subject.name) or [row.worst]
        counted = [status for status in statuses if status is not Status.INVALID]
        found[row.subject.name] = max(counted or statuses, key=_BADNESS.__getitem__)
    return found


def ran_with(plan: Plan, names: Mapping[str, Named]) -> list[view.Fact]:
    """The options that the subjects ran with, and what their protocols make different."""
    notes: dict[str, list[str]] = {}
    for name, note in plan.protocol_notes.items():
        notes.setdefault(note, []).append(names[name].title if name in names else name)
    facts = [view.Fact(words.listing(titles), note) for note, titles in notes.items()]
    return option_facts(plan.options_effective, names) + facts


def option_facts(
    effective: Mapping[str, Mapping[str, str | None]], names: Mapping[str, Named]
) -> list[view.Fact]:
    """What the subjects ran with: what all have in common first, then what each has of its own."""
    if not effective:
        return []
    common = set.intersection(*(set(options.items()) for options in effective.values()))
    titles = [names[name].title if name in names else name for name in effective]
    facts = []
    if common:
        who = "Every subject" if len(titles) > 1 else titles[0]
        facts.append(view.Fact(who, _options_text(common)))
    groups: dict[str, list[str]] = {}
    for title, options in zip(titles, effective.values(), strict=True):
        own = _options_text(set(options.items()) - common)
        if own:
            groups.setdefault(own, []).append(title)
    return facts + [view.Fact(words.listing(names), text) for text, names in groups.items()]


def _options_text(options: set[tuple[str, str | None]]) -> str:
    return ", ".join(
        f"{name} {'not set' if value is None else value}"
        for name, value in sorted(options, key=lambda option: option[0])
    )


def tables(
    analysis: Analysis, names: dict[str, Named], status: dict[str, Status]
) -> list[view.Table]:
    """The bands that have a column, in the order in which they are read.

    A closed loop has one of its own; steps and ramps come first, before what is over all of them.
    """
    if analysis.closed_loop:
        return [_table(MAXIMUM, analysis.columns, analysis.rows, names, status)]
    bands: list[list[Column]] = [[] for _ in _BANDS]
    for column in analysis.columns:
        bands[_band(column)].append(column)
    each = analysis.part_rows
    first = [_table(EACH_RATE, analysis.part_columns, each, names, status)] if each else []
    return (
        first
        + [
            _table(
                _BANDS[i][0] + (OVER_ALL if each else ""), bands[i], analysis.rows, names, status
            )
            for i in _ORDER
            if bands[i]
        ]
        + _operations(analysis, names, status)
    )


def _operations(
    analysis: Analysis, names: dict[str, Named], status: dict[str, Status]
) -> list[view.Table]:
    """Where a scenario asks for more than one thing: each by itself."""
    rows = [
        msgspec.structs.replace(one.row, title=f"{one.row.title}: {one.operation}")
        for one in analysis.operations
        if one.row.subject.name in names
    ]
    if not rows:
        return []
    question = "How did each operation fare?"
    return [_table(question, analysis.operation_columns, rows, names, status)]


def _band(column: Column) -> int:
    parts = set(column.id.split("_"))
    return next(i for i, (_, wanted) in enumerate(_BANDS) if parts & wanted or not wanted)


def _table(
    question: str,
    columns: list[Column],
    rows: list[Row],
    names: dict[str, Named],
    status: dict[str, Status],
) -> view.Table:
    scales = _scales(columns, rows)
    decimals = {c.id: _decimals(_values([c], rows), scales[c.id]) for c in columns}
    return view.Table(
        question=question,
        columns=[view.TableColumn(c.title, scales[c.id].unit, c.about) for c in columns],
        rows=[
            view.TableRow(
                title=row.title,
                slot=names[row.subject.name].slot,
                status=status[row.subject.name].value,
                trials=f"{row.trials_valid} of {row.trials} valid",
                cells=[_cell(row.cells.get(c.id), scales[c.id], decimals[c.id]) for c in columns],
            )
            for row in rows
        ],
    )


def _values(columns: list[Column], rows: list[Row]) -> list[float]:
    cells = [row.cells[c.id] for row in rows for c in columns if c.id in row.cells]
    return [cell.value for cell in cells if cell.value is not None]


def _scales(columns: list[Column], rows: list[Row]) -> dict[str, words.Scale]:
    """Times of a band share a unit, so that neighbours compare; totals are of another order."""
    times = [c for c in columns if c.unit == "ns" and "total" not in c.id.split("_")]
    shared = words.column_scale("ns", _values(times, rows))
    return {
        c.id: shared if c in times else words.column_scale(c.unit, _values([c], rows))
        for c in columns
    }


def _decimals(values: list[float], scale: words.Scale) -> int:
    """One number of decimals a column, three digits for its smallest figure."""
    shown = [abs(value) / scale.divisor for value in values if value]
    if not shown or (scale.divisor == 1 and all(value == int(value) for value in shown)):
        return 0
    wanted = 0 if min(shown) >= 100 else 1 if min(shown) >= 10 else 2
    if max(shown) >= 1000:
        return 0 if min(shown) >= 10 else 1
    return wanted


def _cell(cell: Cell | None, scale: words.Scale, decimals: int) -> view.TableCell:
    if cell is None:
        return view.TableCell("", "", "not measured", "")
    if cell.value is None:
        return view.TableCell("", "", cell.text, cell.note)
    figure, low, high = (
        "" if value is None else f"{value / scale.divisor:,.{decimals}f}"
        for value in (cell.value, cell.low, cell.high)
    )
    interval = f"{low} – {high}" if low and high else ""  # noqa: RUF001
    return view.TableCell(figure, interval, "", cell.note)
