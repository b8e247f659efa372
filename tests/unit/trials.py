"""TrialData with given figures, for tests of analyse and compare."""

from __future__ import annotations

from harness.model.plan import Subject, TrialSpec
from harness.model.trial import (
    Clean,
    Collector,
    Latency,
    Load,
    OperationFigures,
    Percentiles,
    Resources,
    TrialData,
)
from harness.model.verdict import Reason, Status, Verdict

BASE = Subject("c", "epoll", label="baseline")
NEW = Subject("c", "epoll", label="candidate")
TWIN = Subject("c", "epoll", label="twin")


def percentiles(p50: float, p99: float) -> Percentiles:
    return Percentiles(
        count=1e5, p50=int(p50), p90=int(p50), p99=int(p99), p999=int(p99 * 2), p9999=None,
        max=int(p99 * 3), curve=[(0.5, int(p50)), (0.99, int(p99))],
    )  # fmt: skip


def trial(
    subject: Subject,
    block: int,
    *,
    p50: float = 100_000,
    p99: float = 1_000_000,
    cpu: float = 20_000,
    clean: bool = True,
    status: Status = Status.VALID,
    errors: int = 0,
    collector: Collector | None = None,
) -> TrialData:
    found = percentiles(p50, p99)
    why = "" if clean else "platform windows: probes were off"
    reasons = (
        [Reason("errors", status, 1, 0, "x", "x failed")] if status is not Status.VALID else []
    )
    return TrialData(
        schema=1,
        spec=TrialSpec(index=block * 10 + len(subject.label), block=block, subject=subject, seed=1),
        start_ns=0,
        measure_ns=0,
        end_ns=10**10,
        started_utc="",
        load=Load(100_000, 100_000, 100_000, 100_000 - errors, {"status": errors}, 1e4, 1e4, 0, 0,
                  0, 0, 0),
        latency=Latency(found, found, found, found,
                        Clean(found if clean else None, 0.1 if clean else None, why)),
        server_time=None,
        pauses=None,
        collector=collector,
        resources=Resources(10**9, cpu, 1 << 20, 10**9, 0.1, 0, None, None, None, None),
        platform=None,
        probes=[],
        not_measured={"gaps": "probes were off", "gc": "probes were off"},
        verdict=Verdict(status, reasons),
        operations={"get": OperationFigures(90_000, errors, int(p50), int(p99)),
                    "put": OperationFigures(10_000, 0, int(p50 * 2), None)},
    )  # fmt: skip
