"""The known-answer tests of a server that does something to every n-th request, or to each.

The truth is the server's own log and the schedule; `harness.stats.known` has the mathematics.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.drivers.freeze import read_deeds
from harness.model.facts import TrialFacts
from harness.model.known import Case, Check, Deeds
from harness.model.recording import Recording, Requests
from harness.model.trial import TrialData
from harness.stats import known

SLOW_US = 20_000
TIMEOUT_NS = 200_000_000  # of what is dropped
# 0.1%, as a prime: the last one then never falls into the moment in which a run ends.
ONE_IN = 997
SERVED_RPS = 800
RATE_RPS = 1000.0

CASES = (
    Case(
        name="1% of the answers slow by 20 ms",
        rate_rps=RATE_RPS,
        connections=64,
        duration_s=20.0,
        deed="slow",
        script={"slow-one-in": 100, "slow-us": SLOW_US},
    ),
    Case(
        name="0.1% of the requests never answered",
        rate_rps=RATE_RPS,
        connections=64,
        duration_s=10.0,
        deed="drop",
        script={"drop-one-in": ONE_IN},
        timeout_ns=TIMEOUT_NS,
    ),
    Case(
        name="0.1% of the connections reset",
        rate_rps=RATE_RPS,
        connections=64,
        duration_s=10.0,
        deed="reset",
        script={"reset-one-in": ONE_IN},
    ),
    Case(
        name="0.1% of the answers cut by a half-closed connection",
        rate_rps=RATE_RPS,
        connections=64,
        duration_s=10.0,
        deed="cut",
        script={"cut-one-in": ONE_IN},
    ),
    Case(
        name="0.1% of the connections half-closed after their answer",
        rate_rps=RATE_RPS,
        connections=64,
        duration_s=10.0,
        deed="finish",
        script={"finish-one-in": ONE_IN},
    ),
    Case(
        name="every first byte late by 5 ms, the last by 5 more",
        rate_rps=RATE_RPS,
        connections=64,
        duration_s=10.0,
        deed="late",
        script={"first-byte-us": 5000, "last-byte-us": 5000},
    ),
    Case(
        name="800 served of 1,000 offered a second",
        rate_rps=RATE_RPS,
        connections=64,  # so many wait at the server, which is never idle
        duration_s=6.0,
        deed="paced",
        script={"serve-rps": SERVED_RPS},
    ),
)

Judge = Callable[[Case, Requests, Deeds, TrialFacts], list[Check]]


def _slow(_: Case, requests: Requests, deeds: Deeds, facts: TrialFacts) -> list[Check]:
    measured = (facts.measure_ns, facts.end_ns)
    return known.slow(requests, deeds, SLOW_US * 1000, measured=measured)


def _paced(case: Case, requests: Requests, deeds: Deeds, _: TrialFacts) -> list[Check]:
    return known.overloaded(requests, deeds, rate_rps=case.rate_rps, served_rps=SERVED_RPS)


JUDGES: dict[str, Judge] = {
    "slow": _slow,
    "drop": lambda case, requests, deeds, _: known.dropped(requests, deeds, case.timeout_ns),
    "reset": lambda _, requests, deeds, __: known.exactly(requests, "reset", deeds),
    "cut": lambda _, requests, deeds, __: known.exactly(requests, "closed", deeds),
    "finish": lambda _, requests, __, ___: [known.no_failures(requests)],
    "late": lambda _, requests, deeds, __: known.late(requests, deeds),
    "paced": _paced,
}
LOSE_CONNECTIONS = {"drop", "reset", "cut", "finish"}


def read(case: Case, recording: Recording, data: TrialData, log: Path) -> list[Check]:
    """Every figure that the case's script decides, beside what was read."""
    facts, requests, load = recording.facts, recording.requests, data.load
    if requests is None or load is None or not len(requests):
        return [Check("requests with known times", case.rate_rps * case.duration_s, None, 0)]
    deeds = read_deeds(log, case.deed, since_ns=facts.start_ns)
    if not len(deeds):
        return [Check(f"deeds of the kind {case.deed!r} in the server's log", 1, 0, 0)]
    costly = deeds if case.deed in LOSE_CONNECTIONS else Deeds((), (), ())
    whole = bool((recording.engine or {}).get("done"))  # else nobody knows what has no end
    blamed = sum(reason.id.startswith("generator-") for reason in data.verdict.reasons)
    return [
        *JUDGES[case.deed](case, requests, deeds, facts),
        known.connections_lost(costly, load.connections_lost),
        Check("slots without an end", 0, load.unfinished if whole else None, 0),
        Check(
            "failures in the totals",
            known.failures_measured(requests),
            sum(load.errors.values()),
            0,
        ),
        Check("reasons that blame the load generator", 0, blamed, 0),
    ]
