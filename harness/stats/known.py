"""The known answers of a scripted server: what must be read, from its script and log. Pure.

The log says what was done to which request. Counts must be equal. A time is compared with what the
server really took, not with what it was asked to take, so that its own lateness is no error of the
instrument; beside that stands the base response time, the P50 of answers that nothing delayed.
"""

from __future__ import annotations

import numpy as np

from harness.model.known import Check, Deeds
from harness.model.recording import FLAG_WARM_UP, Flags, Floats, Ints, Requests
from harness.stats.percentiles import rank

TOLERANCE_NS = 500_000
QUANTILES = {"P99.5": 0.995, "P99.9": 0.999}  # of answers of which 1% are slow
NEIGHBOURS = 101  # whose median stands for a moment of an overload: neighbours change places
SCANS = 64  # the engine looks for timeouts that often in a timeout, but not more than once a ms


def failures(requests: Requests) -> dict[str, int]:
    """Failed requests by kind, warm-up included."""
    counts = np.bincount(requests.outcome, minlength=len(requests.errors) + 1)
    return {name: int(counts[i + 1]) for i, name in enumerate(requests.errors) if counts[i + 1]}


def exactly(requests: Requests, kind: str, deeds: Deeds) -> list[Check]:
    """As many failures of this kind as the server made, and none of another."""
    found = failures(requests)
    others = sum(count for name, count in found.items() if name != kind)
    return [
        Check(f"requests that failed as {kind}", len(deeds), found.get(kind, 0), 0),
        Check("other failures", 0, others, 0),
    ]


def failures_measured(requests: Requests) -> int:
    """Failed requests of the measured part."""
    return int(np.count_nonzero(_measured(requests) & (requests.outcome != 0)))


def no_failures(requests: Requests) -> Check:
    """Nothing failed."""
    return Check("failures", 0, sum(failures(requests).values()), 0)


def connections_lost(deeds: Deeds, lost: int | None) -> Check:
    """Each of these deeds costs one connection, and nothing else does."""
    return Check("connections that were lost", len(deeds), lost, 0)


def slow(
    requests: Requests, deeds: Deeds, slow_ns: int, *, measured: tuple[int, int]
) -> list[Check]:
    """Some answers are late by `slow_ns`: how many, the bulk untouched, and the tail's percentiles.

    Of N requests the share of slowest begins at the delay that as many of the server's own are
    beyond, plus the base: slow answers are 1%, so P99.5 and P99.9 lie among them.
    """
    service = requests.last_byte_ns - requests.sent_ns
    part = _measured(requests)
    response = np.sort((requests.last_byte_ns - requests.intended_ns)[part])
    base = rank(response, 0.5) if len(response) else None
    received, last = np.array(deeds.received_ns), np.array(deeds.last_ns)
    inside = (received >= measured[0]) & (received < measured[1])
    delays = np.sort((last - received)[inside])[::-1]
    checks = [
        Check("answers slow by the script's time", len(deeds), int((service >= slow_ns).sum()), 0),
        no_failures(requests),
        Check("P50", 0, base, TOLERANCE_NS, "ns"),
    ]
    for name, quantile in QUANTILES.items():
        slower = int((1 - quantile) * len(response) + 1e-9)
        if base is None or slower >= len(delays):
            checks.append(Check(name, 0, None, TOLERANCE_NS, "ns"))
            continue
        expected = int(delays[slower]) + base
        checks.append(Check(name, expected, rank(response, quantile), TOLERANCE_NS, "ns"))
    return checks


def dropped(requests: Requests, deeds: Deeds, timeout_ns: int) -> list[Check]:
    """What is never answered times out, after the timeout, and holds up nothing else.

    The engine looks for timeouts in steps: a failure is noticed up to a step late.
    """
    late = _outcome(requests, "timeout")
    service = requests.last_byte_ns - requests.sent_ns
    waited = service[late] - timeout_ns
    step = max(timeout_ns / SCANS, 1_000_000)
    worst = int(waited[np.argmax(np.abs(waited - step / 2))]) + timeout_ns if len(waited) else None
    held_up = int((service[requests.outcome == 0] >= timeout_ns / 2).sum())
    return [
        *exactly(requests, "timeout", deeds),
        Check(
            "the wait before it was given up, the farthest off",
            timeout_ns + step / 2,
            worst,
            step / 2 + TOLERANCE_NS,
            "ns",
        ),
        Check("others that took longer than half the timeout", 0, held_up, 0),
    ]


