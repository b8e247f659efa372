"""A stage for whole runs: folders of its own, fakes at the edges, and the command line in here."""

from __future__ import annotations

import contextlib
import functools
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import calibrating, pipeline
from harness.cli import main as command
from harness.cli import measuring, searching
from harness.drivers import engine, hiccups, load, runtimes
from harness.stages import measure
from harness.store import run_folder
from harness.store.run_folder import RunFolder
from harness.system import clock, environment, journal, machine, sampling
from tests.pipeline.fakes import FakeClock, FakeHiccups, FakeLoad, FakeRuntime

SCENARIO = """
schema = 1
name = "small-get"
title = "1 KiB objects, 90% GET, 10% PUT"
[objects]
bucket = "bench"
count = 100
size_bytes = 1024
key = "object-{index:08d}"
[[operations]]
name = "get"
weight = 90
status = 200
[[operations]]
name = "put"
weight = 10
status = 200
"""
BACKEND = """
schema = 1
name = "{name}"
title = "{name}, a fake"
language = "C"
license = "x"
collector = "none"
build = {{ artifact = "a" }}
run = {{ command = ["{{artifact}}"] }}
[[variants]]
name = "v"
title = "v"
tracks = ["idiomatic"]
protocols = ["h1"]
default = true
"""
# The engine as far as it is started here: it takes every object.
PRELOADER = """#!/bin/sh
cat > /dev/null
echo '{"event": "done", "objects": 100, "bytes": 102400, "wall_ns": 1, "errors": {}}'
"""
REFUSED_PRELOAD = """#!/bin/sh
cat > /dev/null
cat << END
{"event": "error", "where": "object-00000007", "what": "read back", "expected": "1 KiB", "found": 3}
END
exit 1
"""


@dataclass
class Finished:
    """What a command left: its exit code and what it said."""

    code: int
    stdout: str
    stderr: str


@dataclass
class Stage:
    """Where a test's run takes place."""

    root: Path
    clock: FakeClock
    runtime: FakeRuntime
    loads: list[FakeLoad]
    capture: pytest.CaptureFixture[str]

    @property
    def results(self) -> Path:
        return self.root / "results"

    def bench(self, *arguments: str) -> Finished:
        """One command, in this process."""
        self.capture.readouterr()
        code: object = 0
        try:
            command.main(args=list(arguments))
        except SystemExit as exit_:
            code = exit_.code
        said = self.capture.readouterr()
        return Finished(int(str(code or 0)), said.out, said.err)

    def run(self, *more: str, backends: str = "alpha", calibrate: bool = False) -> Finished:
        """`bench run` with what these tests have in common."""
        return self.bench(
            *["run", "--backend", backends, "--duration", "8s", "--warmup", "2s"],
            *["--connections", "4", "--tune", "off", "--probes", "off"],
            *([] if calibrate else ["--no-calibrate"]),
            *["--output", str(self.results), "--backends-dir", str(self.root / "backends")],
            *more,
        )

    def only_run(self) -> RunFolder:
        """The folder of the one run that was made."""
        (plan,) = self.results.glob("*/plan.json")
        return run_folder.open_run(plan.parent)

    def write_preloader(self, text: str) -> None:
        """The program that stands in the engine's place before a trial."""
        program = self.root / "build" / "loadgen" / "pausemark-engine"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)


def _lay_out(root: Path) -> None:
    (root / "ebpf").mkdir(parents=True)
    scenarios = root / "loadgen" / "scenarios"
    scenarios.mkdir(parents=True)
    (scenarios / "small-get.toml").write_text(SCENARIO)
    for name in ("alpha", "beta"):
        (root / "backends" / name).mkdir(parents=True)
        (root / "backends" / name / "backend.toml").write_text(BACKEND.format(name=name))


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Stage]:
    """Fakes in their places, and the machine left as it is."""
    _lay_out(tmp_path)
    clock_ = FakeClock()
    runtime = FakeRuntime(clock_)
    loads: list[FakeLoad] = []
    monkeypatch.setattr(FakeLoad, "clock", clock_, raising=False)
    monkeypatch.setattr(FakeLoad, "started", loads, raising=False)
    monkeypatch.setattr(FakeLoad, "script", staticmethod(lambda load: None), raising=False)
    monkeypatch.setattr(load, "Load", FakeLoad)
    monkeypatch.setattr(FakeHiccups, "clock", clock_, raising=False)
    monkeypatch.setattr(FakeHiccups, "late_ns", {})
    monkeypatch.setattr(hiccups, "Hiccups", FakeHiccups)
    for module in (clock, load):
        monkeypatch.setattr(module, "monotonic_ns", clock_.monotonic_ns)
        monkeypatch.setattr(module, "sleep_s", clock_.sleep_s)
    monkeypatch.setattr(sampling, "cpu_times", clock_.cpu_times)
    monkeypatch.setattr(sampling, "process_cpu_ns", clock_.process_cpu_ns)
    monkeypatch.setattr(environment, "usable_cpus", lambda: [0, 1])
    monkeypatch.setattr(machine, "quiet_harness", lambda cpus: contextlib.nullcontext())
    monkeypatch.setattr(runtimes, "choose", lambda *_, **__: (runtime, "a fake"))
    monkeypatch.setattr(engine, "build", lambda *_: None)
    # The lock and the journal of this machine belong to whoever measures on it now.
    private = tmp_path / "run"
    for module in (pipeline, calibrating):
        owned = functools.partial(journal.owned_machine, folder=private)
        monkeypatch.setattr(module, "owned_machine", owned)
    monkeypatch.setattr(journal, "recover", list)
    for commands in (measuring, searching):
        monkeypatch.setattr(commands, "ROOT", tmp_path)
    assert measure.SAMPLE_EVERY_S == 1.0
    before = signal.getsignal(signal.SIGTERM)
    built = Stage(tmp_path, clock_, runtime, loads, capsys)
    built.write_preloader(PRELOADER)
    yield built
    signal.signal(signal.SIGTERM, before)
