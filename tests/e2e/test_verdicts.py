"""Disturbances that are provoked on purpose are found, named and sized."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import calibrating, calibration
from harness.drivers import engine
from harness.model.verdict import Status
from harness.paths import Paths
from harness.stages.plan import lay_out
from harness.system import environment
from tests.e2e.conftest import ROOT, Bench, require_root

pytestmark = pytest.mark.e2e
BRIEF = ["--duration", "6s", "--warmup", "1s", "--no-calibrate", "--tune", "off"]
AS_PROCESS = ["run", "--backend", "c", "--runtime", "process", *BRIEF]
# Turns for 10 ms and sleeps for 20 on the CPU that it is given, under a name of its own.
HOG = """
import os, sys, time
open("/proc/self/comm", "w").write("corehog")
os.sched_setaffinity(0, {int(sys.argv[1])})
print("begun", flush=True)
while True:
    until = time.monotonic() + 0.01
    while time.monotonic() < until:
        pass
    time.sleep(0.02)
"""


@contextlib.contextmanager
def _hog(cpu: int) -> Iterator[int]:
    """A busy loop on one CPU."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOG, str(cpu)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_a_cpu_quota_is_named(bench: Callable[..., Bench], runtime: str) -> None:
    one = bench(
        *["run", "--backend", "c", "--runtime", runtime, "--rps", "6000", "--cpu-quota", "0.05"],
        *[*BRIEF, "--probes", "off"],
    )
    assert one.end() in {0, 3}, one.stderr
    reason = one.reasons()["quota-throttled"]
    assert reason.status is Status.DEGRADED
    assert reason.who == "the CPU quota of c/epoll"
    assert reason.value > 0.05
    (trial,) = one.trials()
    assert trial.resources is not None
    assert (trial.resources.throttled_ns or 0) > 100_000_000
    assert "quota-throttled: the CPU quota stopped c/epoll for " in one.stderr
    one.leaves_nothing()


def test_a_core_hog_is_named(bench: Callable[..., Bench]) -> None:
    require_root()
    cpu = lay_out("split", environment.usable_cpus()).backend_cpus[-1]
    with _hog(cpu):
        one = bench(*AS_PROCESS, "--rps", "1000")
        assert one.end() in {0, 3}, one.stderr
    reason = one.reasons()["core-shared"]
    assert "corehog " in reason.text, reason
    assert f"CPU {cpu}" in reason.text
    assert reason.value > 0.03
    assert one.trials()[0].platform is not None
    one.leaves_nothing()


def test_a_stopped_generator_is_invalid_and_named(tmp_path: Path) -> None:
    require_root()
    engine.build(ROOT, ROOT / "build", print)
    case = calibration.CASES[-1]
    assert case.stop_generator
    layout = lay_out("split", environment.usable_cpus())
    paths = Paths(root=ROOT, results=tmp_path, backend_roots=[])
    reading = calibrating.one_case(case, layout, paths, tmp_path, print)
    if reading.passed:
        assert reading.text.startswith("INVALID: the load generator ")
    else:  # a second with steal says nothing of the generator: then that is what is named
        assert any("the hypervisor took" in text for text in reading.disturbed), reading.text


def test_an_undisturbed_run_names_none_of_these(bench: Callable[..., Bench]) -> None:
    one = bench(*AS_PROCESS, "--rps", "500")
    assert one.end() in {0, 3}, one.stderr
    assert not {"quota-throttled", "backend-wrong", "errors", "rate-missed"} & {*one.reasons()}
    one.leaves_nothing()


def test_wrong_answers_are_invalid_and_name_the_backend(bench: Callable[..., Bench]) -> None:
    one = bench(
        *["run", "--backends-dir", str(ROOT / "tests" / "backends"), "--backend"],
        *["faulty/wrong-status", "--set", "faulty.after=12000", "--rps", "1000"],
        *["--runtime", "process", *BRIEF, "--probes", "off"],
    )
    assert one.end() == 3, one.stderr
    reason = one.reasons()["backend-wrong"]
    assert reason.status is Status.INVALID
    assert reason.who.startswith("faulty/wrong-status")
    one.leaves_nothing()


@pytest.mark.timeout(1500)
def test_a_planted_delay_is_worse_and_its_twin_is_not(bench: Callable[..., Bench]) -> None:
    """Eight blocks of the same program with and without 2 ms, each with its twin."""
    one = bench(
        *["run", "--backends-dir", str(ROOT / "tests" / "backends"), "--runtime", "process"],
        *["--backend", "delayed/prompt,delayed/late", "--twin", "--repeat", "8"],
        *["--rps", "200", "--duration", "2s", "--warmup", "0.5s", "--no-calibrate"],
    )
    assert one.end() in {0, 3}, one.stderr
    compared = bench("compare", str(one.run_folder.path), "--subject", "delayed/prompt", "--json")
    code = compared.end()
    document = json.loads(compared.stdout)
    pairs = {(pair["base"], pair["new"]): pair for pair in document["pairs"]}
    late = pairs["delayed/prompt", "delayed/late"]
    cells = {cell["metric"]: cell for cell in late["cells"]}
    assert cells["p50_observed"]["new"] - cells["p50_observed"]["base"] > 1_500_000
    cell = cells["p50_clean"]
    if cell["n"] == 8:
        assert (code, cell["word"], cell["regression"]) == (1, "worse", True)
    else:  # the machine spoiled a trial of two seconds: then the gate must not pretend to know
        assert (cell["word"], cell["regression"]) == ("cannot tell (needs n >= 8)", False)
    for pair in pairs.values():
        if pair["is_twin"]:
            clean = [cell for cell in pair["cells"] if cell["metric"] == "p50_clean"]
            assert all(cell["word"] != "worse" for cell in clean), pair
    one.leaves_nothing()
