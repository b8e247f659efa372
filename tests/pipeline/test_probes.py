"""Probes of a run: measured, absent with a reason, dead and started anew; real processes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from harness.drivers import probe, probes
from harness.model.trial import ProbeReport
from harness.model.verdict import Status
from tests.pipeline.conftest import Stage

MANIFEST = """
schema = 1
name = "{name}"
title = "{name}, a fake"
hooks = []
collector = "{collector}"
"""


@pytest.fixture(autouse=True)
def _as_if_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "cannot", lambda: "")
    monkeypatch.setattr(probe, "INTERPRETER", sys.executable)


def _install(stage: Stage, name: str, collector: str = "") -> None:
    folder = stage.root / "ebpf" / name
    folder.mkdir()
    (folder / "probe.toml").write_text(MANIFEST.format(name=name, collector=collector))
    shutil.copy(Path(__file__).with_name("fake_probe.py"), folder / f"{name}.py")


def _report(stage: Stage, trial: int, name: str) -> ProbeReport:
    found = stage.only_run().trials()[trial].read_data().probes
    return next(report for report in found if report.name == name)


def test_a_probe_serves_every_trial(stage: Stage) -> None:
    _install(stage, "well")
    assert stage.run("--probes", "auto", "--repeat", "2").code == 0
    for trial in range(2):
        report = _report(stage, trial, "well")
        assert report.state == "measured"
        assert report.records == {"windows": trial + 1}, "one process for the whole run"
        assert report.bpf_run_ns == 500


def test_probes_off_starts_none_and_says_so(stage: Stage) -> None:
    _install(stage, "well")
    assert stage.run("--probes", "off").code == 0
    report = _report(stage, 0, "well")
    assert (report.state, report.reason) == ("off", "--probes off")


def test_an_absent_probe_is_not_measured_and_not_zero(stage: Stage) -> None:
    _install(stage, "absent")
    finished = stage.run("--probes", "auto")
    assert finished.code == 0
    report = _report(stage, 0, "absent")
    assert (report.state, report.reason) == ("unavailable", "this kernel has no such hook")
    data = stage.only_run().trials()[0].read_data()
    assert data.pauses is None
    assert data.platform is None or data.platform.windows is None


def test_a_required_probe_that_is_absent_ends_the_run(stage: Stage) -> None:
    _install(stage, "absent")
    finished = stage.run("--probes", "require")
    assert finished.code == 1
    assert "error: --probes require: absent: this kernel has no such hook" in finished.stderr
    assert "hint: " in finished.stderr


def test_a_machine_that_cannot_probe_says_why(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(stage, "well")
    monkeypatch.setattr(probes, "cannot", lambda: "BPF needs root")
    assert stage.run("--probes", "auto").code == 0
    assert _report(stage, 0, "well").reason == "BPF needs root"


def test_a_probe_that_dies_is_named_and_started_anew(stage: Stage) -> None:
    _install(stage, "well")
    _install(stage, "mortal")
    finished = stage.run("--probes", "auto", "--repeat", "2")
    assert finished.code == 0, finished.stderr
    first, second = (trial.read_data() for trial in stage.only_run().trials())
    assert first.verdict.status is Status.DEGRADED
    (reason,) = first.verdict.reasons
    assert (reason.id, reason.who) == ("probe-died", "probe mortal")
    assert "signal 9" in reason.text
    assert second.verdict.status is Status.VALID
    assert _report(stage, 0, "well").state == "measured"
    assert _report(stage, 1, "mortal").state == "measured"


def test_a_probe_of_another_collector_is_left_out(stage: Stage) -> None:
    _install(stage, "gc", collector="go")
    assert stage.run("--probes", "auto").code == 0
    data = stage.only_run().trials()[0].read_data()
    assert [report for report in data.probes if report.state == "measured"] == []
    assert data.collector is not None
    assert data.collector.kind == "none"
