"""Joins a trial's requests with collector, pauses and platform: Recording to TrialData."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.model.analysis import Second
from harness.model.checks import SelfChecks
from harness.model.collected import Collected, SlowRequest
from harness.model.evidence import Evidence
from harness.model.facts import ProbeOutcome, TrialFacts
from harness.model.recording import FLAG_WARM_UP, Flags, Ints, Recording, Requests
from harness.model.trial import (
    Clean,
    Collector,
    Latency,
    Load,
    OperationFigures,
    PartData,
    ProbeReport,
    Resources,
    TrialData,
)
from harness.model.verdict import Verdict
from harness.stats import (
    buckets,
    clean,
    decoded,
    hiccups,
    intervals,
    lag,
    loads,
    machine,
    operations,
    pace,
    parts,
    pauses,
    percentiles,
    samples,
    saturation,
    seconds,
    selfchecks,
)
from harness.stats.loads import Counted
from harness.stats.streams import Watched, server_p99, watched

SCHEMA = 1
SLOW_REQUESTS = 500
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Measured:
    """The requests of the measured part and what was derived of each."""

    facts: TrialFacts
    requests: Requests
    lag: lag.Lag
    response: Ints
    service: Ints  # of requests that were sent
    answered: Flags  # their end is known
    part: Flags  # which of the recording's requests these are

    def counted(self) -> Counted:
        """Counters, for a trial whose engine left none."""
        return loads.count(self.requests, self.lag.sent, self.answered)


def collect(recording: Recording, judge: Callable[[Evidence], Verdict]) -> Collected:
    """Everything that a trial's files say; what they do not say is None, with the reason."""
    facts = recording.facts
    missing = {name.removesuffix(".bin"): why for name, why in recording.reasons.items()}
    seen = watched(recording, missing)
    measured = _measured(recording)
    if measured is None:
        missing.setdefault("requests", "no request of the measured part was recorded")
        missing["latency"] = missing["requests"]
    load = loads.of_trial(recording, measured.counted() if measured is not None else None, missing)
    resources, use = _resources(facts, load, recording, missing)
    latency: Latency | None = None
    if facts.closed_loop:
        missing["latency"] = saturation.NO_LATENCY
    elif measured is not None:
        latency = _latency(measured, seen, use, missing)
    else:
        histograms = loads.totals(recording).get("histograms") or {}
        latency = decoded.latency(histograms, elsewhere=facts.workers_elsewhere)
    checks = _checks(recording, measured, use, missing)
    late = hiccups.of_trial(facts, recording.hiccups, missing)
    platform = machine.platform(facts, seen, missing)
    probes = [_report(outcome) for outcome in recording.probes]
    evidence = machine.evidence(
        facts,
        requests=measured.requests if measured else None,
        split=measured.lag if measured else None,
        load=load,
        seen=seen,
        resources=resources,
        probes=probes,
        own_lag_p99_ns=latency.own_fault_lag.p99 if latency is not None else None,
        checks=checks,
        hiccups=late,
    )
    if latency is not None:
        missing.pop("latency", None)
    trial = TrialData(
        schema=SCHEMA,
        spec=facts.spec,
        start_ns=facts.start_ns,
        measure_ns=facts.measure_ns,
        end_ns=facts.end_ns,
        started_utc=facts.started_utc,
        load=load,
        latency=latency,
        server_time=buckets.summarise(buckets.merge(h for h in seen.server_time if h)),
        pauses=None if seen.gaps is None else pauses.split(seen.gaps, seen.causes()),
        collector=_collector(facts, seen, None if facts.closed_loop else measured),
        resources=resources,
        platform=platform,
        probes=probes,
        not_measured=missing,
        verdict=judge(evidence),
        operations={} if facts.closed_loop else _operations(recording, measured),
        checks=checks,
        hiccups=late,
        parts=_parts(recording, measured),
        closed_loop=saturation.maximum(
            facts, load, measured.service, measured.requests.sent_ns, measured.lag.sent
        )
        if facts.closed_loop and measured is not None
        else None,
        pacing=pace.pacing(recording, missing),
    )
    return Collected(trial, _series(measured, seen), _slow(measured, seen))


