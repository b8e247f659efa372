"""What goes wrong in a run: finished trials stay, the report is there, and the error says what."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import calibration
from harness.drivers.runtime import Ending, Launch
from harness.errors import BuildFailed, EnvironmentLacking
from harness.model.known import Case, Reading
from harness.model.verdict import Reason, Status
from harness.system import journal
from tests.pipeline.conftest import REFUSED_PRELOAD, Finished, Stage
from tests.pipeline.fakes import FakeLoad, refuses


def _reasons(stage: Stage, number: int) -> dict[str, Reason]:
    data = stage.only_run().trials()[number].read_data()
    return {reason.id: reason for reason in data.verdict.reasons}


def _kept(stage: Stage, finished: Finished, *, trials: int) -> None:
    """So many trials are saved, in the analysis and in the report; nothing runs."""
    folder = stage.only_run()
    assert len(folder.trials()) == trials
    assert sum(row.trials for row in folder.analysis().rows) == trials
    assert folder.report.is_file()
    assert f"{trials} finished trial" in finished.stderr
    assert str(folder.path) in finished.stderr
    assert all(server.stops == 1 for server in stage.runtime.servers)
    assert all(load.stopped for load in stage.loads)


def _plant(monkeypatch: pytest.MonkeyPatch, *, trial: int, act: Callable[[FakeLoad], None]) -> None:
    """A fault in the load of one trial."""

    def script(load: FakeLoad) -> None:
        if len(load.started) - 1 == trial:
            act(load)

    monkeypatch.setattr(FakeLoad, "script", staticmethod(script))


def test_a_backend_that_does_not_start_keeps_the_trials_before(stage: Stage) -> None:
    stage.runtime.before_start = refuses(2)
    finished = stage.run("--repeat", "4")
    assert finished.code == 1
    assert "error: alpha/v: never got ready\nhint: read its log" in finished.stderr
    _kept(stage, finished, trials=2)


def test_a_backend_that_never_starts_leaves_no_report(stage: Stage) -> None:
    stage.runtime.before_start = refuses(0)
    finished = stage.run()
    assert finished.code == 1
    assert "error: alpha/v: never got ready" in finished.stderr
    folder = stage.only_run()
    assert not folder.report.exists()
    again = stage.bench("report", str(folder.path))
    assert again.code == 2
    assert "has no finished trial" in again.stderr


def test_a_backend_that_answers_wrongly_is_refused_before_the_load(stage: Stage) -> None:
    stage.write_preloader(REFUSED_PRELOAD)
    finished = stage.run()
    assert finished.code == 1
    assert "error: alpha/v: did not take the scenario's objects" in finished.stderr
    assert "object-00000007: read back, expected 1 KiB, got 3" in finished.stderr
    assert stage.loads == []
    assert [server.stops for server in stage.runtime.servers] == [1]


def test_wrong_answers_under_load_are_invalid(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant(monkeypatch, trial=0, act=lambda load: setattr(load, "wrong", 5))
    finished = stage.run("--repeat", "2")
    assert finished.code == 3
    assert "1 of 2 trials are INVALID" in finished.stderr
    assert _reasons(stage, 0)["backend-wrong"].who == "alpha/v"
    assert "5 requests wrongly" in _reasons(stage, 0)["backend-wrong"].text
    assert _reasons(stage, 1) == {}
    assert "report: " in finished.stderr, "what was measured is shown all the same"


@pytest.mark.parametrize("kind", ["backend-died", "runtime-lost"])
def test_a_server_that_ends_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def end(load: FakeLoad) -> None:
        server = stage.runtime.servers[-1]
        ending = Ending(kind, "was ended by signal 9")
        stage.clock.after_s(5, lambda: setattr(server, "ending", ending))

    _plant(monkeypatch, trial=1, act=end)
    finished = stage.run("--repeat", "3")
    assert finished.code == 3
    reason = _reasons(stage, 1)[kind]
    assert reason.status is Status.INVALID
    assert reason.who == "alpha/v"
    assert "signal 9" in reason.text
    assert f"INVALID {kind}: alpha/v was ended by signal 9" in finished.stderr
    assert _reasons(stage, 0) == _reasons(stage, 2) == {}


def test_an_engine_that_ends_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, trial=0, act=lambda load: load.die(load.measure_ns, -9))
    finished = stage.run("--repeat", "2")
    assert finished.code == 3
    assert "the engine was ended by signal 9" in _reasons(stage, 0)["engine-died"].text
    assert _reasons(stage, 1) == {}


def test_a_locust_worker_that_ends_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill_worker(load: FakeLoad) -> None:
        load.die(load.end_ns, 0)
        stage.clock.after_s(4, lambda: setattr(load.workers[0], "status", -9))

    _plant(monkeypatch, trial=0, act=kill_worker)
    assert stage.run().code == 3
    reason = _reasons(stage, 0)["engine-died"]
    assert "Locust's worker was ended by signal 9" in reason.text


def test_an_engine_that_refuses_its_plan_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(load: FakeLoad) -> None:
        load._due.clear()
        event = {"where": "connections", "what": "too many", "expected": "at most 9", "found": "10"}
        load.at(stage.clock.now_ns, {"event": "error", **event, "hint": "ask for fewer"})

    _plant(monkeypatch, trial=0, act=refuse)
    assert stage.run().code == 3
    text = _reasons(stage, 0)["engine-died"].text
    assert "connections: too many, expected at most 9, got 10" in text


def test_an_engine_that_never_ends_is_given_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(load: FakeLoad) -> None:
        load._due = [(at_ns, event) for at_ns, event in load._due if at_ns < load.end_ns]

    _plant(monkeypatch, trial=0, act=hang)
    assert stage.run().code == 3
    assert "never said that it was done" in _reasons(stage, 0)["engine-died"].text


def test_ctrl_c_keeps_finished_trials(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    _plant(monkeypatch, trial=2, act=lambda load: stage.clock.after_s(5, interrupt))
    finished = stage.run("--repeat", "4")
    assert finished.code == 130
    assert "stopped" in finished.stderr
    assert "Traceback" not in finished.stderr
    _kept(stage, finished, trials=2)


def test_a_full_disk_exits_4_and_keeps_finished_trials(stage: Stage) -> None:
    def fill(number: int, launch: Launch) -> None:
        if number == 1:  # what this trial writes last meets a device without space
            (launch.log.parent / f".trial.json.{os.getpid()}").symlink_to("/dev/full")

    stage.runtime.before_start = fill
    finished = stage.run("--repeat", "3")
    assert finished.code == 4
    assert "trials/1/trial.json: cannot be written: No space left on device" in finished.stderr
    assert "hint: free some space; finished trials are kept" in finished.stderr
    _kept(stage, finished, trials=1)


def test_a_disk_that_is_full_for_everything_still_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise EnvironmentLacking(
            str(path), "cannot be written: No space left on device", hint="free some space"
        )

    def fill(number: int, launch: Launch) -> None:
        if number == 1:
            for module in ("run_folder", "tables"):
                monkeypatch.setattr(f"harness.store.{module}.write_atomically", full)

    stage.runtime.before_start = fill
    finished = stage.run("--repeat", "3")
    assert finished.code == 4
    assert "No space left on device" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert len(stage.only_run().trials()) == 1
    assert all(server.stops == 1 for server in stage.runtime.servers)


def test_an_output_folder_that_cannot_be_made_exits_4(stage: Stage) -> None:
    (stage.root / "results").write_text("a file stands where the folder should be")
    finished = stage.run("--output", str(stage.root / "results" / "inner"))
    assert finished.code == 4
    assert "cannot be written: Not a directory" in finished.stderr


def test_a_build_that_fails_leaves_no_folder(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise BuildFailed("backend alpha", "`make build` ended with exit status 2", hint="the log")

    monkeypatch.setattr(stage.runtime, "build", fail)
    finished = stage.run()
    assert finished.code == 1
    assert "error: backend alpha: `make build` ended with exit status 2" in finished.stderr
    assert not stage.results.exists()


def test_two_measurements_at_a_time_are_refused(stage: Stage) -> None:
    with journal.only_one(stage.root / "run"):
        finished = stage.run()
    assert finished.code == 4
    assert f"another measurement is running (pid {os.getpid()})" in finished.stderr
    assert stage.runtime.built == []


def test_the_journal_is_empty_after_a_failure(stage: Stage) -> None:
    stage.runtime.before_start = refuses(1)
    stage.run("--repeat", "2")
    assert list((stage.root / "run").glob("journal-*")) == []


def _reading(*, passed: bool, disturbed: bool) -> Reading:
    return Reading(
        name=calibration.SHORT.name,
        passed=passed,
        disturbed=["somebody else's work"] if disturbed else [],
        expected_ns=10_000_000,
        found_ns=10_000_000 if passed else 19_000_000,
        error_ns=0 if passed else 9_000_000,
        rho=0.1,
        text="P99 was read",
    )


@pytest.mark.parametrize(
    ("readings", "code", "tries"),
    [
        ([(True, False)], 0, 1),
        ([(False, True), (False, True), (True, False)], 0, 3),
        ([(False, False), (True, False), (True, False)], 0, 3),
        ([(False, False), (True, False), (False, False)], 3, 3),
        (
            [(False, True)] * (calibration.SHORT_TRIES * calibration.TRIES_MAX),
            3,
            calibration.SHORT_TRIES * calibration.TRIES_MAX,
        ),
    ],
)
def test_a_failed_calibration_makes_every_trial_invalid(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    readings: list[tuple[bool, bool]],
    code: int,
    tries: int,
) -> None:
    waiting = [_reading(passed=passed, disturbed=disturbed) for passed, disturbed in readings]
    tried: list[Path] = []

    def try_case(case: Case, *, folder: Path, **_: object) -> Reading:
        tried.append(folder)
        return waiting[len(tried) - 1]

    monkeypatch.setattr(calibration, "try_case", try_case)
    finished = stage.run("--repeat", "2", calibrate=True)
    assert finished.code == code, finished.stderr
    assert len(set(tried)) == tries
    document = stage.only_run().document("calibration")
    assert [reading["passed"] for reading in document["readings"]] == [code == 0]
    for number in range(2):
        assert ("calibration-failed" in _reasons(stage, number)) == (code != 0)


def test_a_lost_daemon_between_trials_exits_4(stage: Stage) -> None:
    def lose(number: int, launch: Launch) -> None:
        if number == 1:
            raise EnvironmentLacking("docker", "the daemon went away", hint="`bench doctor --fix`")

    stage.runtime.before_start = lose
    finished = stage.run("--repeat", "2")
    assert finished.code == 4
    assert "error: docker: the daemon went away" in finished.stderr
    _kept(stage, finished, trials=1)
