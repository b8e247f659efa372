"""What the machine did to a trial, from the samples and the windows: platform, cores, evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.model.checks import SelfChecks
from harness.model.evidence import CoreUse, Evidence
from harness.model.facts import TrialFacts
from harness.model.recording import Flags, Ints, Requests
from harness.model.trial import Hiccups, Load, Platform, ProbeReport, Resources, Total
from harness.stats import clean, intervals, lag, pauses, percentiles, samples
from harness.stats.streams import PLATFORM_KINDS, Watched

SECOND_NS = 1_000_000_000
# /proc/stat counts in ticks of 10 ms, and a second's two ends can each be off by one.
STEAL_DOUBT_NS = 20_000_000
STEAL_LOUD = 0.01  # a second with more steal than this on the engine's CPUs says nothing of it
ROLES = ("backend", "engine")


@dataclass(frozen=True, slots=True)
class OwnLag:
    """The own fault of sends that the platform leaves over; None: not measured."""

    p99_ns: int | None = None
    max_ns: int | None = None
    stalled_seconds_share: float | None = None
    explained_by: str = ""


def cpus(facts: TrialFacts, role: str) -> list[int]:
    """The CPUs of a role; none for engines that all ran on other machines."""
    if role == "engine" and not facts.workers:
        return []
    return facts.layout.backend_cpus if role == "backend" else facts.layout.engine_cpus


def platform(facts: TrialFacts, seen: Watched, missing: dict[str, str]) -> Platform | None:
    """Steal by role, and the windows of the platform probe; None when neither was measured."""
    steal: dict[str, float] = {}
    for role in ROLES:
        share = _share(facts, role, "steal_ns")
        if share is None:
            missing[f"steal.{role}"] = _no_steal(facts, role)
        else:
            steal[role] = share
    if not steal and seen.platform is None:
        return None
    windows: dict[str, Total] | None = None
    if seen.platform is not None:
        windows = {
            kind: pauses.total_of(
                intervals.union(
                    *(seen.role(role).get(kind, intervals.EMPTY) for role in seen.platform)
                )
            )
            for kind in PLATFORM_KINDS
        }
    return Platform(steal_share=steal, windows=windows, foreign_holders=seen.holders)


def _share(facts: TrialFacts, role: str, field: str) -> float | None:
    low, high = facts.measure_ns, facts.end_ns
    own = cpus(facts, role)
    if not own:
        return None
    grown = samples.between(facts.samples, samples.of_cpus(own, field), low, high)
    return None if grown is None or high <= low else grown / ((high - low) * len(own))


def _no_steal(facts: TrialFacts, role: str) -> str:
    if role == "engine" and not facts.workers:
        return "every engine ran on another machine"
    told = f"/proc/stat has no counters of the {role}'s CPUs"
    return samples.unsampled(facts) or told


def _core_use(facts: TrialFacts, role: str, seen: Watched) -> CoreUse:
    own = cpus(facts, role)
    span = max(facts.end_ns - facts.measure_ns, 1)
    not_run, foreign = None, None
    if seen.platform is not None:
        part = seen.role(role)
        not_run = part.get("vcpu_not_run", intervals.EMPTY).total_ns / span
        foreign = part.get("foreign", intervals.EMPTY).total_ns / span
    elif role == "backend" and facts.layout.name == "split":
        foreign = _busy_of_others(facts)
    return CoreUse(
        cpus=own,
        steal_share=_share(facts, role, "steal_ns"),
        not_run_share=not_run,
        foreign_share=foreign,
        foreign_holders=(seen.holders or {}).get(role, {}),
    )


def _busy_of_others(facts: TrialFacts) -> float | None:
    """Without a probe: the busy time of the backend's CPUs that the backend itself did not use.

    Interrupts and kernel threads count as others here, so it reads higher than the probe's windows.
    """
    busy = _share(facts, "backend", "busy_ns")
    low, high = facts.measure_ns, facts.end_ns
    own = samples.between(facts.samples, lambda s: s.backend_cpu_ns, low, high)
    if busy is None or own is None:
        return None
    return max(busy - own / ((high - low) * len(facts.layout.backend_cpus)), 0.0)


def evidence(
    facts: TrialFacts,
    *,
    requests: Requests | None,
    split: lag.Lag | None,
    load: Load | None,
    seen: Watched,
    resources: Resources | None,
    probes: list[ProbeReport],
    own_lag_p99_ns: int | None,
    checks: SelfChecks | None = None,
    hiccups: Hiccups | None = None,
    stops_ns: Ints | None = None,
) -> Evidence:
    """What the judge needs; `requests` and `split` hold the measured part.

    `own_lag_p99_ns` is for trials without records, of which nothing can be taken off; `stops_ns`
    is the longest stop of the engine's CPUs in each measured second that a sleeper there saw.
    """
    late = OwnLag(p99_ns=own_lag_p99_ns)
    never = None
    if requests is not None and split is not None:
        if not facts.closed_loop:
            late = _own_lag(facts, requests, split, seen, resources, stops_ns)
        never = len(requests) - int(np.count_nonzero(split.sent))
    return Evidence(
        subject=facts.spec.subject.name,
        duration_ns=facts.end_ns - facts.measure_ns,
        backend=_core_use(facts, "backend", seen),
        engine=_core_use(facts, "engine", seen),
        layout=facts.layout.name,
        load=load,
        never_sent=never if load is None else max(_never_sent(load), never or 0),
        own_lag_p99_ns=late.p99_ns,
        own_lag_seconds_share=late.stalled_seconds_share,
        own_lag_max_ns=late.max_ns,
        lag_explained_by=late.explained_by,
        throttled_ns=samples.between(
            facts.samples, lambda s: s.throttled_ns, facts.measure_ns, facts.end_ns
        ),
        probes=probes,
        incidents=facts.incidents,
        calibration_passed=facts.calibration_passed,
        calibration_text=facts.calibration_text,
        checks=checks,
        hiccups=hiccups,
        closed_loop=facts.closed_loop,
        engine_busy_share=resources.engine_core_share
        / (facts.engine_threads * max(facts.workers, 1))
        if resources
        else None,
    )


def _never_sent(load: Load) -> int:
    """Without what lost workers still had to send: that has a reason of its own."""
    return load.offered - load.sent - sum(one.planned - one.offered for one in load.workers_lost)


def _own_lag(
    facts: TrialFacts,
    requests: Requests,
    split: lag.Lag,
    seen: Watched,
    resources: Resources | None,
    stops_ns: Ints | None,
) -> OwnLag:
    """What the platform leaves over, by its windows where a probe saw them, else by steal."""
    if not np.any(split.sent):
        return OwnLag()
    when = requests.intended_ns[split.sent]
    own, sent = split.own_fault[split.sent], requests.sent_ns[split.sent]
    low, count = facts.measure_ns, max((facts.end_ns - facts.measure_ns) // SECOND_NS, 1)
    if seen.platform is None:
        return _beside_steal(facts, own, when, low, count, stops_ns)
    part = seen.role("engine")
    taken = intervals.union(
        part.get("vcpu_not_run", intervals.EMPTY), part.get("wakeup_not_taken", intervals.EMPTY)
    )
    # The requests that came due meanwhile are sent one after another: that is its backlog.
    rho = clean.utilisation([resources.engine_core_share if resources else 0.0])
    # Either may see a stop that the other missed; one seen by both is taken off once.
    stalled = lag.stalled_seconds(own, when, low, count, stops_ns)
    own = lag.unexplained(own, sent, clean.extended(taken, rho, when, sent))
    stalled &= lag.stalled_seconds(own, when, low, count, None)
    text = "the engine's vCPU stops are taken off" if len(taken) else ""
    return _of_sends(own, own, stalled, text)


def _beside_steal(
    facts: TrialFacts, own: Ints, when: Ints, low: int, count: int, stops_ns: Ints | None
) -> OwnLag:
    """What is left over where seconds with steal on the engine's CPUs say nothing of the engine."""
    steal = _steal_by_second(facts, low, count)
    stalled = lag.stalled_seconds(own, when, low, count, _explained(steal, stops_ns))
    if steal is None:
        return _of_sends(own, own, stalled, "")
    second = np.clip((when - low) // SECOND_NS, 0, count - 1)
    quiet = own[steal[second] <= STEAL_LOUD * SECOND_NS * max(len(facts.layout.engine_cpus), 1)]
    text = f"{float(np.mean(steal > STEAL_LOUD * SECOND_NS)):.0%} of the seconds have steal"
    return _of_sends(own, quiet, stalled, text if len(quiet) < len(own) else "")


def _of_sends(own: Ints, quiet: Ints, stalled: Flags, explained_by: str) -> OwnLag:
    """P99 of the quiet ones, None without any; the worst of all, as stalled seconds are of all."""
    return OwnLag(
        p99_ns=percentiles.rank(np.sort(quiet), 0.99) if len(quiet) else None,
        max_ns=int(own.max()),
        stalled_seconds_share=float(np.mean(stalled)),
        explained_by=explained_by,
    )


def _explained(steal_ns: Ints | None, stops_ns: Ints | None) -> Ints | None:
    """How long the machine can have stopped the engine at once in each second; None: not known."""
    stolen = None if steal_ns is None else np.where(steal_ns > 0, steal_ns + STEAL_DOUBT_NS, 0)
    if stolen is None or stops_ns is None:
        return stops_ns if stolen is None else stolen
    return np.maximum(stolen, stops_ns)


def _steal_by_second(facts: TrialFacts, low: int, count: int) -> Ints | None:
    edges = low + np.arange(count + 1, dtype=np.int64) * SECOND_NS
    counter = samples.of_cpus(facts.layout.engine_cpus, "steal_ns")
    values = samples.at_edges(facts.samples, counter, edges)
    return None if values is None else np.diff(values).astype(np.int64)
