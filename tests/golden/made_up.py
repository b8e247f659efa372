"""Inputs of the report's tests: invented figures, deterministic, results of no measurement."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec

from harness.model.analysis import (
    Analysis,
    CauseShare,
    Cell,
    Column,
    CurvePoint,
    OperationRow,
    Row,
    Second,
    SubjectPauses,
    TrialCurve,
    TrialSeries,
    Warning_,
)
from harness.model.manifest import Objects, Operation, Scenario
from harness.model.plan import Artifact, Layout, Plan, Request, Subject, TrialSpec
from harness.model.verdict import Reason, Status, Verdict
from harness.model.view import ReportInputs
from harness.stats import operations

SUBJECTS = (
    ("C", Subject("c", "epoll"), 94_000, False),
    ("C++", Subject("cpp", "beast"), 104_000, False),
    ("Rust", Subject("rust", "hyper"), 97_000, False),
    ("Go", Subject("go", "nethttp", (("gogc", "100"),)), 5_300_000, True),
)
COLUMNS = [
    Column("achieved_rps", "Good answers", "requests/s", "Good answers per measured second."),
    Column("p50_observed", "P50 observed", "ns", "Half of the requests were faster than this."),
    Column(
        "p50_clean", "P50 clean", "ns", "The same over requests that no platform window touched."
    ),
    Column("p99_observed", "P99 observed", "ns", "One request in 100 was slower."),
    Column(
        "p99_clean", "P99 clean", "ns", "The same over requests that no platform window touched."
    ),
    Column("p999_observed", "P99.9 observed", "ns", "One request in 1,000 was slower."),
    Column("p999_clean", "P99.9 clean", "ns", "The same, untouched requests only."),
    Column("stw_count", "Stops", "", "Stop-the-world windows of a trial."),
    Column("stw_max", "Longest stop", "ns", "The longest stop-the-world window."),
    Column("stw_total", "Stopped", "ns", "All stop-the-world windows of a trial."),
    Column("mark_share", "In mark phases", "ratio", "Share of time in mark phases."),
    Column("p99_inside", "P99 inside a cycle", "ns", "Requests due inside a GC cycle."),
    Column("p99_outside", "P99 outside", "ns", "All other requests."),
    Column("pauses_count", "Pauses", "", "No-progress gaps of 100 us or more."),
    Column("pauses_max", "Longest pause", "ns", "The longest of them."),
    Column("cpu_per_request", "CPU per request", "ns", "The backend's CPU time per request."),
    Column("memory_peak", "Peak memory", "bytes", "The highest resident size."),
    Column("errors", "Errors", "", "Requests that failed."),
]


def inputs(*, repeat: int = 2, seconds: int = 30) -> ReportInputs:
    """A run of four subjects; the last trial of Go is INVALID, one of C is DEGRADED."""
    chance = random.Random(20_260_101)
    specs = [
        TrialSpec(block * len(SUBJECTS) + i, block, subject, 1000 + block)
        for block in range(repeat)
        for i, (_, subject, _, _) in enumerate(SUBJECTS)
    ]
    verdicts = {spec.index: _verdict(spec, specs[-1].index) for spec in specs}
    return ReportInputs(
        plan=_plan(specs, repeat, seconds),
        artifacts=[_artifact(subject.backend) for _, subject, _, _ in SUBJECTS],
        environment=environment(),
        analysis=_analysis(specs, verdicts, chance, seconds),
        verdicts=verdicts,
        calibration=[
            {
                "name": "freeze 20 ms every second, 1,000 RPS on 4 connections",
                "expected_ns": 10_412_000,
                "found_ns": 10_551_000,
                "error_ns": 139_000,
                "passed": True,
                "text": "made-up: P99 against the analytic value",
            },
            {"name": "generator stopped 20 ms every second", "passed": True, "text": "made-up"},
        ],
    )


def environment() -> dict[str, Any]:
    """As environment.json has it."""
    return {
        "schema": 1,
        "fingerprint": "3f9c0b12aa77",
        "machine": {"cpu": "Made-up CPU, 2 cores", "memory_bytes": 25_769_803_776, "virtual": True},
        "kernel": {"release": "6.12.0-made-up", "clock": "tsc", "cpuidle driver": "haltpoll"},
        "probes": {"bpf": True, "btf": False, "clang": None},
        "tuning": [
            {
                "operation": "guest_halt_poll_ns",
                "before": 0,
                "after": 200_000,
                "state": "applied",
                "reason": "an idle virtual CPU polls before it halts",
            },
            {
                "operation": "transparent huge pages",
                "before": "always",
                "after": None,
                "state": "refused",
                "reason": "read-only file system",
            },
        ],
    }


def _plan(specs: list[TrialSpec], repeat: int, seconds: int) -> Plan:
    scenario = Scenario(
        schema=1,
        name="get-1k",
        title="GET of 1 KiB objects",
        objects=Objects("bench", 10_000, "object-{index}", 1024),
        operations=[Operation("get", 95, 200), Operation("put", 5, 200)],
    )
    request = Request(
        subjects=[subject for _, subject, _, _ in SUBJECTS],
        scenario=scenario,
        rate_rps=10_000,
        duration_s=float(seconds),
        warmup_s=5,
        repeat=repeat,
        seed=42,
        connections=64,
        threads=1,
        protocol="http/1.1",
        pipeline=1,
        arrivals="uniform",
        grain_ns=50_000,
        timeout_ns=10_000_000_000,
        runtime="auto",
        layout="split",
        tune="auto",
        probes="auto",
        address="127.0.0.1",
        memory_limit_bytes=4 << 30,
    )
    return Plan(
        schema=1,
        request=request,
        layout=Layout("split", [1], [0]),
        trials=specs,
        created_utc="2026-01-01 12:00:00 UTC",
        version="0.1.0",
        options_effective={
            subject.name: {
                "auth": "parse",
                "durability": "ram",
                **({"gogc": "100", "gomemlimit": None} if collected else {"allocator": "pool"}),
            }
            for _, subject, _, collected in SUBJECTS
        },
    )


def _artifact(backend: str) -> Artifact:
    return Artifact(
        backend=backend,
        runtime="docker",
        location=f"pausemark/{backend}:made-up",
        digest="sha256:" + "0123456789abcdef" * 4,
        version_line=f"pausemark-{backend} 0.1.0 (made-up)",
        build_ns=12_300_000_000,
        toolchain={"compiler": "made-up 1.0"},
    )


def _verdict(spec: TrialSpec, last: int) -> Verdict:
    if spec.index == last:
        reason = Reason(
            "generator-lag",
            Status.INVALID,
            7_100_000,
            5_000_000,
            "engine",
            "own-fault send lag P99 was 7.1 ms, limit 5 ms: the generator stalled",
        )
        return Verdict(Status.INVALID, [reason])
    if spec.index == 0:
        text = "4.1% of the time was stolen from CPU 1, limit 2%"
        reason = Reason("steal-backend", Status.DEGRADED, 0.041, 0.02, "CPU 1", text)
        return Verdict(Status.DEGRADED, [reason])
    return Verdict(Status.VALID, [])


def _analysis(
    specs: list[TrialSpec], verdicts: dict[int, Verdict], chance: random.Random, seconds: int
) -> Analysis:
    facts = {subject.name: (base, collected) for _, subject, base, collected in SUBJECTS}
    rows = []
    for title, subject, base, collected in SUBJECTS:
        worst = [verdicts[s.index].status for s in specs if s.subject == subject]
        cells = _cells(base, collected)
        valid = sum(status is Status.VALID for status in worst)
        order = [Status.VALID, Status.DEGRADED, Status.INVALID]
        rows.append(Row(subject, title, len(worst), valid, max(worst, key=order.index), cells))
    return Analysis(
        schema=1,
        run_id="20260101T120000Z-0a1b2c3d",
        columns=COLUMNS,
        rows=rows,
        curves=[_curve(spec, *facts[spec.subject.name], chance) for spec in specs],
        series=[
            TrialSeries(
                trial=spec.index,
                block=spec.block,
                subject=spec.subject.name,
                status=verdicts[spec.index].status,
                reasons=[reason.text for reason in verdicts[spec.index].reasons],
                seconds=[
                    _second(second, *facts[spec.subject.name], chance) for second in range(seconds)
                ],
            )
            for spec in specs
        ],
        pauses=[_pauses(subject, collected) for _, subject, _, collected in SUBJECTS],
        warnings=[
            Warning_(
                "few-trials",
                "Too few trials for an interval of the P99.9.",
                "Ask for more with --repeat 8.",
            )
        ],
        operation_columns=operations.COLUMNS,
        operations=[
            OperationRow(name, msgspec.structs.replace(row, cells=_operation(name)))
            for row in rows
            for name in ("get", "put")
        ],
    )


def _operation(name: str) -> dict[str, Cell]:
    few = Cell(None, None, None, "too few", "fewer than 20 independent tail episodes")
    return {
        "operation_count": Cell(2_850_000 if name == "get" else 150_000, None, None, ""),
        "operation_errors": Cell(0, None, None, "0"),
        "operation_p50": _figure(52_000 if name == "get" else 81_000),
        "operation_p99": _figure(960_000) if name == "get" else few,
    }


def _figure(value: float, spread: float = 0.08) -> Cell:
    return Cell(value, value * (1 - spread), value * (1 + spread), f"{value:g}")


def _cells(base: int, collected: bool) -> dict[str, Cell]:
    none = Cell(None, None, None, "no GC")
    few = Cell(None, None, None, "too few", "fewer than 20 independent tail episodes")
    gc = {
        "stw_count": Cell(212, 204, 219, "212"),
        "stw_max": _figure(410_000),
        "stw_total": _figure(9_700_000),
        "mark_share": _figure(0.412),
        "p99_inside": _figure(7_900_000),
        "p99_outside": _figure(640_000),
    }
    return {
        "achieved_rps": Cell(9_998.4, 9_996.9, 9_999.9, "9,998"),
        "p50_observed": _figure(53_000 + base // 100),
        "p50_clean": _figure(51_000 + base // 100),
        "p99_observed": _figure(base * 1.2 + 980_000, 0.4),
        "p99_clean": _figure(base),
        "p999_observed": _figure(base * 2 + 3_900_000, 0.4),
        "p999_clean": _figure(base * 2.4) if collected else few,
        **(gc if collected else dict.fromkeys(gc, none)),
        "pauses_count": Cell(1_204 if collected else 171, None, None, ""),
        "pauses_max": _figure(8_800_000 if collected else 2_100_000),
        "cpu_per_request": _figure(31_200 if collected else 14_700),
        "memory_peak": Cell(1_610_612_736 if collected else 88_080_384, None, None, ""),
        "errors": Cell(0, None, None, "0"),
    }


def _curve(spec: TrialSpec, base: int, collected: bool, chance: random.Random) -> TrialCurve:
    wobble = chance.uniform(0.85, 1.2)
    steal = chance.uniform(0.6, 1.8)
    points = []
    for step in range(61):
        nines = step / 15
        rise = 1 / (1 + math.exp(-(nines - 1.6) * 4))
        clean = 45_000 + 10_000 * nines + rise * base * wobble * (1 + 0.3 * nines)
        platform = 1_100_000 * steal / (1 + math.exp(-(nines - 2.2) * 4))
        shown = round(clean) if nines < 3.2 or collected else None
        points.append(CurvePoint(1 - 10**-nines, round(clean + platform), shown))
    return TrialCurve(spec.index, spec.subject.name, points)


def _second(at: int, base: int, collected: bool, chance: random.Random) -> Second:
    marking = collected and at % 5 < 2
    stolen = chance.random() < 0.2
    p99 = 95_000 + (base if marking else 0) * chance.uniform(0.7, 1.3) + stolen * 2_000_000
    return Second(
        second=at,
        offered=10_000,
        good=10_000,
        p50_ns=round(52_000 * chance.uniform(0.95, 1.1)),
        p99_ns=round(p99 * chance.uniform(0.95, 1.1)),
        max_ns=round(p99 * chance.uniform(1.8, 3.5)),
        own_fault_p99_ns=41_000,
        pause_ns=round(chance.uniform(0, 3e6) + marking * 4e7),
        stop_the_world_ns=round(marking * chance.uniform(5e4, 4e5)) if collected else None,
        mark_ns=round(marking * chance.uniform(5e8, 9.5e8)) if collected else None,
        vcpu_not_run_ns=round(stolen * chance.uniform(1e6, 6e7)),
        wakeup_not_taken_ns=round(chance.uniform(1e5, 2e6)),
        foreign_ns=round(chance.random() * 5e5),
        server_time_p99_ns=round(p99 * 0.6),
    )


def _pauses(subject: Subject, collected: bool) -> SubjectPauses:
    shares = {"vcpu_not_run": 0.34, "wakeup_not_taken": 0.52, "foreign": 0.05, "own": 0.09}
    if collected:
        shares = {"gc_mark": 0.41, "gc_assist": 0.21, "stop_the_world": 0.004, "own": 0.326}
        shares |= {"vcpu_not_run": 0.05}
    causes = [
        CauseShare(cause, round(share * 900) + 1, round(share * 1.9e9), share)
        for cause, share in shares.items()
    ]
    return SubjectPauses(subject.name, causes, "")
