"""Printing: data on stdout, talk on stderr; colour only in a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from harness.model import words
from harness.model.analysis import Analysis, Cell
from harness.model.direct import Asked
from harness.model.plan import Plan, TrialSpec
from harness.model.trial import TrialData
from harness.model.verdict import page_of
from harness.stats import answer

_talk = Console(stderr=True, highlight=False, soft_wrap=True)

# What fits a terminal, with the short titles that make it fit; the report has every column.
TERMINAL_COLUMNS = {
    "achieved_rps": "RPS",
    "p50_observed": "P50",
    "p99_observed": "P99",
    "p99_clean": "P99\nclean",
    "p999_observed": "P99.9",
    "p999_clean": "P99.9\nclean",
    "stw_count": "GC\nstops",
    "stw_max": "longest\nstop",
    "stw_total": "stopped\nin all",
    "mark_share": "in mark\nphases",
    "p99_inside": "P99 in\ncycles",
    "p99_outside": "P99\noutside",
    "pauses_count": "pauses",
    "throughput": "RPS",
    "cpu_per_request": "CPU/\nrequest",
    "engine_share": "engine's\nCPU",
    "memory_peak": "memory",
    "errors": "errors",
    "service_p50": "service\nP50",
    "service_p99": "service\nP99",
}


def talk(text: str) -> None:
    """A line for people, on stderr."""
    _talk.print(text, markup=False)


def data(text: str) -> None:
    """A line of data, on stdout."""
    sys.stdout.write(text + "\n")


def data_json(value: Any) -> None:
    """One JSON object on stdout."""
    data(json.dumps(msgspec.to_builtins(value), indent=1))


def table(title: str, columns: list[str], rows: list[list[str]], *, figures: bool = False) -> None:
    """A table on stdout, wide enough when it is piped into a file; `figures` stand on the right."""
    # No markup: a subject such as go/nethttp[gogc=off] is a name and not a style.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)
    shown = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if figures and index else "left"
        shown.add_column(column, justify=side, overflow="fold", no_wrap=index == 0)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def answer_table(plan: Plan, analysis: Analysis) -> None:
    """The answer table of a run, and what its subjects ran with."""
    chosen = [column for column in analysis.columns if column.id in TERMINAL_COLUMNS]
    titles = ["", "verdict", *(TERMINAL_COLUMNS[column.id] for column in chosen)]
    rows = []
    for row in analysis.rows:
        cells = [cell_text(row.cells.get(column.id), column.unit) for column in chosen]
        rows.append([row.subject.name, row.worst.value, *cells])
    if analysis.part_rows:
        part_table(analysis)
    table(_run_title(plan, analysis), titles, rows, figures=True)
    operation_table(analysis)
    names = answer.subject_names(analysis.rows)
    facts = answer.ran_with(plan, names)
    table("options", ["", "ran with"], [[fact.name, fact.value] for fact in facts])


def operation_table(analysis: Analysis) -> None:
    """Each operation of each subject, where a scenario asks for more than one."""
    if not analysis.operations:
        return
    columns = analysis.operation_columns
    rows = [
        [
            f"{one.row.subject.name} {one.operation}",
            *(cell_text(one.row.cells.get(column.id), column.unit) for column in columns),
        ]
        for one in analysis.operations
    ]
    titles = ["", *(column.title for column in columns)]
    table("operations", titles, rows, figures=True)


def _run_title(plan: Plan, analysis: Analysis) -> str:
    asked = plan.request
    title = f"run {analysis.run_id}: {words.offered(asked)}"
    if asked.closed_loop:
        return f"{title}, no promise about response times"
    if asked.parts:
        title += answer.OVER_ALL
    title += f", wake-ups batched up to {words.duration(asked.grain_ns)}"
    return title if analysis.pace in {"", "sleep"} else f"{title}, pace: {analysis.pace}"


def part_table(analysis: Analysis) -> None:
    """Every subject at every step."""
    columns = analysis.part_columns
    titles = ["", "verdict", *(column.title for column in columns)]
    rows = []
    for row in analysis.part_rows:
        cells = [cell_text(row.cells.get(column.id), column.unit) for column in columns]
        rows.append([row.title, row.worst.value, *cells])
    table("each rate by itself", titles, rows, figures=True)


def cell_text(cell: Cell | None, unit: str) -> str:
    """A cell with the unit that suits it; words where nothing was measured."""
    if cell is None:
        return ""
    if cell.value is None:
        return cell.text.removesuffix(" tail episodes")
    if unit == "ns":
        return words.duration(cell.value)
    if unit == "ratio":
        return words.percent(cell.value)
    if unit == "bytes":
        scale = words.column_scale(unit, [cell.value])
        return f"{words.number(cell.value / scale.divisor)} {scale.unit}"
    return words.number(cell.value)


class Display:
    """Tells how a run goes: lines always, and a bar with an ETA in a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet`: nothing but what must be said."""
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: Any = None
        self._explained: set[str] = set()

    def say(self, text: str) -> None:
        """A step, or a warning."""
        if not self._quiet:
            _talk.print(text, markup=False)

    def trial_begins(self, plan: Plan, spec: TrialSpec) -> None:
        """The first trial starts the bar."""
        request = plan.request
        seconds = request.warmup_s + request.duration_s
        self.say(
            f"trial {spec.index + 1}/{len(plan.trials)}: {spec.subject.name}, "
            f"{words.offered(request)} for {request.duration_s:g} s"
        )
        if self._bar is None and _talk.is_terminal and not self._quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=_talk, refresh_per_second=1, transient=True)
            self._task = self._bar.add_task("trials", total=len(plan.trials) * seconds)
            self._bar.start()

    def trial_ends(self, plan: Plan, spec: TrialSpec, data: TrialData) -> None:
        """The verdict in a line, every reason in another."""
        self.say(f"  {data.verdict.status}")
        self.say(f"    {hiccups_text(data)}")
        for reason in data.verdict.reasons:
            self.say(f"    {reason.status} {reason.id}: {reason.text}")
            if reason.id not in self._explained:
                self._explained.add(reason.id)
                self.say(f"      what it means: {page_of(reason.id)}")
        if self._bar is not None:
            request = plan.request
            self._bar.advance(self._task, request.warmup_s + request.duration_s)
            if spec.index == len(plan.trials) - 1:
                self.close()

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def hiccups_text(data: TrialData) -> str:
    """The control line: what the platform alone did to a thread that only sleeps."""
    if data.hiccups is None:
        why = data.not_measured.get("hiccups", "no control ran")
        return f"platform hiccups: not measured ({why})"
    parts = []
    for role, found in data.hiccups.by_role.items():
        values = (("P99", found.p99), ("P99.9", found.p999), ("max", found.max))
        told = [
            f"{name} {'too few' if value is None else words.duration(value)}"
            for name, value in values
        ]
        parts.append(f"{role}'s CPUs {', '.join(told)}")
    return f"platform hiccups: {'; '.join(parts)}"


def load_table(target: str, trial: TrialData, asked: Asked) -> None:
    """What `bench load` measured."""
    if trial.load is None or trial.latency is None:
        table(target, ["", "value"], [["nothing was measured", str(trial.not_measured)]])
        return
    rows = [
        ["verdict", trial.verdict.status],
        ["offered", f"{trial.load.offered_rps:,.1f} requests/s"],
        ["achieved", f"{trial.load.achieved_rps:,.1f} requests/s"],
        ["protocol", words.spoken(asked.protocol, asked.pipeline, asked.streams)],
        ["grain", words.duration(asked.grain_ns)],
        ["pace", f"{trial.pacing.chosen} ({trial.pacing.why})" if trial.pacing else "not told"],
        ["errors", ", ".join(f"{k} {n}" for k, n in trial.load.errors.items()) or "none"],
    ]
    rows.append(["", hiccups_text(trial)])
    for reason in trial.verdict.reasons:
        rows += [["", *reason.text.splitlines()], ["", f"({page_of(reason.id)})"]]
    kinds = ("response", "service", "own_fault_lag", "backlog_lag")
    for kind in kinds:
        values = getattr(trial.latency, kind)
        for point in ("p50", "p99", "p999", "max"):
            value = getattr(values, point)
            text = "too few in the tail" if value is None else f"{value / 1e6:,.3f} ms"
            rows.append([f"{kind.replace('_', ' ')} {point}", text])
    table(target, ["", "value"], rows)
    if trial.parts:
        _load_parts(trial)


def _load_parts(trial: TrialData) -> None:
    rows = []
    for part in trial.parts:
        values = [getattr(part.response, name, None) for name in ("p50", "p99", "p999")]
        times = ["too few" if value is None else words.duration(value) for value in values]
        failed = sum(part.errors.values()) + part.unfinished
        rates = [f"{rate:,.1f}" for rate in (part.offered_rps, part.achieved_rps)]
        rows.append([words.part_rate(part.part), *rates, *times, f"{failed:,}"])
    columns = ["", "offered", "achieved", "P50", "P99", "P99.9", "errors"]
    table("each rate by itself", columns, rows, figures=True)
