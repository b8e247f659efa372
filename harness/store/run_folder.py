"""One run's folder under results/: created exclusively, written atomically, read by schema."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.errors import EnvironmentLacking, UsageError
from harness.model.analysis import Analysis
from harness.model.capacity import Capacity
from harness.model.plan import Artifact, Plan
from harness.model.trial import TrialData
from harness.model.users import UsersTimes

T = TypeVar("T")

SCHEMA = 1
SCRATCH = ("calibration", "capacity", "load", "locustfile")


def _encode(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def remove_data(directory: Path) -> None:
    """What a backend kept while it was measured: gigabytes, and no result.

    What cannot be removed (files of another user, without root) stays.
    """
    shutil.rmtree(directory, ignore_errors=True)


def write_atomically(path: Path, data: bytes) -> None:
    """All of it or nothing: a temporary file beside it, synced, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _lacking(path, error) from error


def _lacking(path: Path, error: OSError) -> EnvironmentLacking:
    hint = "check the folder's owner and mode"
    if error.errno == errno.ENOSPC:
        hint = "free some space; finished trials are kept, `bench prune` removes request records"
    return EnvironmentLacking(str(path), f"cannot be written: {error.strerror}", hint=hint)


def _read(path: Path, kind: type[T]) -> T:
    """A JSON document of ours; UsageError names file, key, expected and found."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(
            str(path), "is not there", hint="the run ended before it was written"
        ) from error
    except (OSError, ValueError) as error:
        raise UsageError(
            str(path), f"cannot be read: {error}", hint="the file is damaged; measure again"
        ) from error
    schema = document.get("schema", SCHEMA) if isinstance(document, dict) else SCHEMA
    if schema != SCHEMA:
        raise UsageError(
            f"{path}: schema",
            f"expected {SCHEMA}, got {schema!r}",
            hint="read it with the version of Pausemark that wrote it",
        )
    try:
        return msgspec.convert(document, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(
            str(path), str(error), hint="the file is not as this version wrote it"
        ) from (error)


class TrialFolder:
    """`trials/<n>/`."""

    def __init__(self, path: Path) -> None:
        """`path` exists."""
        self.path = path
        self.records = path / "requests.bin"
        self.engine_events = path / "engine.jsonl"
        self.engine_plan = path / "engine-plan.json"
        self.server_log = path / "server.log"
        self.locust_log = path / "locust.log"
        self.hiccups = path / "hiccups.jsonl"
        self.probes = path / "probes"
        self.probe_reports = path / "probes.json"
        self.facts = path / "facts.json"
        self.data = path / "trial.json"
        self.series = path / "series.parquet"
        self.slow = path / "slow.parquet"

    def write(self, path: Path, value: Any) -> None:
        """A JSON document of this trial."""
        write_atomically(path, _encode(value))

    def read_data(self) -> TrialData:
        """What this trial measured."""
        return _read(self.data, TrialData)


class RunFolder:
    """`results/<UTC seconds>-<plan hash>/`."""

    def __init__(self, path: Path) -> None:
        """An existing folder; use `create` or `open_run`."""
        self.path = path
        self.report = path / "report.html"

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.path.name

    def write_plan(self, plan: Plan) -> None:
        """`plan.json`."""
        write_atomically(self.path / "plan.json", _encode(plan))

    def plan(self) -> Plan:
        """`plan.json`."""
        return _read(self.path / "plan.json", Plan)

    def write_artifacts(self, artifacts: list[Artifact]) -> None:
        """`artifacts.json`."""
        write_atomically(self.path / "artifacts.json", _encode(artifacts))

    def artifacts(self) -> list[Artifact]:
        """`artifacts.json`."""
        return _read(self.path / "artifacts.json", list[Artifact])

    def write_document(self, name: str, document: Any) -> None:
        """`<name>.json`: environment, calibration."""
        write_atomically(self.path / f"{name}.json", _encode(document))

    def document(self, name: str) -> dict[str, Any]:
        """`<name>.json` as plain values."""
        return _read(self.path / f"{name}.json", dict[str, Any])

    def write_analysis(self, analysis: Analysis) -> None:
        """`analysis.json`."""
        write_atomically(self.path / "analysis.json", _encode(analysis))

    def analysis(self) -> Analysis:
        """`analysis.json`."""
        return _read(self.path / "analysis.json", Analysis)

    def write_report(self, html: str) -> None:
        """`report.html`."""
        write_atomically(self.report, html.encode("utf-8"))

    def new_trial(self, index: int) -> TrialFolder:
        """Creates `trials/<index>/` with its folder for probes."""
        path = self.path / "trials" / str(index)
        try:
            (path / "probes").mkdir(parents=True)
        except OSError as error:
            raise _lacking(path, error) from error
        return TrialFolder(path)

    def trials(self) -> list[TrialFolder]:
        """The folders of finished trials, in order; an unfinished one has no trial.json."""
        root = self.path / "trials"
        numbers = sorted(int(p.name) for p in root.glob("*") if p.name.isdigit())
        folders = [TrialFolder(root / str(number)) for number in numbers]
        return [folder for folder in folders if folder.data.exists()]


def create(results: Path, plan: Plan, *, stamp: str) -> RunFolder:
    """A new folder that nobody else has; `stamp` is UTC to the second (20261124T103000Z)."""
    digest = hashlib.sha256(msgspec.json.encode(plan)).hexdigest()[:8]
    path = results / f"{stamp}-{digest}"
    try:
        path.mkdir(parents=True, exist_ok=False)
    except FileExistsError as error:
        raise UsageError(
            str(path), "another run has this folder", hint="start again in a second"
        ) from error
    except OSError as error:
        raise _lacking(path, error) from error
    folder = RunFolder(path)
    folder.write_plan(plan)
    return folder


def scratch(results: Path, name: str, *, stamp: str) -> Path:
    """A folder for a measurement that is no run: `<UTC seconds>-<name>/`, created exclusively.

    `name` is one of SCRATCH, by which `prunable` knows it again.
    """
    path = results / f"{stamp}-{name}"
    try:
        path.mkdir(parents=True, exist_ok=False)
    except OSError as error:
        raise _lacking(path, error) from error
    return path


def write_capacity(folder: Path, found: Capacity) -> None:
    """`capacity.json` of a search's folder."""
    write_atomically(folder / "capacity.json", _encode(found))


