"""The main job with everything real: four backends, their load, their probes, the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.drivers.manifests import find_backends
from harness.model.trial import TrialData
from harness.store.records import read_requests
from harness.system import environment
from tests.e2e.conftest import ROOT, Bench

pytestmark = pytest.mark.e2e
RATE_RPS = 500
DURATION_S = 6
ASKED = ["run", "--rps", str(RATE_RPS), "--duration", f"{DURATION_S}s", "--warmup", "2s"]
BACKENDS = sorted(find_backends([ROOT / "backends"]))
# Two shared cores are no laboratory: these say what the machine did, not what the backend did.
OF_THE_MACHINE = {"steal-backend", "steal-engine", "core-shared", "generator-lag",
                  "generator-stalled", "generator-runqueue", "platform-hiccups",
                  "schedule-nonconforming",  # sends that were late; `schedule-slots` is not here
                  "calibration-failed", "probe-dropped"}  # fmt: skip


def _sound(trial: TrialData) -> None:
    """Measured to the end, every request answered well; the machine alone may be blamed."""
    subject = trial.spec.subject.name
    assert {reason.id for reason in trial.verdict.reasons} <= OF_THE_MACHINE, trial.verdict
    load = trial.load
    assert load is not None
    assert load.offered == RATE_RPS * DURATION_S, subject
    assert load.good == load.offered, subject
    assert load.errors == {}, subject
    assert load.records_dropped == load.unfinished == 0, subject
    assert trial.latency is not None
    assert trial.latency.response.count == load.offered
    assert trial.latency.response.p50 is not None
    assert trial.latency.response.p50 >= (trial.latency.service.p50 or 0)
    assert trial.resources is not None
    assert trial.resources.backend_cpu_ns > 0
    assert trial.resources.engine_cpu_ns > 0
    assert (trial.resources.memory_peak_bytes or 0) > 1 << 20


def _probed(trial: TrialData) -> None:
    """Every probe of this collector measured; stops for Go, "no GC" for the others."""
    of_trial = {report.name: report for report in trial.probes}
    expected = {path.parent.name for path in (ROOT / "ebpf").glob("*/probe.toml")}
    if trial.spec.subject.backend != "go":
        expected -= {"gc"}
    states = {name: of_trial[name].state for name in expected}
    assert states == dict.fromkeys(expected, "measured"), trial.probes
    assert trial.pauses is not None
    assert trial.server_time is not None
    # The probe's seconds are its own: those at the edges of the measured part are left out.
    assert trial.server_time.count >= (DURATION_S - 1.5) * RATE_RPS
    assert trial.latency is not None
    assert trial.latency.clean.share_touched is not None
    assert trial.collector is not None
    if trial.spec.subject.backend == "go":
        assert trial.collector.kind == "go"
        assert trial.collector.stop_the_world is not None
        assert trial.collector.mark_share is not None
    else:
        assert trial.collector.kind == "none"
        assert trial.collector.stop_the_world is None


def _records(one: Bench) -> None:
    """requests.bin holds every request of the measured part, once."""
    for folder in one.run_folder.trials():
        requests = read_requests(folder.records)
        assert requests.truncated == ""
        measured = requests.flags & 2 == 0
        assert int(measured.sum()) == RATE_RPS * DURATION_S
        assert (requests.last_byte_ns[measured] > requests.intended_ns[measured]).all()


@pytest.mark.timeout(1500)  # the images of four backends may have to be built first
def test_four_backends_in_containers(bench: Callable[..., Bench]) -> None:
    one = bench(*ASKED, "--runtime", "docker", "--probes", "require", "--set", "go.gogc=20")
    code = one.end()
    assert code in {0, 3}, one.stderr
    trials = one.trials()
    assert sorted(trial.spec.subject.backend for trial in trials) == BACKENDS
    assert len(BACKENDS) >= 4
    for trial in trials:
        _sound(trial)
        _probed(trial)
    answer, _, rest = one.stdout.partition("\noperations")
    operations, _, options = rest.partition("\noptions")
    assert all(f" {verb} " in operations for verb in ("get", "put"))
    rows = [line for line in answer.splitlines() if any(f"{b}/" in line for b in BACKENDS)]
    assert len(rows) == len(BACKENDS), one.stdout
    assert "durability ram" in options
    assert all(any(word in row for word in ("VALID", "DEGRADED", "INVALID")) for row in rows)
    assert [("no GC" in row) for row in rows] == [(" go/" not in row) for row in rows]
    assert "calibrate: " in one.stderr
    assert len(one.run_folder.document("calibration")["readings"]) == 1
    machine = one.run_folder.document("environment")
    assert machine["runtime"]["name"] == "docker"
    assert machine["machine"]["cores"] == str(len(environment.usable_cpus()))
    _records(one)
    _report_stands_alone(one.run_folder.report)
    one.leaves_nothing()
    _made_again(bench, one)


def _report_stands_alone(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    for backend in BACKENDS:
        assert f"{backend}/" in text
    assert "no GC" in text
    for outside in ('src="http', 'href="http', "url(http", "@import"):
        assert outside not in text, outside


def _made_again(bench: Callable[..., Bench], one: Bench) -> None:
    """`bench report` reads the same folder; `bench compare` cannot tell from one block."""
    again = bench("report", str(one.run_folder.path))
    assert again.end() == 0, again.stderr
    assert again.stdout == one.stdout
    compared = bench("compare", str(one.run_folder.path))
    assert compared.end() == 0, compared.stderr
    assert "cannot tell" in compared.stdout


def test_two_backends_as_processes(bench: Callable[..., Bench]) -> None:
    one = bench(
        *[*ASKED, "--runtime", "process", "--backend", "c,go", "--json"],
        *["--tune", "off", "--no-calibrate", "--set", "go.gogc=20"],
    )
    assert one.end() in {0, 3}, one.stderr
    document = json.loads(one.stdout)
    assert [row["name"] for row in document["subjects"]] == ["c/epoll", "go/nethttp[gogc=20]"]
    trials = one.trials()
    for trial in trials:
        _sound(trial)
        _probed(trial)
    (go,) = (trial for trial in trials if trial.spec.subject.backend == "go")
    assert go.collector is not None
    assert go.collector.stop_the_world is not None
    assert go.collector.stop_the_world.count > 0, "GOGC=20 under load collects"
    assert go.collector.cycles is not None
    assert go.collector.cycles > 0
    assert {line["state"] for line in one.run_folder.document("environment")["tuning"]} <= {
        *("off", "already", "absent", "refused")
    }
    _records(one)
    one.leaves_nothing()
