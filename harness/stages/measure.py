"""Measures one trial: the server is up, probes watch, Locust's engine drives, facts are noted.

The harness holds still meanwhile: once a second it reads counters and asks who is still alive.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec

from harness.drivers import hiccups as hiccups_driver
from harness.drivers import load as load_driver
from harness.drivers.locust import LIVENESS_S, Crew
from harness.drivers.probe import Probe
from harness.drivers.runtime import Server
from harness.errors import BackendFailed, LoadFailed
from harness.model.facts import Incident, ProbeOutcome, Sample, TrialFacts
from harness.model.manifest import BackendManifest
from harness.model.plan import Plan, TrialSpec
from harness.store.run_folder import TrialFolder
from harness.system import cgroups, clock, sampling

SAMPLE_EVERY_S = 1.0
# Beyond the engine's own timeout: the last records reach the disk, a silent worker counts as lost.
GRACE_S = 15.0
GRACE_OF_SEVERAL_S = GRACE_S + LIVENESS_S


class Instruments(msgspec.Struct, frozen=True):
    """What a trial needs besides its server."""

    engine: Path
    locustfile: Path
    probes: list[Probe]
    probes_absent: list[ProbeOutcome]
    calibration_passed: bool | None
    calibration_text: str
    crew: Crew = load_driver.ALONE


class Trial:
    """One trial from the first probe to the last fact."""

    def __init__(
        self,
        *,
        plan: Plan,
        spec: TrialSpec,
        manifest: BackendManifest,
        server: Server,
        target: load_driver.Target,
        folder: TrialFolder,
        instruments: Instruments,
    ) -> None:
        """`server` is ready and preloaded."""
        self._plan = plan
        self._spec = spec
        self._manifest = manifest
        self._server = server
        self._target = target
        self._folder = folder
        self._instruments = instruments
        self._samples: list[Sample] = []
        self._incidents: list[Incident] = []
        self.engine_pids: list[int] = []
        self._engine_quotas: list[Path] = []
        self._cpus = sorted({*plan.layout.backend_cpus, *plan.layout.engine_cpus})

    def run(self) -> TrialFacts:
        """Measures to the end, whatever happens, and writes facts.json and probes.json."""
        started_utc = clock.utc_now()
        start: dict[str, Any] = {}
        probes = [p for p in self._instruments.probes if self._applies(p)]
        with contextlib.ExitStack() as stack:
            load: load_driver.Load | None = None
            try:
                self._start_probes(probes)
                stack.callback(self._start_control().stop)
                load = self._start_load()
                stack.callback(load.stop)
                start = self._begin(load, probes)
                self._watch(load, int(start["end_ns"]))
            except LoadFailed as error:
                self._note("engine-died", "engine", f"{error.where}: {error.what}")
            except KeyboardInterrupt:
                self._note("interrupted", "user", "stopped by Ctrl-C")
                raise
            finally:
                outcomes = self._stop_probes(probes)
                facts = self._facts(start, started_utc)
                self._folder.write(self._folder.facts, facts)
                absent = self._instruments.probes_absent
                self._folder.write(self._folder.probe_reports, [*outcomes, *absent])
        return facts

    def _applies(self, probe: Probe) -> bool:
        return probe.manifest.collector in ("", self._manifest.collector)

    def _start_probes(self, probes: list[Probe]) -> None:
        for probe in probes:
            probe.start(
                {
                    "output": str(self._folder.probes),
                    "backend_pids": self._server.pids(),
                    "engine_pids": [],
                    "binary": str(self._server.binary_path()),
                    "port": self._target.port,
                }
            )

    def _start_control(self) -> hiccups_driver.Hiccups:
        return hiccups_driver.Hiccups(
            self._instruments.engine,
            cpus=self._cpus,
            out=self._folder.hiccups,
            log=self._folder.locust_log,
        )

    def _start_load(self) -> load_driver.Load:
        plan = load_driver.engine_plan(
            self._plan, self._spec, target=self._target, records=self._folder.records
        )
        self._folder.write(self._folder.engine_plan, plan)
        return load_driver.Load(
            engine=self._instruments.engine,
            locustfile=self._instruments.locustfile,
            plan=self._folder.engine_plan,
            out=self._folder.engine_events,
            log=self._folder.locust_log,
            crew=self._instruments.crew,
            signing=self._target.signing,
        )

    def _begin(self, load: load_driver.Load, probes: list[Probe]) -> dict[str, Any]:
        ready = load.wait_for("ready")
        self.engine_pids = [int(event["pid"]) for event in ready if event.get("here", True)]
        for pid in self.engine_pids[:1]:  # beside each other, in the same groups
            self._engine_quotas = cgroups.quota_files(pid)
        for probe in probes:
            probe.add_engines(self.engine_pids)
        # Those of this machine start at one instant; of others the last one counts.
        return max(load.wait_for("start"), key=lambda event: int(event["start_ns"]))

    def _watch(self, load: load_driver.Load, end_ns: int) -> None:
        """Samples once a second until the engine is done, or until somebody ends too early."""
        grace_s = GRACE_S if self._instruments.crew.count == 1 else GRACE_OF_SEVERAL_S
        deadline_ns = end_ns + self._plan.request.timeout_ns + int(grace_s * 1e9)
        self._sample()
        while load.event("locust_done") is None and clock.monotonic_ns() < deadline_ns:
            clock.sleep_s(SAMPLE_EVERY_S)
            self._sample()
            load.poll()
            if self._somebody_ended(load):
                return
        if load.event("done") is None:
            self._note("engine-died", "engine", "the engine never said that it was done")

    def _somebody_ended(self, load: load_driver.Load) -> bool:
        incident = load.incident(clock.monotonic_ns())
        if incident is not None:
            self._incidents.append(incident)
            return True
        ending = self._server.alive()
        if ending is not None:
            name = self._spec.subject.name
            self._note(ending.id, name, f"{name} {ending.text}")
            return True
        return False

    def _sample(self) -> None:
        usage = self._server.usage()
        self._samples.append(
            Sample(
                at_ns=clock.monotonic_ns(),
                backend_cpu_ns=usage.cpu_ns,
                engine_cpu_ns=self._engine_cpu_ns(),
                memory_bytes=usage.memory_bytes,
                throttled_ns=usage.throttled_ns,
                throttled_count=usage.throttled_count,
                cpus=sampling.cpu_times(self._cpus),
                engine_throttled_ns=cgroups.throttled_ns(self._engine_quotas),
            )
        )

    def _engine_cpu_ns(self) -> int | None:
        """Of all engines; None when one cannot be read, on another machine or gone."""
        if self._instruments.crew.elsewhere or not self.engine_pids:
            return None
        spent = [sampling.process_cpu_ns(pid) for pid in self.engine_pids]
        known = [ns for ns in spent if ns is not None]
        return sum(known) if len(known) == len(spent) else None

    def _stop_probes(self, probes: list[Probe]) -> list[ProbeOutcome]:
        for probe in probes:
            probe.ask_stop()
        outcomes = []
        for probe in probes:
            outcome = probe.outcome()
            outcomes.append(outcome)
            if outcome.state == "died":  # it was alive when the trial began: `ready` saw to that
                self._note("probe-died", f"probe {probe.name}", f"{probe.name} {outcome.reason}")
        return outcomes

    def _note(self, kind: str, who: str, text: str) -> None:
        self._incidents.append(Incident(id=kind, who=who, text=text, at_ns=clock.monotonic_ns()))

    def _facts(self, start: dict[str, Any], started_utc: str) -> TrialFacts:
        request = self._plan.request
        return TrialFacts(
            spec=self._spec,
            layout=self._plan.layout,
            start_ns=int(start.get("start_ns", 0)),
            measure_ns=int(start.get("measure_ns", 0)),
            end_ns=int(start.get("end_ns", 0)),
            started_utc=started_utc,
            collector=self._manifest.collector,
            protocol=request.protocol_of(self._spec.subject),
            rate_rps=request.rate_rps,
            connections=request.connections,
            arrivals=request.arrivals,
            pipeline=request.pipeline,
            streams=request.streams_of(self._spec.subject),
            workers=self._instruments.crew.here,
            workers_elsewhere=self._instruments.crew.elsewhere,
            cpu_quota=request.cpu_quota,
            parts=request.parts,
            closed_loop=request.closed_loop,
            engine_threads=request.engine_threads,
            samples=self._samples,
            memory_peak_bytes=self._server.usage().memory_peak_bytes,
            incidents=self._incidents,
            calibration_passed=self._instruments.calibration_passed,
            calibration_text=self._instruments.calibration_text,
        )


def preload(
    plan: Plan, spec: TrialSpec, *, target: load_driver.Target, engine: Path
) -> dict[str, Any]:
    """Puts the scenario's objects, reads a sample back; BackendFailed when an answer is wrong."""
    wanted = load_driver.engine_plan(plan, spec, target=target, records=None)
    try:
        return load_driver.ask_engine(engine, "preload", wanted, target.signing)
    except LoadFailed as error:
        raise BackendFailed(
            spec.subject.name,
            f"did not take the scenario's objects: {error.where}: {error.what}",
            hint="see the backend's log, and run its contract tests: make test",
        ) from error