def write_users_times(folder: Path, found: UsersTimes) -> None:
    """`users.json` of what a user's locustfile measured."""
    write_atomically(folder / "users.json", _encode(found))


def open_run(path: Path) -> RunFolder:
    """An existing run; UsageError when the folder is not one."""
    if not (path / "plan.json").is_file():
        raise UsageError(
            str(path), "is not a run: it has no plan.json", hint="give a folder under results/"
        )
    return RunFolder(path)


def newest(results: Path) -> RunFolder:
    """The newest run with an analysis."""
    runs = sorted(p.parent for p in results.glob("*/analysis.json"))
    if not runs:
        raise UsageError(str(results), "holds no finished run", hint="make one with `bench run`")
    return RunFolder(runs[-1])


def prunable(results: Path, *, records: bool, keep: int | None) -> list[tuple[Path, int]]:
    """What `bench prune` may remove, with sizes in bytes: only what this store wrote.

    A search for capacity is one thing, with the runs that it made.
    """
    own = (*results.glob("*/plan.json"), *results.glob("*/capacity.json"))
    other = (path for name in SCRATCH for path in results.glob(f"*Z-{name}") if path.is_dir())
    runs = sorted({*(path.parent for path in own), *other})
    gone = runs[: max(0, len(runs) - keep)] if keep is not None else []
    found = [(run, sum(f.stat().st_size for f in run.rglob("*") if f.is_file())) for run in gone]
    if records:
        for run in runs:
            if run not in gone:
                streams = [*run.rglob("requests.bin*"), *run.rglob("probes/*.bin")]
                found += [(path, path.stat().st_size) for path in streams]
    return found


def remove(path: Path) -> None:
    """A run's folder, or one file of it."""
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise EnvironmentLacking(
            str(error.filename or path),
            f"cannot be removed: {error.strerror}",
            hint="prune as the user who made the run, or as root",
        ) from error
