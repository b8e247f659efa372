"""Site: from many runs to a static folder with an index, a page a run, and a history."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import msgspec

from harness.drivers import templates
from harness.errors import UsageError
from harness.model import words
from harness.model.site import HistoryPoint, RunView, Site, SiteEntry, SiteIndex
from harness.model.verdict import Status
from harness.model.view import Fact, Table
from harness.stats import answer
from harness.stats.charts import column_with
from harness.stats.history import histories

SCHEMA = 1
INDEX = "runs.json"
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def site(runs: list[RunView], out: Path) -> Path:
    """Write the site and return its index.html.

    What `out` already lists is kept: a run that was pruned from results/ stays on the site.
    """
    known = {entry.run_id: entry for entry in _listed(out)}
    for run in runs:
        known[run.run_id] = _newer(known.get(run.run_id), _published(run, out))
    entries = sorted(known.values(), key=lambda e: (e.created_utc, e.run_id), reverse=True)
    template = templates.environment().get_template("site.html.j2")
    page = template.render(site=_view(runs, entries))
    index = msgspec.json.format(msgspec.json.encode(SiteIndex(SCHEMA, entries)), indent=1)
    _write(out / INDEX, index)
    return _write(out / "index.html", page.encode())


def _newer(old: SiteEntry | None, new: SiteEntry) -> SiteEntry:
    """A page that was once published is not taken back because its source is damaged now."""
    return old if old is not None and old.page and not new.page else new


def _listed(out: Path) -> list[SiteEntry]:
    path = out / INDEX
    if not path.exists():
        return []
    try:
        index = msgspec.json.decode(path.read_bytes(), type=SiteIndex)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(
            str(path),
            f"is not a list of runs, expected schema {SCHEMA}, got {error}",
            hint="move that file away to begin a new history, or choose another -o folder",
        ) from error
    if index.schema != SCHEMA:
        raise UsageError(
            str(path),
            f"is of another version, expected schema {SCHEMA}, got {index.schema}",
            hint="use the program that wrote the site, or choose another -o folder",
        )
    return [entry for entry in index.runs if _SAFE.fullmatch(entry.run_id)]


def _published(run: RunView, out: Path) -> SiteEntry:
    """Copy a run's report into the site; what cannot be shown is listed with the reason."""
    problem, page = run.problem, ""
    if not _SAFE.fullmatch(run.run_id):
        problem = "its name cannot be a link"
    elif run.report is not None and not problem:
        page = f"runs/{run.run_id}/report.html"
        try:
            _write(out / page, run.report.read_bytes())
        except FileNotFoundError:
            problem, page = "it has no report.html", ""
    elif not problem:
        problem = "it has no report.html"
    request = run.plan.request if run.plan else None
    return SiteEntry(
        run_id=run.run_id,
        created_utc=run.created_utc,
        title=_title(run),
        verdicts=_verdicts(run),
        fingerprint=run.fingerprint,
        problem=problem,
        page=page,
        # Only what was measured at one fixed rate has a history: other figures mean other things.
        clean_p99=[] if problem or (request and request.parts) else _points(run),
        protocols={s.name: request.protocol_of(s) for s in request.subjects} if request else {},
        streams=request.streams if request else 1,
        grain_ns=request.grain_ns if request else None,
    )


def _title(run: RunView) -> str:
    if run.plan is None:
        return ""
    request = run.plan.request
    return (
        f"{len(request.subjects)} subjects, {request.scenario.title}, "
        f"{words.offered(request)}, {request.duration_s:g}\u00a0s"
    )


def _verdicts(run: RunView) -> str:
    counts = {
        status: sum(verdict.status is status for verdict in run.verdicts.values())
        for status in Status
    }
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _points(run: RunView) -> list[HistoryPoint]:
    """Clean figures only, and none of a subject whose every trial is INVALID."""
    column = column_with(run.analysis, "p99", "clean") if run.analysis else None
    if run.analysis is None or column is None:
        return []
    status = answer.row_status(run.analysis, _statuses(run))
    points = []
    for row in run.analysis.rows:
        cell = row.cells.get(column)
        name = row.subject.name
        if cell is not None and cell.value is not None and status[name] is not Status.INVALID:
            points.append(HistoryPoint(name, row.title, cell.value, cell.low, cell.high))
    return points


def _statuses(run: RunView) -> dict[str, list[Status]]:
    found: dict[str, list[Status]] = {}
    for spec in run.plan.trials if run.plan else []:
        if spec.index in run.verdicts:
            found.setdefault(spec.subject.name, []).append(run.verdicts[spec.index].status)
    return found


def _view(runs: list[RunView], entries: list[SiteEntry]) -> Site:
    newest = next((entry for entry in entries if entry.page), None)
    tables: list[Table] = []
    options: list[Fact] = []
    for run in runs:
        if newest is not None and run.run_id == newest.run_id and run.analysis is not None:
            names = answer.subject_names(run.analysis.rows)
            status = answer.row_status(run.analysis, _statuses(run))
            tables = answer.tables(run.analysis, names, status)
            options = answer.ran_with(run.plan, names) if run.plan else []
    return Site(newest, tables, options, histories(entries), entries)


def _write(path: Path, content: bytes) -> Path:
    """Whole or not at all: a visitor never gets half a page."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise UsageError(
            str(path), f"cannot be written: {error.strerror}", hint="give --out another folder"
        ) from error
    return path
