"""The slowest requests of a trial, each with what it overlapped."""

from __future__ import annotations

import numpy as np

from harness.model.collected import SlowRequest
from harness.stats import intervals
from harness.stats.measured import Measured
from harness.stats.streams import Watched

SLOW_REQUESTS = 500


def of_trial(measured: Measured | None, seen: Watched) -> list[SlowRequest]:
    """The slowest SLOW_REQUESTS, slowest first."""
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
