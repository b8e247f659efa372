"""The command line as a user runs it, and what must not be left behind; shared by the e2e tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException

from harness.model.trial import TrialData
from harness.model.verdict import Reason
from harness.store.run_folder import RunFolder
from harness.system import cgroups, docker_daemon, process_table
from harness.system.process_table import Identity

ROOT = Path(__file__).resolve().parents[2]
BENCH = [sys.executable, "-c", "from harness.cli import main; main()"]
END_TIMEOUT_S = 1200.0  # a first run builds images, on a busy machine
STEP_TIMEOUT_S = 300.0
LOCK_TIMEOUT_S = 300.0
JOURNALS = Path("/run/pausemark")


def require_root() -> None:
    """Skip with the reason; in CI a skipped test is a failed one."""
    if os.geteuid() != 0:
        skip("needs root: real probes, containers and settings of the machine")


def skip(reason: str) -> None:
    """With this reason; in CI it is a failure."""
    if os.environ.get("CI") == "true" or os.environ.get("PAUSEMARK_NO_SKIP"):
        pytest.fail(f"{reason}, and CI must not skip")
    pytest.skip(reason)


def until(what: str, holds: Callable[[], Any], timeout_s: float = STEP_TIMEOUT_S) -> Any:
    """Waits for a true value and returns it; fails saying what never came."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s:.0f} s in vain for {what}")


@dataclass
class Bench:
    """One `bench` command that runs now or has ended."""

    arguments: list[str]
    output: Path
    environment: dict[str, str] = field(default_factory=dict)
    enter: list[str] = field(default_factory=list)  # what starts it on another host

    def start(self) -> Bench:
        """Begins; returns itself."""
        self.folder = self.output / f"said-{time.monotonic_ns()}"
        self.folder.mkdir(parents=True)
        with (
            (self.folder / "stdout").open("wb") as stdout,
            (self.folder / "stderr").open("wb") as stderr,
        ):
            self.process = subprocess.Popen(
                [*self.enter, *BENCH, *self.arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        identity = process_table.identify(self.process.pid)
        assert identity is not None
        self.identity: Identity = identity
        return self

    @property
    def stdout(self) -> str:
        """Its data."""
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        """Its talk."""
        return (self.folder / "stderr").read_text(encoding="utf-8")

    def end(self) -> int:
        """Waits for the exit code."""
        code = self.process.wait(END_TIMEOUT_S)
        assert "Traceback" not in self.stderr, self.stderr
        return code

    @property
    def run_folder(self) -> RunFolder:
        """The run that it made."""
        (plan,) = self.output.glob("*/plan.json")
        return RunFolder(plan.parent)

    def trials(self) -> list[TrialData]:
        """The saved ones."""
        return [trial.read_data() for trial in self.run_folder.trials()]

    def reasons(self, trial: int = 0) -> dict[str, Reason]:
        """Of one trial's verdict, by id."""
        return {reason.id: reason for reason in self.trials()[trial].verdict.reasons}

    def wait_for_load(self, trial: int = 0) -> dict[str, Any]:
        """Returns once the measured part of this trial has begun: the engine's `start` event."""

        def started() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.stderr
            for path in self.output.glob(f"*/trials/{trial}/engine.jsonl"):
                for line in path.read_text(encoding="utf-8").splitlines():
                    if '"start_ns"' in line:
                        event: dict[str, Any] = json.loads(line)
                        return event
            return None

        event: dict[str, Any] = until(f"the load of trial {trial}", started)
        while time.clock_gettime_ns(time.CLOCK_MONOTONIC) < event["measure_ns"] + 500_000_000:
            time.sleep(0.02)
        return event

    def processes(self, *words: str) -> list[Identity]:
        """What it started, directly or not, whose command line holds all of the words."""
        found = []
        for pid in process_table.pids():
            line = " ".join(process_table.arguments_of(pid))
            if all(word in line for word in words) and self._is_mine(pid):
                identity = process_table.identify(pid)
                if identity is not None:
                    found.append(identity)
        return found

    def _is_mine(self, pid: int) -> bool:
        return process_table.owner_of(pid) == self.identity

    def kill(self, *words: str) -> Identity:
        """SIGKILL for the one process with these words in its command line."""
        victims: list[Identity] = until(f"{words}", lambda: self.processes(*words), 10)
        os.kill(victims[0].pid, signal.SIGKILL)
        return victims[0]

    def containers(self) -> list[str]:
        """Names of those that carry its label."""
        client = _client()
        if client is None:
            return []
        label = f"pausemark.owner={self.identity.pid}"
        found = client.containers.list(all=True, filters={"label": label})
        client.close()
        return [str(container.name) for container in found]

    def groups(self) -> list[str]:
        """Its control groups."""
        name = f"{self.identity.pid}-{self.identity.start_ticks}-*"
        mounts = {str(mount) for mount in cgroups.hierarchy().mounts.values()}
        return [
            str(path) for mount in mounts for path in (Path(mount) / cgroups.OUR_FOLDER).glob(name)
        ]

    def settings_not_put_back(self) -> list[str]:
        """Files of the machine that still hold what the run had set."""
        left = []
        for line in self.run_folder.document("environment")["tuning"]:
            path = Path(line["path"])
            if line["state"] != "applied" or not line["before"]:
                continue
            now = path.read_text(encoding="ascii").strip()
            if now.split() != line["before"].split() and f"[{line['before']}]" not in now:
                left.append(f"{path}: {line['before']!r} before the run, {now!r} after it")
        return left

    def leaves_nothing(self) -> None:
        """No process, container, control group, journal or changed setting."""
        assert self.processes() == []
        assert self.containers() == []
        assert self.groups() == []
        assert list(JOURNALS.glob(f"journal-{self.identity.pid}-*")) == []
        if list(self.output.glob("*/environment.json")):
            assert self.settings_not_put_back() == []


def _client() -> docker.DockerClient | None:
    daemon = docker_daemon.answering()
    if daemon is None:
        return None
    try:
        return docker.DockerClient(base_url=f"unix://{daemon.socket}")
    except DockerException:
        return None


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Starts commands with results of the test's own; what still runs at the end is killed.

    Waits for a measurement that somebody else has under way: only one may run on a machine.
    """
    require_root()
    started: list[Bench] = []

    def start(
        *arguments: str,
        environment: dict[str, str] | None = None,
        results: str = "results",
        enter: list[str] | None = None,
    ) -> Bench:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        output = tmp_path / results
        given = [*arguments]
        if arguments[0] not in {"env", "worker"}:
            given += ["--output", str(output)]
        while True:
            one = Bench(given, output, environment or {}, enter or []).start()
            started.append(one)
            if not _locked_out(one) or time.monotonic() > deadline:
                return one
            time.sleep(2)

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGINT)
            try:
                one.process.wait(30)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()


def _locked_out(one: Bench) -> bool:
    """Whether it ended because somebody else measures; decided once it builds or has ended."""

    def decided() -> bool:
        return one.process.poll() is not None or any(
            word in one.stderr for word in ("runtime: ", "build ", "probes: ", "trial ", "worker ")
        )

    until("the command to begin", decided)
    return one.process.poll() == 4 and "another measurement is running" in one.stderr
