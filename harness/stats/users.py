"""Figures of a user's own locustfile from its records."""

from __future__ import annotations

import numpy as np

from harness.model.users import Records, UsersAsked, UsersEntry, UsersSummary, UsersTimes
from harness.model.words import printable
from harness.stats.percentiles import summarise

# Beyond this share of its one core a Python generator's times are its own queue's.
BUSY_SHARE = 0.9
LABEL = (
    "service times seen by Python: from the actual send, so a server that stalls is asked less "
    "and looks better than to a schedule; gevent's own waiting is in them"
)


def figures(asked: UsersAsked, folder: str, summary: UsersSummary, records: Records) -> UsersTimes:
    """Over the requests that ended within the measured part."""
    low_ns = summary.begun_ns + round(asked.warmup_s * 1e9)
    high_ns = low_ns + round(asked.duration_s * 1e9)
    ended = records["end_ns"]
    inside = records[(ended >= low_ns) & (ended < high_ns)]
    entries = [
        _entry(printable(method), printable(name), inside[inside["entry"] == number])
        for number, (method, name) in enumerate(summary.entries)
    ]
    total = _entry("", "all", inside)
    lived_ns = max(summary.ended_ns - summary.begun_ns, 1)
    return UsersTimes(
        asked=asked,
        folder=folder,
        entries=[entry for entry in entries if entry.count],
        total=total,
        achieved_rps=(total.count - total.failures) / asked.duration_s,
        errors={printable(text): count for text, count in summary.errors.items()},
        generator_core_share=summary.cpu_ns / lived_ns,
        resolution=(
            "1 ms: the client gives whole milliseconds"
            if summary.whole_milliseconds
            else "1 us: Python's clock as the client reads it"
        ),
        label=LABEL,
    )


def _entry(method: str, name: str, records: Records) -> UsersEntry:
    started = records["end_ns"] - records["service_ns"]
    order = np.argsort(started, kind="stable")
    service = np.ascontiguousarray(records["service_ns"][order])
    return UsersEntry(
        method=method,
        name=name,
        count=len(records),
        failures=int(records["failed"].sum()),
        service=summarise(service, np.ascontiguousarray(started[order])),
    )
