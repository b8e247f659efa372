"""What the report's templates show: text ready to print and lines ready to draw."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.analysis import Analysis
from harness.model.plan import Artifact, Plan
from harness.model.verdict import Verdict

# Colours and line marks repeat after this many subjects; labels always tell them apart.
SLOTS = 8


class ReportInputs(msgspec.Struct, frozen=True):
    """Everything that a report is made of; verdicts by the trial's index."""

    plan: Plan
    artifacts: list[Artifact]
    environment: dict[str, Any]
    analysis: Analysis
    verdicts: dict[int, Verdict]
    calibration: list[dict[str, Any]]


class Calibration(msgspec.Struct, frozen=True):
    """One known-answer test: what was certain to be true, and what was read."""

    name: str
    passed: bool
    expected_ns: float | None = None
    found_ns: float | None = None
    error_ns: float | None = None
    text: str = ""


class Tuning(msgspec.Struct, frozen=True):
    """One operation on the machine; `state` applied, already, refused, unavailable or off."""

    operation: str
    state: str
    before: Any = None
    after: Any = None
    reason: str = ""


class Tick(msgspec.Struct, frozen=True):
    """A mark on an axis: `at` in percent from the left or the top."""

    at: float
    text: str


class Fact(msgspec.Struct, frozen=True):
    """A name and what is known of it."""

    name: str
    value: str


class Facts(msgspec.Struct, frozen=True):
    """A titled list of facts."""

    title: str
    facts: list[Fact]


class TrialChip(msgspec.Struct, frozen=True):
    """A trial with its verdict, for the overview."""

    number: int
    status: str
    title: str


class SubjectVerdicts(msgspec.Struct, frozen=True):
    """All trials of a subject."""

    title: str
    slot: int
    trials: list[TrialChip]
    summary: str


class ReasonLine(msgspec.Struct, frozen=True):
    """One reason and subject with the trials that it touched, told by its worst trial."""

    status: str
    id: str
    subject: str
    trials: str
    text: str


class TableCell(msgspec.Struct, frozen=True):
    """A figure with its interval; `words` instead of a figure when there is none."""

    figure: str
    interval: str
    words: str
    note: str


class TableColumn(msgspec.Struct, frozen=True):
    """A heading with its unit."""

    title: str
    unit: str
    about: str


class TableRow(msgspec.Struct, frozen=True):
    """A subject's cells, in the order of the columns."""

    title: str
    slot: int
    status: str
    trials: str
    cells: list[TableCell]


class Table(msgspec.Struct, frozen=True):
    """One band of the answer table, headed by the question that it answers."""

    question: str
    columns: list[TableColumn]
    rows: list[TableRow]


class Interval(msgspec.Struct, frozen=True):
    """A point with its whiskers in percent from the left; no whiskers: left is None."""

    at: float
    left: float | None
    width: float
    text: str


class IntervalRow(msgspec.Struct, frozen=True):
    """Observed above clean; words where there is no figure."""

    title: str
    slot: int
    observed: Interval | None
    clean: Interval | None
    observed_words: str
    clean_words: str


class IntervalChart(msgspec.Struct, frozen=True):
    """One percentile of all subjects on one time axis."""

    ticks: list[Tick]
    rows: list[IntervalRow]


class Line(msgspec.Struct, frozen=True):
    """Path data of one trial, in a drawing 1000 wide and 400 high."""

    id: str
    kind: str  # observed | clean
    d: str
    title: str
    dropped: bool  # of an INVALID trial


class CurvePanel(msgspec.Struct, frozen=True):
    """All curves of one subject; the other panels' curves stand behind in grey."""

    title: str
    slot: int
    lines: list[Line]
    behind: list[str]
    note: str


class CurveChart(msgspec.Struct, frozen=True):
    """Percentile curves on a log-nines axis, one panel a subject, the same axes in all."""

    x_ticks: list[Tick]
    y_ticks: list[Tick]
    panels: list[CurvePanel]


class Lane(msgspec.Struct, frozen=True):
    """One row of the pause strip; `words` when nothing is drawn."""

    id: str
    title: str
    about: str
    d: str
    total: str
    words: str


class SeriesPanel(msgspec.Struct, frozen=True):
    """One trial, second by second, with the pause strip under it."""

    title: str
    slot: int
    trial: str
    status: str
    reasons: list[str]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    p99: str
    p50: str
    top: str
    lanes: list[Lane]
    data: str  # JSON for the pointer's read-out, "" for none
    summary: str


class SeriesGroup(msgspec.Struct, frozen=True):
    """A subject's trial that is shown at once, and those that unfold."""

    main: SeriesPanel
    others: list[SeriesPanel]


class CauseCell(msgspec.Struct, frozen=True):
    """The share of one cause in one subject's no-progress time; `width` in percent."""

    width: float
    share: str
    detail: str


class CauseRow(msgspec.Struct, frozen=True):
    """One cause over all subjects; None: it did not occur."""

    title: str
    cells: list[CauseCell | None]


class CauseSubject(msgspec.Struct, frozen=True):
    """A column of the causes."""

    title: str
    slot: int
    total: str
    note: str


class CauseChart(msgspec.Struct, frozen=True):
    """What the no-progress time was made of."""

    subjects: list[CauseSubject]
    rows: list[CauseRow]


class CalibrationLine(msgspec.Struct, frozen=True):
    """A known-answer test in words."""

    name: str
    passed: bool
    expected: str
    found: str
    error: str
    text: str


class TuningLine(msgspec.Struct, frozen=True):
    """A tuning operation in words."""

    operation: str
    state: str
    before: str
    after: str
    reason: str


class Notice(msgspec.Struct, frozen=True):
    """A warning of the closed list."""

    id: str
    text: str
    advice: str


class Report(msgspec.Struct, frozen=True):
    """The whole page."""

    run_id: str
    created: str
    version: str
    title: str
    answer: list[Fact]
    answer_is_clean: bool
    asked: list[Facts]
    notices: list[Notice]
    verdicts: list[SubjectVerdicts]
    reasons: list[ReasonLine]
    tables: list[Table]
    options: list[Fact]
    intervals: IntervalChart | None
    curves: CurveChart | None
    series: list[SeriesGroup]
    causes: CauseChart | None
    environment: list[Facts]
    fingerprint: str
    tuned: list[TuningLine]
    not_tuned: list[TuningLine]
    artifacts: list[Facts]
    calibration: list[CalibrationLine]
    command: str
