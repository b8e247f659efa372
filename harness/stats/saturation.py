"""What a closed loop found: a throughput and times under it, which are no response times."""

from __future__ import annotations

import msgspec

from harness.model.analysis import Second
from harness.model.facts import TrialFacts
from harness.model.recording import Flags, Ints
from harness.model.trial import ClosedLoop, Load
from harness.stats import percentiles

SECOND_NS = 1_000_000_000
NO_LATENCY = "closed loop: no promise about response times"


def maximum(
    facts: TrialFacts, load: Load | None, service_ns: Ints, sent_ns: Ints, sent: Flags
) -> ClosedLoop:
    """From good answers that ended in the measured part; arrays in order of `sent_ns`."""
    served = load.served if load is not None else None
    span_ns = facts.end_ns - facts.measure_ns
    return ClosedLoop(
        throughput_rps=served * SECOND_NS / span_ns if served is not None and span_ns else None,
        in_flight=facts.connections * max(facts.pipeline, facts.streams),
        service=percentiles.summarise(service_ns[sent], sent_ns[sent]),
    )


def timeless(rows: list[Second]) -> list[Second]:
    """Seconds without their times, which would be drawn as response times."""
    return [
        msgspec.structs.replace(row, p50_ns=None, p99_ns=None, max_ns=None, own_fault_p99_ns=None)
        for row in rows
    ]
