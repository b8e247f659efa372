"""The whole run on one screen: build, plan, tune, calibrate, measure, analyse, render."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from harness import __version__, calibrating
from harness.drivers import engine, manifests, runtimes
from harness.drivers.command import effective_options, protocol_note, verifies
from harness.drivers.load import ALONE, Target
from harness.drivers.locust import Crew
from harness.drivers.probes import ProbeRoom
from harness.drivers.runtime import Launch, Runtime, Server
from harness.drivers.stores import drawn
from harness.errors import PausemarkError
from harness.model.analysis import Second
from harness.model.known import Reading
from harness.model.manifest import BackendManifest
from harness.model.plan import Artifact, Plan, Request, TrialSpec
from harness.model.signing import Signing
from harness.model.trial import TrialData
from harness.model.view import ReportInputs
from harness.paths import Paths
from harness.stages import analyse, collect, judge, measure, render
from harness.stages.plan import lay_out, make_plan
from harness.store import run_folder, tables
from harness.store.records import read_recording
from harness.store.run_folder import RunFolder
from harness.system import clock, environment, machine
from harness.system.journal import owned_machine
from harness.system.ports import free_port
from harness.system.tuning import Tuned, tuned_machine

PIDS_LIMIT = 4096


class Observer(Protocol):
    """Who is told how it goes; the command line prints, tests listen."""

    def say(self, text: str) -> None:
        """A step begins, or something is worth knowing."""
        ...

    def trial_begins(self, plan: Plan, spec: TrialSpec) -> None:
        """For the progress display."""
        ...

    def trial_ends(self, plan: Plan, spec: TrialSpec, data: TrialData) -> None:
        """With its verdict."""
        ...


class Built(msgspec.Struct, frozen=True):
    """A subject's manifest and artifact."""

    manifest: BackendManifest
    artifact: Artifact


class Prepared(msgspec.Struct, frozen=True):
    """Everything is built, and the machine is ours and tuned, for one run or for many."""

    runtime: Runtime
    why: str  # this runtime
    built: dict[str, Built]  # by the subject's name
    tuned: list[Tuned]
    cpus: list[int]  # as they were before the harness confined itself to the engine's


class Session(msgspec.Struct, frozen=True):
    """What the trials of one run or of many share: instruments that were read, and who listens."""

    paths: Paths
    ready: Prepared
    readings: list[Reading]  # of the known-answer test; empty where none was asked for
    room: ProbeRoom
    observer: Observer
    crew: Crew = ALONE


def run(request: Request, paths: Paths, observer: Observer, crew: Crew = ALONE) -> RunFolder:
    """One run; finished trials survive whatever happens."""
    with prepared(request, paths, observer, command="bench run") as ready:
        plan = plan_of(request, ready)
        folder = begin(plan, paths.results, ready)
        readings = calibrating.before_a_run(plan, paths, folder.path, observer.say)
        rooms = paths.root / "ebpf"
        with ProbeRoom(rooms, plan=plan, log_folder=folder.path, say=observer.say) as room:
            finish(folder, Session(paths, ready, readings, room, observer, crew))
    return folder


@contextlib.contextmanager
def prepared(
    request: Request, paths: Paths, observer: Observer, *, command: str
) -> Iterator[Prepared]:
    """Builds, and tunes the machine; all of it is undone after the block."""
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(owned_machine(command))
        free_port(request.address)  # so that an address of another machine is told before all work
        engine.build(paths.root, paths.build, observer.say)
        runtime, why = runtimes.choose(request.runtime, build=paths.build, say=observer.say)
        observer.say(f"runtime: {runtime.name} ({why})")
        built = _build_all(request, paths, runtime, observer)
        cpus = environment.usable_cpus()
        stack.enter_context(machine.quiet_harness(lay_out(request.layout, cpus).engine_cpus))
        tuned = stack.enter_context(tuned_machine(journal, apply=request.tune == "auto"))
        yield Prepared(runtime, why, built, tuned, cpus)


def begin(plan: Plan, results: Path, ready: Prepared) -> RunFolder:
    """The folder of a run, with what is known before its first trial."""
    folder = run_folder.create(results, plan, stamp=clock.utc_stamp())
    artifacts = [ready.built[subject.name].artifact for subject in plan.request.subjects]
    folder.write_artifacts(list({artifact.digest: artifact for artifact in artifacts}.values()))
    found = environment.describe_all(
        cpus=len({*plan.layout.backend_cpus, *plan.layout.engine_cpus}),
        tuning=[msgspec.to_builtins(line) for line in ready.tuned],
        runtime=ready.runtime.name,
        reason=ready.why,
    )
    folder.write_document("environment", found)
    return folder


def finish(folder: RunFolder, session: Session) -> None:
    """Measures all of a run that has begun, and concludes it."""
    folder.write_document("calibration", {"readings": session.readings})
    try:
        _measure_all(folder, session)
    except BaseException:
        _keep_finished(folder, session.observer)
        raise
    conclude(folder)


def _keep_finished(folder: RunFolder, observer: Observer) -> None:
    """Report from the trials that were saved; what ended the run stays the error that is told."""
    count = len(folder.trials())
    if not count:
        return
    with contextlib.suppress(PausemarkError):
        conclude(folder)
    trials = "1 finished trial is" if count == 1 else f"{count} finished trials are"
    observer.say(f"{trials} kept in {folder.path}")


