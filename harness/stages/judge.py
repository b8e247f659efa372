"""Judges a trial by the table of thresholds in `harness.model.verdict`; every reason names who."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model.checks import Balance, Pool, ScheduleCheck
from harness.model.evidence import CoreUse, Evidence
from harness.model.trial import Load
from harness.model.verdict import THRESHOLDS, Reason, Status, Verdict

_ORDER = [Status.VALID, Status.DEGRADED, Status.INVALID]
STALLED_SECONDS_MIN = 3  # of a trial of four seconds one is a quarter, and says little
_WRONG = ("status", "length", "digest", "parse")


def judge(evidence: Evidence) -> Verdict:
    """The verdict with every reason, the worst first."""
    found = [
        *_incidents(evidence),  # first: what died explains what else is wrong
        *_generator(evidence),
        *_rate(evidence),
        *_books(evidence),
        *_cores(evidence),
        *_hiccups(evidence),
        *_answers(evidence),
        *_losses(evidence),
    ]
    reasons = sorted(found, key=lambda reason: -_ORDER.index(reason.status))
    return Verdict(status=reasons[0].status if reasons else Status.VALID, reasons=reasons)


def _reason(kind: str, value: float | None, who: str, text: str) -> Iterator[Reason]:
    """The reason, when the value is beyond a limit of its threshold; None was not measured."""
    threshold = THRESHOLDS[kind]
    if value is None:
        return
    if threshold.invalid is not None and value > threshold.invalid:
        yield Reason(kind, Status.INVALID, value, threshold.invalid, who, text)
    elif threshold.degraded is not None and value > threshold.degraded:
        yield Reason(kind, Status.DEGRADED, value, threshold.degraded, who, text)


def _stalled(evidence: Evidence, who: str, tail: str) -> Iterator[Reason]:
    """Fewer than STALLED_SECONDS_MIN stalled seconds degrade a trial and never invalidate it."""
    share = evidence.own_lag_seconds_share
    text = (
        f"{who} was over 5 ms late by its own fault in {share or 0:.0%} of the seconds, "
        f"at most {(evidence.own_lag_max_ns or 0) / 1e6:.1f} ms{tail}"
    )
    few = (share or 0.0) * evidence.duration_ns / 1e9 < STALLED_SECONDS_MIN - 0.5
    for reason in _reason("generator-stalled", share, who, text):
        if few and reason.status is Status.INVALID:
            limit = THRESHOLDS[reason.id].degraded or 0.0
            yield Reason(reason.id, Status.DEGRADED, reason.value, limit, who, text)
        else:
            yield reason


def _generator(evidence: Evidence) -> Iterator[Reason]:
    who = "the load generator"
    tail = f" ({evidence.lag_explained_by})" if evidence.lag_explained_by else ""
    lag_ms = (evidence.own_lag_p99_ns or 0) / 1e6
    yield from _reason(
        "generator-lag",
        evidence.own_lag_p99_ns,
        who,
        f"{who} sent 1% of the requests {lag_ms:.2f} ms late or more by its own fault{tail}",
    )
    yield from _stalled(evidence, who, tail)


def _rate(evidence: Evidence) -> Iterator[Reason]:
    who = "the load generator"
    load = evidence.load
    if load is None or evidence.never_sent is None:
        return
    if evidence.closed_loop:
        busy = evidence.engine_busy_share
        text = (
            f"{who} used {busy or 0:.0%} of its threads' time: {evidence.subject} may do more than "
            "was found (--engine-threads, or fewer cores for the backend)"
        )
        yield from _reason("generator-bound", busy, who, text)
    missed = evidence.never_sent / load.offered if load.offered else 1.0
    yield from _reason(
        "rate-missed",
        missed,
        evidence.subject,
        f"{evidence.never_sent:,} of {load.offered:,} requests ({missed:.2%}) were never sent: "
        f"no connection to {evidence.subject} became free, or {who} could not keep the rate",
    )


def _books(evidence: Evidence) -> Iterator[Reason]:
    """What the generator's own bookkeeping says of it."""
    checks, who = evidence.checks, "the load generator"
    if checks is None:
        return
    share, worst = checks.runqueue_share, checks.runqueue_second_p99
    yield from _reason(
        "generator-runqueue",
        share,
        who,
        f"{who} was ready to run and waited for a processor {share or 0:.1%} of the time, "
        f"{worst or 0:.1%} in the worst second of 100",
    )
    if checks.engine_throttled_ns is not None and evidence.duration_ns:
        throttled = checks.engine_throttled_ns / evidence.duration_ns
        yield from _reason(
            "generator-throttled",
            throttled,
            f"the CPU quota of {who}",
            f"a CPU quota stopped {who} for {checks.engine_throttled_ns / 1e6:.0f} ms, "
            f"{throttled:.1%} of the time",
        )
    if checks.schedule is not None:
        yield from _schedule(checks.schedule, who)
    if checks.balance is not None:
        yield from _balance(checks.balance, who)
    if checks.pool is not None:
        yield from _pool(checks.pool)


