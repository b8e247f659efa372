"""Known-answer tests: the instrument must read what is certain to be true before it is believed.

A server freezes 20 ms in every second, by a script; from its own log follows what P99 must be. A
generator that is stopped 20 ms in every second must come out INVALID, by its own name. What a
server does to every n-th request must be counted and timed as its log says (`harness.scripted`).
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import scripted
from harness.drivers.freeze import MANIFEST, FreezeServer, read_freezes
from harness.drivers.load import Target
from harness.model import manifest
from harness.model.known import Case, Check, Reading
from harness.model.manifest import Objects, Operation, Scenario
from harness.model.plan import Layout, Plan, Request, Subject, TrialSpec
from harness.model.trial import TrialData
from harness.model.verdict import Status
from harness.stages import collect, judge, measure
from harness.stats.freeze import scheduled_delay_ns, utilisation
from harness.stats.known import TOLERANCE_NS
from harness.store.records import read_recording
from harness.store.run_folder import TrialFolder
from harness.system import clock
from harness.system.ports import free_port

FREEZE_US = 20_000
TRIES_MAX = 10
SHORT_TRIES = 3  # of the case before a run, when its first try fails
SHARE = 0.01  # P99
# Reasons of the machine's, none of which a wrong instrument can give: such a try is repeated.
DISTURBANCES = {"steal-engine", "steal-backend", "core-shared", "generator-runqueue"}
# One second of ten, of which the engine waited so much behind others, is its P99 of lag.
RUNQUEUE_SECOND_SHARE_MAX = 0.05
# At 1,000 RPS a stop of 20 ms moves a P99 among twenty freezes by half a millisecond.
STOP_NS_MAX = 10_000_000


SHORT = Case("freeze 20 ms/s at 1,000 RPS", 1000.0, 4, 5.0)
CASES = (
    Case("freeze 20 ms/s at 1,000 RPS on 4 connections", 1000.0, 4, 20.0),
    Case("freeze 20 ms/s at 10,000 RPS on 64 connections", 10_000.0, 64, 20.0),
    Case("generator stopped 20 ms/s", 1000.0, 4, 10.0, stop_generator=True),
)
SUITE = (*CASES, *scripted.CASES)


def median(readings: Sequence[Reading]) -> Reading:
    """The try with the median error, which speaks for all; one without a figure is the worst."""
    ordered = sorted(readings, key=lambda r: math.inf if r.error_ns is None else abs(r.error_ns))
    return ordered[len(ordered) // 2]


def _scenario() -> Scenario:
    return Scenario(
        schema=1,
        name="calibration",
        title="128-byte answers of the freeze server",
        objects=Objects(bucket="calibration", count=1, size_bytes=128, key="object-{index:08d}"),
        operations=[Operation(name="get", weight=1, status=200)],
        check=manifest.Check(digest_one_in=0),
    )


def _plan(case: Case, layout: Layout, version: str) -> Plan:
    subject = Subject(backend="freeze", variant="scripted")
    request = Request(
        subjects=[subject],
        scenario=_scenario(),
        rate_rps=case.rate_rps,
        duration_s=case.duration_s,
        warmup_s=2.0,
        repeat=1,
        seed=1,
        connections=case.connections,
        threads=1,
        protocol="h1",
        pipeline=1,
        arrivals="uniform",
        grain_ns=20_000,
        timeout_ns=case.timeout_ns,
        runtime="process",
        layout=layout.name,
        tune="auto",
        probes="off",
        address="127.0.0.1",
        memory_limit_bytes=0,
        calibrate=False,
    )
    spec = TrialSpec(index=0, block=0, subject=subject, seed=1)
    return Plan(
        schema=1,
        request=request,
        layout=layout,
        trials=[spec],
        created_utc=clock.utc_now(),
        version=version,
    )


@contextlib.contextmanager
def _stopping(trial: measure.Trial, *, wanted: bool) -> Iterator[None]:
    """Stops the generator 20 ms in every second while the block runs, if wanted."""
    over = threading.Event()

    def stopper() -> None:
        while not over.wait(0.98):
            for pid in trial.engine_pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    clock.sleep_s(0.02)
                    os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stopper, daemon=True)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if wanted:
            thread.join()


def try_case(
    case: Case, *, programs: Path, locustfile: Path, layout: Layout, folder: Path, version: str
) -> Reading:
    """One try, with its records left in `folder` (created)."""
    (folder / "probes").mkdir(parents=True)
    trial_folder = TrialFolder(folder)
    plan = _plan(case, layout, version)
    port = free_port("127.0.0.1")
    server = FreezeServer(
        programs / "pausemark-freeze",
        port=port,
        freeze_us=0 if case.stop_generator or case.deed else FREEZE_US,
        cpus=layout.backend_cpus,
        folder=folder,
        script=case.script,
    )
    try:
        trial = measure.Trial(
            plan=plan,
            spec=plan.trials[0],
            manifest=MANIFEST,
            server=server,
            target=Target(address="127.0.0.1", port=port),
            folder=trial_folder,
            instruments=measure.Instruments(
                engine=programs / "pausemark-engine",
                locustfile=locustfile,
                probes=[],
                probes_absent=[],
                calibration_passed=None,
                calibration_text="",
            ),
        )
        with _stopping(trial, wanted=case.stop_generator):
            facts = trial.run()
    finally:
        server.stop()
    recording = read_recording(folder)
    data = collect.collect(recording, judge.judge).data
    if case.stop_generator:
        return _judge_stopped(case, data)
    if case.deed:
        return _judge_scripted(case, data, scripted.read(case, recording, data, server.log))
    freezes = read_freezes(
        server.log, start_ns=facts.measure_ns, end_ns=facts.end_ns, rate_rps=case.rate_rps
    )
    rho = utilisation(freezes, rate_rps=case.rate_rps)
    expected = scheduled_delay_ns(
        freezes,
        rate_rps=case.rate_rps,
        duration_ns=facts.end_ns - facts.measure_ns,
        share=SHARE,
        phase_ns=facts.start_ns,
    )
    return _judge_freeze(case, data, expected_delay=expected, rho=rho)


def _p99(data: TrialData) -> int | None:
    """From the curve: the tail is one episode a second by design, fewer than a P99 is shown for."""
    curve = dict(data.latency.response.curve) if data.latency else {}
    return next((value for q, value in curve.items() if abs(q - (1 - SHARE)) < 1e-9), None)


def disturbances(data: TrialData) -> list[str]:
    """What else the machine did during a try, by the trial's own verdict and its worst second."""
    told = [reason.text for reason in data.verdict.reasons if reason.id in DISTURBANCES]
    worst = data.checks.runqueue_second_p99 if data.checks is not None else None
    if worst is not None and worst > RUNQUEUE_SECOND_SHARE_MAX:
        told.append(f"others had the engine's processor for {worst:.0%} of a second")
    for role, late in (data.hiccups.by_role if data.hiccups else {}).items():
        if late.max is not None and late.max > STOP_NS_MAX:
            told.append(f"the machine stopped the {role}'s processor for {late.max / 1e6:.0f} ms")
    return told