def _build_all(
    request: Request, paths: Paths, runtime: Runtime, observer: Observer
) -> dict[str, Built]:
    built: dict[str, Built] = {}
    by_folder: dict[Path, Built] = {}
    for subject in request.subjects:
        source = paths.backend(subject)
        if source not in by_folder:
            observer.say(f"build {subject.backend} {subject.label}".rstrip())
            manifest = manifests.read_backend(source)
            by_folder[source] = Built(manifest, runtime.build(manifest, source))
        built[subject.name] = by_folder[source]
    return built


def plan_of(request: Request, ready: Prepared) -> Plan:
    """The plan of a request whose subjects are built."""
    subjects = [
        msgspec.structs.replace(s, artifact_digest=ready.built[s.name].artifact.digest)
        for s in request.subjects
    ]
    return make_plan(
        msgspec.structs.replace(request, subjects=subjects),
        cpus=ready.cpus,
        created_utc=clock.utc_now(),
        version=__version__,
        options_effective={
            s.name: effective_options(ready.built[s.name].manifest, s, request.protocol_of(s))
            for s in subjects
        },
        protocol_notes=_protocol_notes(request, ready),
    )


def _protocol_notes(request: Request, ready: Prepared) -> dict[str, str]:
    notes = {
        s.name: protocol_note(ready.built[s.name].manifest, s, request.protocol_of(s))
        for s in request.subjects
    }
    return {name: note for name, note in notes.items() if note is not None}


def _measure_all(folder: RunFolder, session: Session) -> None:
    """Every trial of the plan, saved one by one."""
    failed = calibrating.failures(session.readings)
    plan = folder.plan()
    for spec in plan.trials:
        session.observer.trial_begins(plan, spec)
        instruments = measure.Instruments(
            engine=session.paths.programs / "pausemark-engine",
            locustfile=session.paths.locustfile,
            probes=session.room.ready(),
            probes_absent=session.room.absent(),
            calibration_passed=not failed if session.readings else None,
            calibration_text="; ".join(failed),
            crew=session.crew,
        )
        data = _measure_one(plan, spec, folder, session.ready, instruments)
        session.observer.trial_ends(plan, spec, data)


def _measure_one(
    plan: Plan,
    spec: TrialSpec,
    folder: RunFolder,
    ready: Prepared,
    instruments: measure.Instruments,
) -> TrialData:
    trial_folder = folder.new_trial(spec.index)
    built, port = ready.built[spec.subject.name], free_port(plan.request.address)
    signing = drawn(plan.request.payload) if verifies(spec.subject) else None
    log = trial_folder.server_log
    with served(plan, spec, ready.runtime, built, port, log, signing) as server:
        target = Target(address=plan.request.address, port=port, signing=signing)
        measure.preload(plan, spec, target=target, engine=instruments.engine)
        trial = measure.Trial(
            plan=plan,
            spec=spec,
            manifest=built.manifest,
            server=server,
            target=target,
            folder=trial_folder,
            instruments=instruments,
        )
        trial.run()
    collected = collect.collect(read_recording(trial_folder.path), judge.judge)
    tables.write(trial_folder.series, collected.series)
    tables.write(trial_folder.slow, collected.slow)
    trial_folder.write(trial_folder.data, collected.data)
    return collected.data


@contextlib.contextmanager
def served(
    plan: Plan,
    spec: TrialSpec,
    runtime: Runtime,
    built: Built,
    port: int,
    log: Path,
    signing: Signing | None = None,
) -> Iterator[Server]:
    """A running backend that is gone after the block, and its data with it: they are no result."""
    request = plan.request
    data_directory = log.parent / "data"
    data_directory.mkdir()
    server = runtime.start(
        built.artifact,
        built.manifest,
        Launch(
            name=f"pausemark-{os.getpid()}-{spec.index}",
            subject=spec.subject,
            address=request.address,
            port=port,
            threads=request.threads,
            cpus=plan.layout.backend_cpus,
            memory_limit_bytes=request.memory_limit_bytes,
            cpu_quota=request.cpu_quota,
            pids_limit=PIDS_LIMIT,
            data_directory=data_directory,
            log=log,
            protocol=request.protocol_of(spec.subject),
            credential=f"{signing.access_key}:{signing.secret_key}" if signing else "",
        ),
    )
    try:
        yield server
    finally:
        server.stop()
        run_folder.remove_data(data_directory)


def conclude(folder: RunFolder) -> None:
    """Analysis and report from what is there; also `bench report`."""
    trials = [trial.read_data() for trial in folder.trials()]
    if not trials:
        return
    series = {
        int(t.path.name): tables.read(t.series, Second)
        for t in folder.trials()
        if t.series.exists()
    }
    analysis = analyse.analyse(folder.run_id, folder.plan(), trials, series)
    folder.write_analysis(analysis)
    folder.write_report(render.render(report_inputs(folder)))


def report_inputs(folder: RunFolder) -> ReportInputs:
    """What the report of a finished run is made of."""
    return ReportInputs(
        plan=folder.plan(),
        artifacts=folder.artifacts(),
        environment=folder.document("environment"),
        analysis=folder.analysis(),
        verdicts={t.spec.index: t.verdict for t in (f.read_data() for f in folder.trials())},
        calibration=folder.document("calibration")["readings"],
    )