def _schedule(found: ScheduleCheck, who: str) -> Iterator[Reason]:
    faults = {
        "off the plan": found.slots_off or 0,
        "recorded twice": found.slots_doubled,
        "missing": found.slots_missing or 0,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in faults.items() if count)
    text = f"slots of the plan were not recorded exactly once: {told}"
    yield from _reason("schedule-slots", sum(faults.values()), who, text)
    share = f"{found.distance_share:.1%}"
    texts = {
        "sends": f"{who} sent up to {found.sends_behind:,} requests ({share}) too late, "
        f"{found.sends_behind_ns / 1e6:.0f} ms of the plan, with connections free",
        "slots": f"the slots lie up to {share} of all requests away from the plan's rate",
        "gaps": f"the gaps between slots are {share} away from a Poisson process",
    }
    yield from _reason(
        "schedule-nonconforming", found.distance_share, who, texts[found.distance_of]
    )


def _balance(found: Balance, who: str) -> Iterator[Reason]:
    off = found.counter_off or 0
    counter = f"; its live counter is {off:,.0f} away from the records" if off else ""
    yield from _reason(
        "littles-law",
        found.disagreement,
        who,
        f"{who}'s records say {found.in_flight_recorded:,.3f} requests in flight on average, "
        f"its counters and histograms {found.in_flight_counted:,.3f}{counter}",
    )


def _pool(found: Pool) -> Iterator[Reason]:
    yield from _reason(
        "connections-exhausted",
        found.waited_share,
        f"the pool of {found.connections:,} connections",
        f"{found.waited:,} requests ({found.waited_share:.2%}) waited for a connection while the "
        f"server was answering: at its service times --connections {found.connections_enough} "
        f"would have been enough",
    )


def _cores(evidence: Evidence) -> Iterator[Reason]:
    for role, use in (("backend", evidence.backend), ("engine", evidence.engine)):
        cores = _cores_text(role, use)
        share, source = _stolen(use)
        yield from _reason(
            f"steal-{role}",
            share,
            f"the hypervisor, on {cores}",
            f"the hypervisor took {share or 0:.1%} of the time of {cores} (by {source})",
        )
    use = evidence.backend
    holders = sorted(use.foreign_holders.items(), key=lambda item: -item[1])
    names = ", ".join(f"{name} {ns / 1e6:.0f} ms" for name, ns in holders[:3])
    cores = _cores_text("backend", use)
    yield from _reason(
        "core-shared",
        use.foreign_share,
        holders[0][0] if holders else "processes that are not the backend's",
        f"{names or 'processes that are not its own'} held {cores} for "
        f"{use.foreign_share or 0:.1%} of the time",
    )
    if evidence.layout == "shared":
        text = "backend and engine ran on the same cores, as --layout shared asks"
        yield from _reason("layout-shared", 1, "--layout shared", text)
    if evidence.throttled_ns is not None and evidence.duration_ns:
        share = evidence.throttled_ns / evidence.duration_ns
        yield from _reason(
            "quota-throttled",
            share,
            f"the CPU quota of {evidence.subject}",
            f"the CPU quota stopped {evidence.subject} for {evidence.throttled_ns / 1e6:.0f} ms, "
            f"{share:.1%} of the time",
        )