def _judge_stopped(case: Case, data: TrialData) -> Reading:
    blamed = [
        reason
        for reason in data.verdict.reasons
        if reason.id.startswith("generator-") and reason.status is Status.INVALID
    ]
    passed = data.verdict.status is Status.INVALID and bool(blamed)
    reasons = "; ".join(reason.text for reason in data.verdict.reasons)
    text = blamed[0].text if blamed else f"without naming it ({reasons or 'no reason given'})"
    return Reading(
        name=case.name,
        passed=passed,
        disturbed=disturbances(data),
        expected_ns=None,
        found_ns=None,
        error_ns=None,
        rho=None,
        text=f"{data.verdict.status}: {text}",
    )


def _judge_scripted(case: Case, data: TrialData, checks: list[Check]) -> Reading:
    failed = [check for check in checks if not check.passed]
    shown = failed or [check for check in checks if check.expected or check.found]
    reasons = [reason.text for reason in data.verdict.reasons]
    return Reading(
        name=case.name,
        passed=not failed,
        disturbed=disturbances(data),
        expected_ns=None,
        found_ns=None,
        error_ns=None,
        rho=None,
        text="; ".join([*(check.text for check in shown), *(reasons if failed else [])]),
        checks=checks,
    )


def _judge_freeze(case: Case, data: TrialData, *, expected_delay: float, rho: float) -> Reading:
    found = _p99(data)
    base = data.latency.response.p50 if data.latency else None
    if found is None or base is None:
        reasons = "; ".join(reason.text for reason in data.verdict.reasons)
        return Reading(
            name=case.name,
            passed=False,
            disturbed=disturbances(data),
            expected_ns=round(expected_delay),
            found_ns=None,
            error_ns=None,
            rho=rho,
            text=f"no P99 was measured: {reasons or 'no reason given'}",
        )
    expected = round(expected_delay + base)
    error = found - expected
    return Reading(
        name=case.name,
        passed=abs(error) <= TOLERANCE_NS,
        disturbed=disturbances(data),
        expected_ns=expected,
        found_ns=found,
        error_ns=error,
        rho=rho,
        text=f"P99 {found / 1e6:.3f} ms, analytic {expected / 1e6:.3f} ms, "
        f"off by {error / 1e6:+.3f} ms (rho {rho:.3f})",
    )