def _measured(recording: Recording) -> _Measured | None:
    requests, facts = recording.requests, recording.facts
    if requests is None or facts.end_ns <= facts.measure_ns:
        return None
    depth = max(facts.pipeline, facts.streams)
    split = lag.split(requests, depth)  # before the cut: the warm-up's answers free, too
    part = (requests.flags & FLAG_WARM_UP) == 0
    part &= (requests.intended_ns >= facts.measure_ns) & (requests.intended_ns < facts.end_ns)
    if not np.any(part):
        return None
    names = ("intended_ns", "sent_ns", "first_byte_ns", "last_byte_ns", "connection", "status",
             "operation", "outcome", "flags")  # fmt: skip
    cut = Requests(
        **{name: getattr(requests, name)[part] for name in names},
        operations=requests.operations,
        errors=requests.errors,
        truncated=requests.truncated,
    )
    # What was never answered has waited at least until the recording's last moment.
    answered = cut.last_byte_ns > 0
    horizon = max(int(requests.last_byte_ns.max()), facts.end_ns)
    ends = np.where(answered, cut.last_byte_ns, horizon)
    return _Measured(
        facts=facts,
        requests=cut,
        lag=lag.Lag(split.own_fault[part], split.backlog[part], split.sent[part]),
        response=ends - cut.intended_ns,
        service=ends - cut.sent_ns,
        answered=answered,
        part=part,
    )


def _operations(recording: Recording, measured: _Measured | None) -> dict[str, OperationFigures]:
    if measured is not None:
        return operations.of_requests(measured.requests, measured.response)
    return operations.of_done(loads.done(recording).get("by_operation") or {})


def _parts(recording: Recording, measured: _Measured | None) -> list[PartData]:
    every = recording.requests
    if measured is None or every is None:
        return []
    return parts.split(
        measured.facts.parts,
        low=measured.facts.measure_ns,
        high=measured.facts.end_ns,
        measured=measured.requests,
        response_ns=measured.response,
        answered=measured.answered,
        ended_good_ns=every.last_byte_ns[every.outcome == 0],
    )


def _latency(
    measured: _Measured, seen: Watched, use: dict[str, float | None], missing: dict[str, str]
) -> Latency | None:
    when, seed = measured.requests.intended_ns, measured.facts.spec.seed
    sent = measured.lag.sent
    response = percentiles.summarise(measured.response, when, bootstrap_seed=seed)
    service = percentiles.summarise(measured.service[sent], when[sent])
    own = percentiles.summarise(measured.lag.own_fault[sent], when[sent])
    backlog = percentiles.summarise(measured.lag.backlog[sent], when[sent])
    if response is None or service is None or own is None or backlog is None:
        missing["latency"] = "no request was sent"
        return None
    return Latency(response, service, own, backlog, _clean(measured, seen, use, missing))


def _checks(
    recording: Recording,
    measured: _Measured | None,
    use: dict[str, float | None],
    missing: dict[str, str],
) -> SelfChecks:
    """What the engine's own books say of the trial."""
    found = selfchecks.of_engine(recording.facts, recording.engine or {}, missing)
    if measured is None or recording.requests is None:
        missing["checks"] = missing["requests"]
        return found
    if loads.done(recording).get("lost"):
        missing["checks"] = "a worker was lost, and its books with it"
        return found
    return selfchecks.of_records(
        found,
        facts=recording.facts,
        engine=recording.engine or {},
        every=recording.requests,
        measured=measured.part,
        backlog_ns=measured.lag.backlog,
        busy=use["backend"],
        missing=missing,
    )


def _clean(
    measured: _Measured, seen: Watched, use: dict[str, float | None], missing: dict[str, str]
) -> Clean:
    shares = [share for share in use.values() if share is not None]
    why = ""
    if seen.platform is None:
        why = f"platform windows: {missing.get('platform', 'not measured')}"
    elif not shares:
        why = "the CPU time of backend and engine was not measured, so no drain can be bounded"
    if why or seen.platform is None:
        return Clean(response=None, share_touched=None, withheld=why)
    low, high = measured.facts.measure_ns, measured.facts.end_ns
    when = measured.requests.intended_ns
    return clean.estimate(
        when,
        when + measured.response,
        seen.all_platform(),
        rho=clean.utilisation(shares),
        low=low,
        high=high,
        seed=measured.facts.spec.seed,
    )


def _collector(facts: TrialFacts, seen: Watched, measured: _Measured | None) -> Collector | None:
    if facts.collector == "none":
        return Collector(kind="none")
    if seen.gc is None:
        return None
    cycle = seen.cycles()
    inside, outside, count = None, None, None
    if measured is not None:
        when = measured.requests.intended_ns
        flags = intervals.contains(cycle, when)
        inner = percentiles.summarise(measured.response[flags], when[flags])
        outer = percentiles.summarise(measured.response[~flags], when[~flags])
        inside = inner.p99 if inner else None
        outside = outer.p99 if outer else None
        count = int(np.count_nonzero(flags))
    worker, assist = seen.gc_sum("mark_worker"), seen.gc_sum("assist")
    return Collector(
        kind=facts.collector,
        cycles=seen.gc_cycles,
        stop_the_world=seen.stops,
        mark_share=seen.gc["mark_phase"].total_ns / max(facts.end_ns - facts.measure_ns, 1),
        mark_worker_ns=worker,
        assist_ns=assist,
        p99_inside=inside,
        p99_outside=outside,
        requests_inside=count,
    )