def _hiccups(evidence: Evidence) -> Iterator[Reason]:
    by_role = evidence.hiccups.by_role if evidence.hiccups is not None else {}
    known = [(part.p99, role, part) for role, part in by_role.items() if part.p99 is not None]
    if not known:
        return
    value, role, part = max(known, key=lambda entry: entry[0])
    use = evidence.backend if role == "backend" else evidence.engine
    cores = _cores_text(role, use)
    yield from _reason(
        "platform-hiccups",
        value,
        f"the platform, on {cores}",
        f"a thread that only sleeps on {cores} woke {value / 1e6:.2f} ms late or more in 1% of the "
        f"time, at most {(part.max or 0) / 1e6:.1f} ms",
    )


def _cores_text(role: str, use: CoreUse) -> str:
    cpus = ", ".join(str(cpu) for cpu in use.cpus)
    return f"the {role}'s CPU {cpus}" if cpus else f"the {role}'s CPUs"


def _stolen(use: CoreUse) -> tuple[float | None, str]:
    """The larger of the two measures: many hypervisors report no steal to their guests."""
    known = [
        (share, source)
        for share, source in (
            (use.steal_share, "/proc/stat"),
            (use.not_run_share, "the platform probe's clock ticks"),
        )
        if share is not None
    ]
    return max(known) if known else (None, "nothing")


def _answers(evidence: Evidence) -> Iterator[Reason]:
    load = evidence.load
    timed = evidence.own_lag_p99_ns is not None or bool(evidence.lag_explained_by)
    if evidence.closed_loop:
        timed = load is not None and load.sent > 0
    if load is None or not timed:
        text = "the engine left no request with known times, so nothing of this trial can be used"
        yield from _reason("load-missing", 1, "the load generator", text)
    if load is None:
        return
    answers = max(load.completed, load.good + sum(load.errors.values()), 1)
    bad = sum(load.errors.values()) + load.unfinished
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(load.errors.items()) if count)
    if load.unfinished:
        kinds = f"{kinds}, {load.unfinished:,} unfinished".lstrip(", ")
    yield from _reason(
        "errors",
        bad / answers,
        evidence.subject,
        f"{bad:,} of {answers:,} requests to {evidence.subject} failed ({kinds})",
    )
    wrong = sum(load.errors.get(kind, 0) for kind in _WRONG)
    yield from _reason(
        "backend-wrong",
        wrong,
        evidence.subject,
        f"{evidence.subject} answered {wrong:,} requests wrongly ({kinds})",
    )
    yield from _lost_workers(load)
    lost = load.records_dropped
    text = f"the engine lost {lost or 0:,} request records: its disk could not keep up"
    yield from _reason("records-dropped", lost, "the load generator", text)


def _lost_workers(load: Load) -> Iterator[Reason]:
    for one in load.workers_lost:
        lost = one.planned - one.completed
        share = lost / load.offered if load.offered else 1.0
        yield from _reason(
            "worker-lost",
            share,
            f"worker {one.name}",
            f"worker {one.name} was lost ({one.why}), and with it {lost:,} of {load.offered:,} "
            f"requests ({share:.1%}); {one.planned:,} were its share",
        )


def _losses(evidence: Evidence) -> Iterator[Reason]:
    for probe in evidence.probes:
        lost = sum(probe.drops.values())
        seen = sum(probe.records.values()) + lost
        share = lost / seen if seen else 0.0
        text = f"probe {probe.name} lost {lost:,} of {seen:,} events ({share:.2%})"
        yield from _reason("probe-dropped", share, f"probe {probe.name}", text)
    if evidence.calibration_passed is False:
        text = evidence.calibration_text or "the known-answer tests of this run failed"
        yield from _reason("calibration-failed", 1, "this run's calibration", text)


def _incidents(evidence: Evidence) -> Iterator[Reason]:
    for incident in evidence.incidents:
        yield from _reason(incident.id, 1, incident.who, incident.text)
