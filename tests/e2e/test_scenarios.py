"""The shipped scenarios, each for a moment against a real backend: no answer is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.drivers import manifests
from harness.model.manifest import Scenario
from harness.stats import workload
from tests.e2e.conftest import ROOT, Bench

pytestmark = pytest.mark.e2e
# What is preloaded in seconds; the larger ones differ from these in numbers alone.
STORED_BYTES_MAX = 1 << 30
OBJECTS_MAX = 200_000
SECONDS = 4


def _rate_rps(scenario: Scenario) -> int:
    """Few bytes a second: this asks whether answers are right, on a machine that may be busy."""
    return 60 if workload.mean_bytes(scenario.objects) < 1 << 20 else 5


def _scenarios() -> list[Scenario]:
    folder = ROOT / "loadgen" / "scenarios"
    found = [manifests.read_scenario(path) for path in manifests.find_scenarios(folder).values()]
    return [
        scenario
        for scenario in found
        if workload.stored_bytes_most(scenario) <= STORED_BYTES_MAX
        and scenario.objects.count <= OBJECTS_MAX
    ]


@pytest.mark.parametrize("scenario", _scenarios(), ids=lambda scenario: scenario.name)
def test_a_shipped_scenario_gets_no_wrong_answer(
    bench: Callable[..., Bench], scenario: Scenario
) -> None:
    rate_rps = _rate_rps(scenario)
    one = bench(
        *["run", "--backend", "c/epoll", "--scenario", scenario.name],
        *["--runtime", "process", "--connections", "16"],
        *["--rps", str(rate_rps), "--duration", f"{SECONDS}s", "--warmup", "0.5s"],
        *["--probes", "off", "--tune", "off", "--no-calibrate"],
    )
    code = one.end()
    assert code in {0, 3}, one.stderr  # a busy machine may make a trial INVALID
    (trial,) = one.trials()
    assert trial.load is not None
    assert trial.load.errors == {}, one.stderr
    assert trial.load.good == trial.load.offered == rate_rps * SECONDS
    assert set(trial.operations) <= {operation.name for operation in scenario.operations}
    assert sum(found.count for found in trial.operations.values()) == rate_rps * SECONDS
    several = len(scenario.operations) > 1
    report = one.run_folder.report.read_text(encoding="utf-8")
    told = "How did each operation fare?" in report
    assert told == ("\noperations" in one.stdout) == several
    one.leaves_nothing()
