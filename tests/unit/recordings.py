"""Trial folders with known contents, for tests of collect."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram

from harness.model.facts import CpuTimes, Incident, ProbeOutcome, Sample, TrialFacts
from harness.model.plan import Layout, Subject, TrialSpec
from harness.model.recording import Flags, Ints
from harness.store.records import HEADER_BYTES, REQUEST_TYPE, write_requests

SECOND = 1_000_000_000
START = 100 * SECOND
SPEC = TrialSpec(index=0, block=0, subject=Subject("go", "nethttp"), seed=1)
LAYOUT = Layout("split", backend_cpus=[1], engine_cpus=[0])
GC_FIELDS = [
    ("ring", "<u8"), ("start_ns", "<u8"), ("end_ns", "<u8"), ("kind", "<u4"), ("reason", "<u4"),
    ("runtime_ns", "<u8"), ("cycle", "<u4"), ("pid", "<u4"),
]  # fmt: skip
PLATFORM_FIELDS = [
    ("ring", "<u8"), ("start_ns", "<u8"), ("end_ns", "<u8"), ("kind", "<u4"), ("cpu", "<u4"),
    ("role", "<u4"), ("holder_pid", "<u4"), ("holder", "S16"),
]  # fmt: skip
GAP_FIELDS = [
    ("ring", "<u8"), ("start_ns", "<u8"), ("end_ns", "<u8"), ("in_flight", "<u4"), ("pad", "<u4"),
]  # fmt: skip
GC_KINDS = {"1": "stop_the_world", "2": "mark_phase", "3": "assist", "4": "mark_worker"}
PLATFORM_KINDS = {"1": "vcpu_not_run", "2": "wakeup_not_taken", "3": "foreign"}


def samples(
    seconds: int,
    *,
    steal: tuple[float, float] = (0.0, 0.0),
    engine_throttled: float | None = None,
) -> list[Sample]:
    """One a second; 30% of a core for the backend, 20% for the engine; `steal` of CPU 0 and 1."""
    found = []
    for second in range(seconds + 1):
        t = second * SECOND
        cpus = {
            cpu: CpuTimes(
                busy_ns=int(0.3 * t),
                idle_ns=int((0.7 - steal[cpu]) * t),
                steal_ns=int(steal[cpu] * t),
            )
            for cpu in (0, 1)
        }
        found.append(
            Sample(
                at_ns=START + t,
                backend_cpu_ns=int(0.3 * t),
                engine_cpu_ns=int(0.2 * t),
                throttled_ns=0,
                cpus=cpus,
                engine_throttled_ns=None if engine_throttled is None else int(engine_throttled * t),
            )
        )
    return found


def write_facts(
    folder: Path,
    seconds: int,
    *,
    collector: str = "go",
    incidents: list[Incident] | None = None,
    steal: tuple[float, float] = (0.0, 0.0),
    arrivals: str = "uniform",
    engine_throttled: float | None = None,
    workers: int = 1,
    workers_elsewhere: int = 0,
    closed_loop: bool = False,
    engine_threads: int = 1,
) -> None:
    facts = TrialFacts(
        spec=SPEC,
        layout=LAYOUT,
        start_ns=START,
        measure_ns=START,
        end_ns=START + seconds * SECOND,
        started_utc="2026-01-01T00:00:00Z",
        collector=collector,
        protocol="h1",
        rate_rps=1000.0,
        connections=4,
        arrivals=arrivals,
        samples=samples(seconds, steal=steal, engine_throttled=engine_throttled),
        incidents=incidents or [],
        workers=workers,
        workers_elsewhere=workers_elsewhere,
        calibration_passed=True,
        closed_loop=closed_loop,
        engine_threads=engine_threads,
    )
    (folder / "facts.json").write_bytes(msgspec.json.encode(facts))


def write_load(
    folder: Path,
    intended: Ints,
    sent: Ints,
    ends: Ints,
    *,
    backlog: Ints | None = None,
    puts: Flags | None = None,
    name: str = "requests.bin",
) -> None:
    """`puts`: which are PUTs instead of GETs; a tenth of them fails."""
    records = np.zeros(len(intended), REQUEST_TYPE)
    records["intended_ns"] = intended
    records["sent_ns"] = sent
    records["first_byte_ns"] = ends
    records["last_byte_ns"] = ends
    records["connection"] = np.arange(len(intended)) % 4
    records["status"] = 200
    if backlog is not None:
        records["flags"] = backlog
    if puts is not None:
        records["operation"] = puts
        records["outcome"][np.flatnonzero(puts)[::10]] = 1
    names = ["get"] if puts is None else ["get", "put"]
    header = {"schema": 1, "operations": names, "errors": ["reset", "status"], "connections": 4}
    write_requests(folder / name, header, records)


def encoded(values: Ints) -> str:
    """A histogram as the engine encodes it."""
    histogram = HdrHistogram(1, 60 * SECOND, 3)
    for value, count in zip(*np.unique(values, return_counts=True), strict=True):
        histogram.record_value(int(value), int(count))
    return str(histogram.encode().decode())


def write_stream(
    folder: Path,
    probe: str,
    stream: str,
    fields: list[tuple[str, str]],
    rows: list[tuple[object, ...]],
    enums: dict[str, dict[str, str]],
) -> None:
    kind = np.dtype(fields)
    header = {"schema": 1, "probe": probe, "stream": stream, "record_bytes": kind.itemsize,
              "fields": fields, "enums": enums}  # fmt: skip
    text = json.dumps(header).encode()
    head = b"PMEVT001" + len(text).to_bytes(4, "little") + text
    (folder / "probes").mkdir(exist_ok=True)
    body = np.array(rows, dtype=kind).tobytes()
    (folder / "probes" / f"{stream}.bin").write_bytes(head.ljust(HEADER_BYTES, b"\0") + body)


def write_probes(folder: Path, *names: str) -> None:
    outcomes = [ProbeOutcome(name=name, state="measured", records={}) for name in names]
    (folder / "probes.json").write_bytes(msgspec.json.encode(outcomes))
