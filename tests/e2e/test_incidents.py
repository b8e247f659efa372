"""What dies in the middle of a trial is named in its verdict, and nothing is left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from harness.model.verdict import Reason, Status
from harness.system import process_table
from tests.e2e.conftest import Bench, until

pytestmark = pytest.mark.e2e
BRIEF = ["--rps", "500", "--duration", "8s", "--warmup", "1s", "--no-calibrate"]
AS_PROCESS = ["run", "--backend", "c", "--runtime", "process", "--tune", "off", *BRIEF]
IN_CONTAINER = ["run", "--backend", "c", "--runtime", "docker", *BRIEF]


def _invalid(one: Bench, kind: str) -> Reason:
    """The run ended by itself with INVALID for this reason, and left nothing."""
    assert one.end() == 3, one.stderr
    reason = one.reasons()[kind]
    assert reason.status is Status.INVALID
    assert f"INVALID {kind}: " in one.stderr
    assert one.run_folder.report.is_file()
    one.leaves_nothing()
    return reason


@pytest.mark.parametrize("asked", [AS_PROCESS, IN_CONTAINER], ids=["process", "docker"])
def test_a_killed_backend_is_named(bench: Callable[..., Bench], asked: list[str]) -> None:
    one = bench(*asked, "--probes", "off")
    one.wait_for_load()
    one.kill("pausemark-c ", "--port")
    reason = _invalid(one, "backend-died")
    assert reason.who == "c/epoll"
    assert "signal 9" in reason.text


def test_a_killed_engine_is_named(bench: Callable[..., Bench]) -> None:
    one = bench(*AS_PROCESS, "--probes", "off")
    one.wait_for_load()
    one.kill("pausemark-engine", "run")
    reason = _invalid(one, "engine-died")
    assert "the engine was ended by signal 9" in reason.text


def test_a_killed_locust_worker_is_named_and_its_engine_ends(bench: Callable[..., Bench]) -> None:
    one = bench(*AS_PROCESS, "--probes", "off")
    one.wait_for_load()
    (engine,) = one.processes("pausemark-engine", "run")
    one.kill("locust", "--worker")
    until("the engine's end", lambda: not process_table.lives(engine), 5)
    reason = _invalid(one, "engine-died")
    assert "Locust's worker was ended by signal 9" in reason.text


def test_a_killed_probe_is_named_and_runs_again_in_the_next_trial(
    bench: Callable[..., Bench],
) -> None:
    one = bench(*AS_PROCESS, "--repeat", "2", "--duration", "5s")
    one.wait_for_load()
    one.kill("ebpf/platform/platform.py")
    assert one.end() in {0, 3}, one.stderr
    reason = one.reasons(0)["probe-died"]
    assert reason.status is Status.DEGRADED
    assert reason.who == "probe platform"
    assert "signal 9" in reason.text
    first, second = one.trials()
    assert first.load is not None
    assert first.load.good == first.load.offered, "the load went on"
    assert first.latency is not None
    assert first.latency.clean.response is None
    assert "probe-died" not in one.reasons(1)
    assert {r.name: r.state for r in second.probes}["platform"] == "measured"
    one.leaves_nothing()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_keeps_finished_trials(
    bench: Callable[..., Bench], number: signal.Signals
) -> None:
    probes = "auto" if number is signal.SIGINT else "off"
    one = bench(*IN_CONTAINER, "--repeat", "2", "--duration", "4s", "--probes", probes)
    one.wait_for_load(trial=1)
    assert one.containers() != []
    one.process.send_signal(number)
    assert one.end() == 130, one.stderr
    assert "1 finished trial is kept in" in one.stderr
    assert len(one.trials()) == 1
    assert one.run_folder.report.is_file()
    one.leaves_nothing()


def test_what_a_killed_harness_leaves_is_undone_by_the_next_command(
    bench: Callable[..., Bench],
) -> None:
    one = bench(*IN_CONTAINER)
    one.wait_for_load()
    tuned = one.run_folder.document("environment")["tuning"]
    (backend,) = one.processes("pausemark-c ", "--port")
    os.kill(one.process.pid, signal.SIGKILL)
    one.process.wait()
    until("its children to die with it", lambda: one.processes() in ([backend], []), 10)
    assert one.containers() != [], "a container outlives its owner: that is what is tested"
    if any(line["state"] == "applied" and line["before"] for line in tuned):
        assert one.settings_not_put_back() != []
    following = bench("env")
    assert following.end() == 0, following.stderr
    assert "left by a run that was killed: " in following.stderr
    assert not process_table.lives(backend)
    one.leaves_nothing()
    third = bench("env")
    assert third.end() == 0
    assert third.stderr == "", "everything was undone once"
