"""The generator's self-validation: each check from the books that it needs, or why it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from harness.model.checks import ScheduleCheck, SelfChecks
from harness.model.facts import TrialFacts
from harness.model.recording import FLAG_BACKLOG, Flags, Ints, Requests
from harness.stats import balance, conformance, parts, percentiles, pool, samples

SECOND_NS = 1_000_000_000
UNIFORM, POISSON = "uniform", "poisson"
# A backend that is this busy is slow by itself, and more connections would not help it.
SATURATED = 0.9

Events = Mapping[str, list[dict[str, Any]]]


def of_engine(facts: TrialFacts, engine: Events, missing: dict[str, str]) -> SelfChecks:
    """What needs no records: the run-queue delay of its threads, and its CPU quota."""
    throttled = samples.between(
        facts.samples, lambda s: s.engine_throttled_ns, facts.measure_ns, facts.end_ns
    )
    if throttled is None:
        why = samples.unsampled(facts) or "no control group of the engine's counts throttling"
        missing["checks.engine_throttled_ns"] = why
    told = [
        line.get("runqueue_ns")
        for line in engine.get("second", [])
        if facts.measure_ns <= facts.start_ns + int(line["index"]) * SECOND_NS < facts.end_ns
    ]
    waits = [int(wait or 0) for wait in told]
    if not any(waits):
        missing["checks.runqueue"] = _no_runqueue(told)
        return SelfChecks(engine_throttled_ns=throttled)
    # Engines and their threads wait one beside the other.
    engines = facts.workers + facts.workers_elsewhere
    whole_ns = SECOND_NS * facts.engine_threads * engines
    return SelfChecks(
        runqueue_share=sum(waits) / (len(waits) * whole_ns),
        runqueue_second_p99=percentiles.rank(np.sort(np.array(waits)), 0.99) / whole_ns,
        engine_throttled_ns=throttled,
    )


def _no_runqueue(told: list[int | None]) -> str:
    if not told:
        return "the engine told of no second of the measured part"
    if all(wait is None for wait in told):
        return "the engine did not tell its run-queue delay"
    # A thread that slept has waited for some ns: all zero means that the kernel does not count.
    return "the kernel keeps no count of the engine's run-queue delay"


def of_records(
    found: SelfChecks,
    *,
    facts: TrialFacts,
    engine: Events,
    every: Requests,
    measured: Flags,
    backlog_ns: Ints,
    busy: float | None,
    missing: dict[str, str],
) -> SelfChecks:
    """`found` with the checks that the records of all requests allow.

    `measured` says which of `every` were intended in the measured part; `backlog_ns` is of
    those. `busy` is the share of its cores that the backend used.
    """
    done = (engine.get("done") or [{}])[-1]
    span_ns = facts.end_ns - facts.measure_ns
    sent_all = (every.sent_ns > 0) & (every.last_byte_ns > 0)
    part = sent_all & measured
    service = every.last_byte_ns - every.sent_ns
    result = msgspec.structs.replace(
        found,
        schedule=_schedule(facts, done, every, measured, backlog_ns, missing),
        balance=balance.check(
            sent_ns=every.sent_ns[sent_all],
            last_byte_ns=every.last_byte_ns[sent_all],
            measured_service_ns=service[part],
            totals=done.get("totals") or {},
            seconds=engine.get("second", []),
            start_ns=facts.start_ns,
            span_ns=span_ns,
        ),
    )
    if result.balance is None:
        missing["checks.balance"] = "the engine left no histogram of service times"
    if busy is not None and busy >= SATURATED:
        missing["checks.pool"] = f"the backend used {busy:.0%} of its cores: that is its own limit"
        return result
    return msgspec.structs.replace(
        result,
        pool=pool.check(
            intended_ns=every.intended_ns[part],
            service_ns=service[part],
            last_byte_ns=every.last_byte_ns[sent_all],
            waited=(every.flags[part] & FLAG_BACKLOG) != 0,
            connections=facts.connections,
            depth=max(facts.pipeline, facts.streams),
        ),
    )


def _schedule(
    facts: TrialFacts,
    done: Mapping[str, Any],
    every: Requests,
    measured: Flags,
    backlog_ns: Ints,
    missing: dict[str, str],
) -> ScheduleCheck | None:
    if facts.arrivals not in {UNIFORM, POISSON}:
        missing["checks.schedule"] = "the trial's facts do not say how its slots follow each other"
        return None
    if facts.closed_loop:
        missing["checks.schedule"] = "a closed loop has no schedule"
        return None
    planned = conformance.fixed_rate(facts.start_ns, facts.rate_rps)
    if facts.parts:
        ends = (facts.start_ns, facts.measure_ns, facts.end_ns)
        planned = parts.planned(facts.parts, *ends)
    offered = (done.get("totals") or {}).get("offered")
    return conformance.check(
        planned,
        conformance.Executed(
            intended_ns=every.intended_ns,
            sent_ns=every.sent_ns,
            connection=every.connection,
            excused=int(done.get("records_dropped", 0)) + int(done.get("unfinished", 0)),
            offered=None if offered is None else int(offered),
            whole=bool(done) and not done.get("interrupted") and not every.truncated,
        ),
        regular=facts.arrivals == UNIFORM,
        measured=measured,
        backlog_ns=backlog_ns,
        end_ns=facts.end_ns,
    )
