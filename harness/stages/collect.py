"""Joins a trial's requests with collector, pauses and platform: Recording to TrialData."""

from __future__ import annotations

from collections.abc import Callable

from harness.model.analysis import Second
from harness.model.checks import SelfChecks
from harness.model.collected import Collected
from harness.model.evidence import Evidence
from harness.model.facts import ProbeOutcome
from harness.model.recording import Recording
from harness.model.trial import (
    Clean,
    Latency,
    OperationFigures,
    PartData,
    ProbeReport,
    TrialData,
)
from harness.model.verdict import Verdict
from harness.stats import (
    buckets,
    clean,
    collector,
    decoded,
    hiccups,
    loads,
    machine,
    operations,
    pace,
    parts,
    pauses,
    percentiles,
    resources,
    saturation,
    seconds,
    selfchecks,
    slowest,
)
from harness.stats.measured import Measured, of_recording
from harness.stats.streams import Watched, server_p99, watched

SCHEMA = 1


def collect(recording: Recording, judge: Callable[[Evidence], Verdict]) -> Collected:
    """Everything that a trial's files say; what they do not say is None, with the reason."""
    facts = recording.facts
    missing = {name.removesuffix(".bin"): why for name, why in recording.reasons.items()}
    seen = watched(recording, missing)
    measured = of_recording(recording)
    if measured is None:
        missing.setdefault("requests", "no request of the measured part was recorded")
        missing["latency"] = missing["requests"]
    load = loads.of_trial(recording, measured.counted() if measured is not None else None, missing)
    used, use = resources.of_trial(facts, load, recording, missing)
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
        resources=used,
        probes=probes,
        own_lag_p99_ns=latency.own_fault_lag.p99 if latency is not None else None,
        checks=checks,
        hiccups=late,
        stops_ns=hiccups.stops_by_second(facts, recording.hiccups),
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
        collector=collector.of_trial(facts, seen, None if facts.closed_loop else measured),
        resources=used,
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
    return Collected(trial, _series(measured, seen), slowest.of_trial(measured, seen))


def _operations(recording: Recording, measured: Measured | None) -> dict[str, OperationFigures]:
    if measured is not None:
        return operations.of_requests(measured.requests, measured.response)
    return operations.of_done(loads.done(recording).get("by_operation") or {})


def _parts(recording: Recording, measured: Measured | None) -> list[PartData]:
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
    measured: Measured, seen: Watched, use: dict[str, float | None], missing: dict[str, str]
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
    measured: Measured | None,
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
    measured: Measured, seen: Watched, use: dict[str, float | None], missing: dict[str, str]
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


def _series(measured: Measured | None, seen: Watched) -> list[Second]:
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
