"""`bench load`: a server that already runs, driven at a fixed rate; no build and no probes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness import __version__
from harness.drivers import engine, stores
from harness.drivers.load import Target, ask_engine, engine_plan
from harness.drivers.runtime import Ending, Usage
from harness.errors import EnvironmentLacking, LoadFailed, PausemarkError
from harness.model.direct import Asked
from harness.model.manifest import (
    BackendManifest,
    Build,
    Objects,
    Operation,
    Run,
    Scenario,
    Variant,
)
from harness.model.plan import Plan, Request, Subject
from harness.model.store import Store
from harness.model.trial import TrialData
from harness.stages import collect, judge, measure
from harness.stages.plan import make_plan
from harness.store import run_folder
from harness.store.records import read_recording
from harness.store.run_folder import TrialFolder
from harness.system import clock, environment, machine
from harness.system.journal import owned_machine
from harness.system.network import connects, resolve
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

_TAKEN = (
    "name another bucket in a copy of the scenario; or --into-existing, which overwrites and "
    "deletes objects of the scenario's keys, whoever put them there"
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


ONE_PATH = Scenario(
    schema=1,
    name="path",
    title="GET of one path",
    objects=Objects("none", count=1, key="{index}", size_bytes=1),
    operations=[Operation("get", 1, 200)],
)


def _request(asked: Asked) -> Request:
    return Request(
        subjects=[Subject("target", "running")],
        scenario=asked.scenario or ONE_PATH,
        rate_rps=asked.rate_rps,
        parts=asked.parts,
        pace=asked.pace,
        engine_threads=asked.engine_threads,
        duration_s=asked.duration_s,
        warmup_s=asked.warmup_s,
        repeat=1,
        seed=1,
        connections=asked.connections,
        threads=1,
        protocol=asked.protocol,
        pipeline=asked.pipeline,
        streams=asked.streams,
        arrivals="uniform",
        grain_ns=asked.grain_ns,
        timeout_ns=10_000_000_000,
        runtime="process",
        layout="shared",  # nobody knows on which cores the server runs
        tune=asked.tune,
        probes="off",
        address="127.0.0.1",
        memory_limit_bytes=0,
        calibrate=False,
    )


def drive(
    target: Target | Store,
    asked: Asked,
    *,
    root: Path,
    results: Path,
    say: Callable[[str], None],
) -> TrialData:
    """Measures one trial against the target and keeps its records under `results`.

    A store is got and started before, and is gone afterwards; so are the scenario's objects.
    """
    program = None
    if isinstance(target, Store):
        stores.require_features(target, asked.scenario or ONE_PATH)
        program = stores.obtain(target, say)
    else:
        target = _reachable(target)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(owned_machine("bench load"))
        engine.build(root, root / "build", say)
        plan = make_plan(
            _request(asked),
            cpus=environment.usable_cpus(),
            created_utc=clock.utc_now(),
            version=__version__,
        )
        folder = run_folder.scratch(results, "load", stamp=clock.utc_stamp())
        if isinstance(target, Store):
            if "delete" not in target.features:  # its data goes with it
                asked = msgspec.structs.replace(asked, keep_objects=True)
            target = stack.enter_context(_started(target, program, folder, asked.payload))
        if asked.scenario is not None:
            objects = _objects(plan, target, asked, root / "build" / "loadgen", say)
            stack.enter_context(objects)
        stack.enter_context(machine.quiet_harness(plan.layout.engine_cpus))
        stack.enter_context(tuned_machine(journal, apply=asked.tune == "auto"))
        return _measure(plan, target, root, folder)


def _reachable(target: Target) -> Target:
    address = resolve(target.address)
    if address is None or not connects(address, target.port):
        raise EnvironmentLacking(
            "--target",
            f"nobody listens on {target.address}:{target.port}",
            hint="start the server first, or build and run a backend with `bench run`",
        )
    return msgspec.structs.replace(target, address=address)


@contextlib.contextmanager
def _started(store: Store, program: Path | None, folder: Path, payload: str) -> Iterator[Target]:
    """The store, with its data in the folder until it ends."""
    data = (folder / "data").resolve()
    assert program is not None  # it was obtained before
    try:
        with stores.served(
            store, program, data=data, log=folder / "server.log", payload=payload
        ) as (target, signing):
            bucket = "make" if "bucket-create" in store.features else "none"
            yield msgspec.structs.replace(target, signing=signing, bucket=bucket)
    finally:
        run_folder.remove_data(data)


@contextlib.contextmanager
def _objects(
    plan: Plan, target: Target, asked: Asked, programs: Path, say: Callable[[str], None]
) -> Iterator[None]:
    """The scenario's bucket and objects, made before and deleted after the block.

    A bucket that is somebody else's is refused, or, when it was asked for, kept.
    """
    program = programs / "pausemark-engine"

    def ask(verb: str, bucket: str) -> dict[str, Any]:
        ruled = msgspec.structs.replace(target, bucket=bucket)
        wanted = engine_plan(plan, plan.trials[0], target=ruled, records=None)
        return ask_engine(program, verb, wanted, target.signing)

    made = target.bucket != "none" and not asked.into_existing
    if made:
        try:
            ask("bucket", "new")
        except LoadFailed as error:
            hint = error.hint if "there already" not in error.what else _TAKEN
            raise LoadFailed(error.where, error.what, hint=hint) from error

    def delete() -> None:
        ask("cleanup", "make" if made else "none")

    def delete_what_is_there() -> None:
        try:
            delete()
        except PausemarkError as error:  # what ended the block is told too, and decides
            bucket = plan.request.scenario.objects.bucket
            say(f"bucket {bucket}: its objects are not all deleted: {error}")

    with contextlib.ExitStack() as failed:
        if not asked.keep_objects:
            failed.callback(delete_what_is_there)
        say(f"preload {plan.request.scenario.title}")
        ask("preload", "none")
        yield
        failed.pop_all()
    if not asked.keep_objects:
        say("delete what was preloaded")
        delete()


def _measure(plan: Plan, target: Target, root: Path, folder: Path) -> TrialData:
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