def late(requests: Requests, deeds: Deeds) -> list[Check]:
    """Every first byte is late, and every last byte is later: by what the server really took."""
    good = requests.outcome == 0
    first = (requests.first_byte_ns - requests.sent_ns)[good]
    rest = (requests.last_byte_ns - requests.first_byte_ns)[good]
    received, first_sent = np.array(deeds.received_ns), np.array(deeds.first_ns)
    took_first, took_rest = first_sent - received, np.array(deeds.last_ns) - first_sent
    return [
        Check("answers", len(deeds), int(good.sum()), 0),
        no_failures(requests),
        Check(
            "first bytes before the server sent any",
            0,
            int((first < took_first.min()).sum()) if len(deeds) else None,
            0,
        ),
        Check("first byte, P50", _middle(took_first) or 0, _middle(first), TOLERANCE_NS, "ns"),
        Check(
            "first to last byte, P50", _middle(took_rest) or 0, _middle(rest), TOLERANCE_NS, "ns"
        ),
    ]


def overloaded(
    requests: Requests, deeds: Deeds, *, rate_rps: float, served_rps: int
) -> list[Check]:
    """More is offered than is served, one after the other: the wait grows without end.

    The k-th request is intended k / offered after the first and served (k + 1) / served after it,
    so its response time is t (offered - served) / served + 1 / served at its time t, and as much
    more as the server was idle until then by its own log. The median of neighbours is taken of
    what is left without that growth: among growing times one late answer would change places.
    """
    response = requests.last_byte_ns - requests.intended_ns
    since = requests.intended_ns - requests.intended_ns[0]
    grown = since * (rate_rps - served_rps) / served_rps
    turns, step_ns = _turns(deeds, served_rps), 1e9 / served_rps
    lateness = np.array(deeds.last_ns) - turns
    idle = turns - requests.intended_ns[0] - step_ns * np.arange(1, len(turns) + 1)
    checks = [
        Check("answers", len(deeds), int((requests.outcome == 0).sum()), 0),
        no_failures(requests),
    ]
    for name, share in (("a quarter", 0.25), ("half", 0.5), ("the end", 1.0)):
        end = max(int(share * len(response)), NEIGHBOURS)
        near = slice(end - NEIGHBOURS, end)
        idle_ns = float(idle[min(end, len(idle)) - NEIGHBOURS // 2 - 1]) if len(idle) else 0.0
        late_ns = float(np.median(lateness[near])) if len(lateness[near]) else 0.0
        grown_ns = float(np.median(grown[near]))
        rest_ns = _middle((response - grown)[near]) if len(response) >= NEIGHBOURS else None
        found = None if rest_ns is None else grown_ns + rest_ns
        expected = grown_ns + step_ns + late_ns + idle_ns
        checks.append(Check(f"response time at {name}", expected, found, TOLERANCE_NS, "ns"))
    return checks


def _turns(deeds: Deeds, served_rps: int) -> Ints:
    """When each was due: a step after it came, or after the one before it."""
    step = 1_000_000_000 // served_rps
    due, turns = 0, []
    for received in sorted(deeds.received_ns):
        due = max(due, received) + step
        turns.append(due)
    return np.array(turns, np.int64)


def _middle(values: Ints | Floats) -> float | None:
    return float(np.median(values)) if len(values) else None


def _outcome(requests: Requests, kind: str) -> Flags:
    found: Flags = requests.outcome == requests.errors.index(kind) + 1
    return found


def _measured(requests: Requests) -> Flags:
    found: Flags = (requests.flags & FLAG_WARM_UP) == 0
    return found