def _resources(
    facts: TrialFacts, load: Load | None, recording: Recording, missing: dict[str, str]
) -> tuple[Resources | None, dict[str, float | None]]:
    low, high = facts.measure_ns, facts.end_ns
    span = max(high - low, 1)
    backend = samples.between(facts.samples, lambda s: s.backend_cpu_ns, low, high)
    engine = samples.between(facts.samples, lambda s: s.engine_cpu_ns, low, high)
    if engine is None:
        lines = (recording.engine or {}).get("second", [])
        spent = [int(line.get("cpu_ns", 0)) for line in lines if not line.get("warmup")]
        engine = sum(spent) if spent else None
    use = {
        "backend": None
        if backend is None
        else backend / span / max(len(facts.layout.backend_cpus), 1),
        "engine": None if engine is None else engine / span / max(len(facts.layout.engine_cpus), 1),
    }
    if backend is None or engine is None or load is None:
        missing["resources"] = "no two samples of the CPU time of backend and engine"
        return None, use
    extra = machine.probed(recording, low, high)
    return (
        Resources(
            backend_cpu_ns=backend,
            backend_cpu_ns_per_request=backend / max(load.completed, 1),
            memory_peak_bytes=facts.memory_peak_bytes,
            engine_cpu_ns=engine,
            engine_core_share=engine / span,
            throttled_ns=samples.between(facts.samples, lambda s: s.throttled_ns, low, high),
            **extra,
        ),
        use,
    )


def _report(outcome: ProbeOutcome) -> ProbeReport:
    return ProbeReport(
        name=outcome.name,
        state=outcome.state,
        reason=outcome.reason,
        records=outcome.records,
        drops=outcome.drops,
        cpu_ns=outcome.cpu_ns,
        bpf_run_ns=outcome.bpf.run_ns if outcome.bpf else None,
    )


def _series(measured: _Measured | None, seen: Watched) -> list[Second]:
    if measured is None:
        return []
    backend = seen.role("backend")
    gc = seen.gc or {}
    rows = seconds.series(
        low=measured.facts.measure_ns,
        high=measured.facts.end_ns,
        intended_ns=measured.requests.intended_ns,
        response_ns=measured.response,
        good=(measured.requests.outcome == 0) & measured.answered,
        own_fault_ns=measured.lag.own_fault,
        windows={
            "pause": seen.gaps,
            "stop_the_world": gc.get("stop_the_world"),
            "mark": gc.get("mark_phase"),
            **{kind: backend.get(kind) for kind in ("vcpu_not_run", "wakeup_not_taken", "foreign")},
        },
        server_p99_ns=server_p99(seen.server_time),
    )
    return saturation.timeless(rows) if measured.facts.closed_loop else rows


def _slow(measured: _Measured | None, seen: Watched) -> list[SlowRequest]:
    """The slowest requests, slowest first, with what they overlapped."""
    if measured is None:
        return []
    count = min(SLOW_REQUESTS, len(measured.response))
    at = np.argpartition(measured.response, -count)[-count:]
    at = at[np.argsort(-measured.response[at], kind="stable")]
    requests, gc = measured.requests, seen.gc
    start = requests.intended_ns[at]
    end = start + measured.response[at]
    within = {
        "in_gap": seen.gaps,
        "in_stop_the_world": gc["stop_the_world"] if gc else None,
        "in_mark": gc["mark_phase"] if gc else None,
        "in_platform": seen.all_platform() if seen.platform is not None else None,
    }
    flags = {
        name: None if part is None else intervals.touched(part, start, end)
        for name, part in within.items()
    }
    outcomes = ("good", *requests.errors)
    return [
        SlowRequest(
            intended_ns=int(requests.intended_ns[i]),
            sent_ns=int(requests.sent_ns[i]),
            last_byte_ns=int(requests.last_byte_ns[i]),
            response_ns=int(measured.response[i]),
            service_ns=int(measured.service[i]) if measured.lag.sent[i] else None,
            own_fault_ns=int(measured.lag.own_fault[i]),
            backlog_ns=int(measured.lag.backlog[i]),
            connection=int(requests.connection[i]),
            operation=_word(requests.operations, int(requests.operation[i])),
            outcome=_word(outcomes, int(requests.outcome[i])),
            **{name: None if f is None else bool(f[row]) for name, f in flags.items()},
        )
        for row, i in enumerate(at)
    ]


def _word(words: tuple[str, ...], index: int) -> str:
    return words[index] if index < len(words) else str(index)
