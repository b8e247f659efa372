"""What was offered, sent and answered: from the engine's totals, else counted from its records."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from harness.model.recording import Flags, Recording, Requests
from harness.model.trial import Load, WorkerLoss

SECOND_NS = 1_000_000_000
Counted = dict[str, Any]


def done(recording: Recording) -> dict[str, Any]:
    """The engine's last event; empty when it left none."""
    found: dict[str, Any] = ((recording.engine or {}).get("done") or [{}])[-1]
    return found


def totals(recording: Recording) -> dict[str, Any]:
    """Its totals over the measured part; empty when it left none."""
    found: dict[str, Any] = done(recording).get("totals") or {}
    return found


def of_trial(recording: Recording, counted: Counted | None, missing: dict[str, str]) -> Load | None:
    """The counters; `counted` is what the records of the measured part say, None without any."""
    facts = recording.facts
    span = (facts.end_ns - facts.measure_ns) / SECOND_NS
    last, sums = done(recording), totals(recording)
    known = {**(counted or {}), **sums}
    if not sums and counted is None:
        missing["load"] = "the engine left neither totals nor records"
        return None
    if span <= 0:
        missing["load"] = "the measured part never began"
        return None
    if not sums:
        missing["load.totals"] = "the engine left no totals: counted from its records"

    def number(name: str) -> int:
        return int(known.get(name, 0))

    dropped = _told(last, "records_dropped", missing)

    return Load(
        offered=number("offered"),
        sent=number("sent"),
        completed=number("completed"),
        good=number("good"),
        errors={str(kind): int(count) for kind, count in known.get("errors", {}).items()},
        offered_rps=number("offered") / span,
        achieved_rps=number("good") / span,
        bytes_in=_told(sums, "bytes_in", missing),
        bytes_out=_told(sums, "bytes_out", missing),
        connections_lost=_told(last, "connections_lost", missing),
        records_dropped=dropped,
        unfinished=int(last.get("unfinished", known.get("unfinished", 0))),
        workers_lost=msgspec.convert(last.get("lost", []), list[WorkerLoss]),
        served=_served(recording, dropped or 0, missing),
    )


def _told(event: dict[str, Any], name: str, missing: dict[str, str]) -> int | None:
    """A counter that only the engine has; without its word there is none, which is not zero."""
    if name not in event:
        missing[f"load.{name}"] = "the engine did not say it"
        return None
    return int(event[name])


def _served(recording: Recording, dropped: int, missing: dict[str, str]) -> int | None:
    requests, facts = recording.requests, recording.facts
    if requests is None or dropped:
        missing["load.served"] = "the records of requests are not complete"
        return None
    ended = (requests.last_byte_ns >= facts.measure_ns) & (requests.last_byte_ns < facts.end_ns)
    return int(np.count_nonzero(ended & (requests.outcome == 0)))


def count(requests: Requests, sent: Flags, answered: Flags) -> Counted:
    """The same counters from records of the measured part."""
    outcomes = np.bincount(requests.outcome, minlength=len(requests.errors) + 1)
    return {
        "offered": len(requests),
        "sent": int(np.count_nonzero(sent)),
        "completed": int(np.count_nonzero(answered)),
        "good": int(np.count_nonzero((requests.outcome == 0) & answered)),
        "errors": {
            kind: int(number)
            for kind, number in zip(requests.errors, outcomes[1:], strict=False)
            if number
        },
        "unfinished": int(np.count_nonzero(~answered)),
    }
