"""The known-answer tests of a server that does something to every n-th request, or to each.

The truth is the server's own log and the schedule; `harness.stats.known` has the mathematics.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.drivers.freeze import read_deeds
from harness.model.facts import TrialFacts
from harness.model.known import TIMEOUT_NS, Case, Check, Deeds
from harness.model.recording import Recording, Requests
from harness.model.trial import TrialData
from harness.stats import known

SLOW_US = 20_000
DROPPED_TIMEOUT_NS = 200_000_000  # of what is dropped
# 0.1%, as a prime: the last one then never falls into the moment in which a run ends.
ONE_IN = 997
SERVED_RPS = 800
RATE_RPS = 1000.0
CONNECTIONS = 64  # so many wait at a server that is overloaded, which is then never idle


def _case(
    name: str, deed: str, *, duration_s: float = 10.0, timeout_ns: int = TIMEOUT_NS, **script: int
) -> Case:
    """1,000 RPS on 64 connections; `script` are the server's flags, with _ for their dashes."""
    flags = {flag.replace("_", "-"): value for flag, value in script.items()}
    return Case(
        name=name,
        rate_rps=RATE_RPS,
        connections=CONNECTIONS,
        duration_s=duration_s,
        deed=deed,
        script=flags,
        timeout_ns=timeout_ns,
    )


CASES = (
    _case(
        "1% of the answers slow by 20 ms",
        "slow",
        duration_s=20.0,
        slow_one_in=100,
        slow_us=SLOW_US,
    ),
    _case(
        "0.1% of the requests never answered",
        "drop",
        timeout_ns=DROPPED_TIMEOUT_NS,
        drop_one_in=ONE_IN,
    ),
    _case("0.1% of the connections reset", "reset", reset_one_in=ONE_IN),
    _case("0.1% of the answers cut by a half-closed connection", "cut", cut_one_in=ONE_IN),
    _case("0.1% of the connections half-closed after their answer", "finish", finish_one_in=ONE_IN),
    _case(
        "every first byte late by 5 ms, the last by 5 more",
        "late",
        first_byte_us=5000,
        last_byte_us=5000,
    ),
    _case("800 served of 1,000 offered a second", "paced", duration_s=6.0, serve_rps=SERVED_RPS),
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
