"""A run through real Locust processes on the real clock, with an engine that sends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.drivers import load
from harness.drivers.load import Load
from harness.model.verdict import Status
from harness.system import clock as real_clock
from tests.pipeline import fake_engine
from tests.pipeline.conftest import Finished, Stage

ROOT = Path(__file__).resolve().parents[2]
# The clock fixture replaces these in their modules; this module was imported before that.
MONOTONIC_NS, SLEEP_S = real_clock.monotonic_ns, real_clock.sleep_s


@pytest.fixture
def real(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The stage with real Locust processes and the real clock."""
    monkeypatch.setattr(load, "Load", Load)
    for module in (real_clock, load):
        monkeypatch.setattr(module, "monotonic_ns", MONOTONIC_NS)
        monkeypatch.setattr(module, "sleep_s", SLEEP_S)
    locust = stage.root / "loadgen" / "locust"
    locust.symlink_to(ROOT / "loadgen" / "locust")
    stage.write_preloader(fake_engine.program(killed_in_trial="1"))
    return stage


def _run(real: Stage, *more: str) -> Finished:
    return real.run("--repeat", "2", "--duration", "2s", "--warmup", "0", "--rps", "50", *more)


def test_locust_carries_the_engines_events_and_names_its_death(real: Stage) -> None:
    finished = _run(real)
    first, second = (trial.read_data() for trial in real.only_run().trials())
    assert first.load is not None
    assert first.load.offered == first.load.good == 100
    assert not any(reason.id == "engine-died" for reason in first.verdict.reasons), first.verdict
    assert finished.code == 3
    assert second.verdict.status is Status.INVALID
    assert second.verdict.reasons[0].id == "engine-died"
    assert "the engine was ended by signal 9" in second.verdict.reasons[0].text


def test_of_two_workers_one_is_lost_by_name_and_the_other_goes_on(real: Stage) -> None:
    finished = _run(real, "--workers", "2")
    first, second = (trial.read_data() for trial in real.only_run().trials())
    assert first.load is not None
    assert first.load.offered == first.load.good == 100
    assert first.load.workers_lost == []
    assert first.latency is not None
    assert first.latency.response.count == 100, "the records of both were read"
    assert finished.code == 3
    assert second.load is not None
    (lost,) = second.load.workers_lost
    assert (lost.name, lost.planned, lost.completed) == ("here-2", 50, 0)
    assert "status -9" in lost.why
    assert (second.load.offered, second.load.good) == (100, 50)
    reasons = {reason.id: reason for reason in second.verdict.reasons}
    assert reasons["worker-lost"].who == "worker here-2"
    assert reasons["worker-lost"].value == 0.5
    assert "engine-died" not in reasons
    assert "rate-missed" not in reasons
