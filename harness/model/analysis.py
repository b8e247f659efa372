"""What the report shows: every number on a page is a field here, templates compute nothing."""

from __future__ import annotations

import msgspec

from harness.model.plan import Subject
from harness.model.verdict import Status


class Cell(msgspec.Struct, frozen=True):
    """A value with its interval, in the unit of its column; `text` is what is shown.

    `value` None: `text` says why ("no GC", "not measured", "too few").
    """

    value: float | None
    low: float | None
    high: float | None
    text: str
    note: str = ""


class Column(msgspec.Struct, frozen=True):
    """A column of the answer table."""

    id: str
    title: str
    unit: str
    about: str


class Row(msgspec.Struct, frozen=True):
    """A subject with a cell for every column, keyed by the column's id."""

    subject: Subject
    title: str
    trials: int
    trials_valid: int
    worst: Status
    cells: dict[str, Cell]


class OperationRow(msgspec.Struct, frozen=True):
    """One operation of a subject: a row with columns of its own."""

    operation: str
    row: Row


class CurvePoint(msgspec.Struct, frozen=True):
    """One point of a percentile curve."""

    quantile: float
    observed_ns: int | None
    clean_ns: int | None


class TrialCurve(msgspec.Struct, frozen=True):
    """The percentile curve of one trial."""

    trial: int
    subject: str
    points: list[CurvePoint]


class Second(msgspec.Struct, frozen=True):
    """One second of one trial's series, by intended send time; None: not measured."""

    second: int
    offered: int
    good: int
    p50_ns: int | None
    p99_ns: int | None
    max_ns: int | None
    own_fault_p99_ns: int | None
    pause_ns: int | None
    stop_the_world_ns: int | None
    mark_ns: int | None
    vcpu_not_run_ns: int | None
    wakeup_not_taken_ns: int | None
    foreign_ns: int | None
    server_time_p99_ns: int | None


class TrialSeries(msgspec.Struct, frozen=True):
    """The per-second series of one trial."""

    trial: int
    block: int
    subject: str
    status: Status
    reasons: list[str]
    seconds: list[Second]


class CauseShare(msgspec.Struct, frozen=True):
    """How much of a subject's no-progress time had this cause."""

    cause: str
    count: int
    total_ns: int
    share: float


class SubjectPauses(msgspec.Struct, frozen=True):
    """The causes of one subject's pauses; `note` when they were not measured."""

    subject: str
    causes: list[CauseShare]
    note: str


class Warning_(msgspec.Struct, frozen=True):
    """A warning of the closed list, with its advice."""

    id: str
    text: str
    advice: str


class Analysis(msgspec.Struct, frozen=True):
    """`analysis.json`."""

    schema: int
    run_id: str
    columns: list[Column]
    rows: list[Row]
    curves: list[TrialCurve]
    series: list[TrialSeries]
    pauses: list[SubjectPauses]
    warnings: list[Warning_]
    operation_columns: list[Column] = []
    operations: list[OperationRow] = []
    # Steps and ramps: a row for each subject at each of them. Empty where there was one rate.
    part_columns: list[Column] = []
    part_rows: list[Row] = []
    closed_loop: bool = False  # the rows are maxima, and share no column with those of fixed rates
    pace: str = ""  # how the engine waited, over all trials: "sleep", "spin (3 of 4 trials)"
