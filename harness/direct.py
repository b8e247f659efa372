"""`bench load`: a server that already runs, driven at a fixed rate; no build and no probes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import __version__
from harness.drivers import engine
from harness.drivers.load import Target
from harness.drivers.runtime import Ending, Usage
from harness.errors import EnvironmentLacking
from harness.model.manifest import (
    BackendManifest,
    Build,
    Objects,
    Operation,
    Run,
    Scenario,
    Variant,
)
from harness.model.plan import Plan, RatePart, Request, Subject
from harness.model.trial import TrialData
from harness.stages import collect, judge, measure
from harness.stages.plan import make_plan
from harness.store import run_folder
from harness.store.records import read_recording
from harness.store.run_folder import TrialFolder
from harness.system import clock, environment, machine
from harness.system.journal import owned_machine
from harness.system.network import connects
from harness.system.tuning import tuned_machine

MANIFEST = BackendManifest(
    schema=1,
    name="target",
    title="a server that was already running",
    language="unknown",
    license="unknown",
    collector="unknown",
    build=Build(artifact=""),
    run=Run(command=[]),
    variants=[Variant("running", "as it runs", ["idiomatic"], ["h1"], default=True)],
)


class RunningServer:
    """Somebody else's server: nothing of it can be read or stopped from here."""

    def pids(self) -> list[int]:
        """Unknown."""
        return []

    def binary_path(self) -> Path:
        """Unknown."""
        return Path("/nonexistent")

    def usage(self) -> Usage:
        """Not measured."""
        return Usage(None, None, None, None, None)

    def alive(self) -> Ending | None:
        """The engine's errors tell."""
        return None

    def stop(self) -> None:
        """It is not ours to stop."""


class Load(msgspec.Struct, frozen=True):
    """What `bench load` asks of the engine."""

    rate_rps: float
    parts: list[RatePart]
    duration_s: float
    warmup_s: float
    connections: int
    grain_ns: int
    pace: str
    engine_threads: int


def _request(load: Load, *, tune: str) -> Request:
    return Request(
        subjects=[Subject("target", "running")],
        scenario=Scenario(
            schema=1,
            name="path",
            title="GET of one path",
            objects=Objects("none", count=1, key="{index}", size_bytes=1),
            operations=[Operation("get", 1, 200)],
        ),
        **msgspec.structs.asdict(load),
        repeat=1,
        seed=1,
        threads=1,
        protocol="h1",
        pipeline=1,
        arrivals="uniform",
        timeout_ns=10_000_000_000,
        runtime="process",
        layout="shared",  # nobody knows on which cores the server runs
        tune=tune,
        probes="off",
        address="127.0.0.1",
        memory_limit_bytes=0,
        calibrate=False,
    )


def drive(
    target: Target,
    *,
    root: Path,
    results: Path,
    load: Load,
    tune: str,
    say: Callable[[str], None],
) -> TrialData:
    """Measures one trial against the target and keeps its records under `results`."""
    if not connects(target.address, target.port):
        raise EnvironmentLacking(
            "--target",
            f"nobody listens on {target.address}:{target.port}",
            hint="start the server first, or build and run a backend with `bench run`",
        )
    request = _request(load, tune=tune)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(owned_machine("bench load"))
        engine.build(root, root / "build", say)
        plan = make_plan(
            request,
            cpus=environment.usable_cpus(),
            created_utc=clock.utc_now(),
            version=__version__,
        )
        stack.enter_context(machine.quiet_harness(plan.layout.engine_cpus))
        stack.enter_context(tuned_machine(journal, apply=tune == "auto"))
        return _measure(plan, target, root, results)


def _measure(plan: Plan, target: Target, root: Path, results: Path) -> TrialData:
    folder = run_folder.scratch(results, "load", stamp=clock.utc_stamp())
    (folder / "probes").mkdir()
    trial = measure.Trial(
        plan=plan,
        spec=plan.trials[0],
        manifest=MANIFEST,
        server=RunningServer(),
        target=target,
        folder=TrialFolder(folder),
        instruments=measure.Instruments(
            engine=root / "build" / "loadgen" / "pausemark-engine",
            locustfile=root / "loadgen" / "locust" / "locustfile.py",
            probes=[],
            probes_absent=[],
            calibration_passed=None,
            calibration_text="",
        ),
    )
    trial.run()
    return collect.collect(read_recording(folder), judge.judge).data
