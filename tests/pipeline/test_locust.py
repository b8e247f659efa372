"""A run through real Locust processes on the real clock, with an engine that sends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.drivers import load
from harness.drivers.load import Load
from harness.model.verdict import Status
from harness.system import clock as real_clock
from tests.pipeline import fake_engine
from tests.pipeline.conftest import Stage

ROOT = Path(__file__).resolve().parents[2]
# The clock fixture replaces these in their modules; this module was imported before that.
MONOTONIC_NS, SLEEP_S = real_clock.monotonic_ns, real_clock.sleep_s


def test_locust_carries_the_engines_events_and_names_its_death(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "Load", Load)
    for module in (real_clock, load):
        monkeypatch.setattr(module, "monotonic_ns", MONOTONIC_NS)
        monkeypatch.setattr(module, "sleep_s", SLEEP_S)
    locust = stage.root / "loadgen" / "locust"
    locust.symlink_to(ROOT / "loadgen" / "locust")
    stage.write_preloader(fake_engine.program(killed_in_trial="1"))
    finished = stage.run("--repeat", "2", "--duration", "2s", "--warmup", "0", "--rps", "50")
    first, second = (trial.read_data() for trial in stage.only_run().trials())
    assert first.load is not None
    assert first.load.offered == first.load.good == 100
    assert not any(reason.id == "engine-died" for reason in first.verdict.reasons), first.verdict
    assert finished.code == 3
    assert second.verdict.status is Status.INVALID
    assert second.verdict.reasons[0].id == "engine-died"
    assert "the engine was ended by signal 9" in second.verdict.reasons[0].text
