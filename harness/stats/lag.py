"""Send lag split in own fault and backlog, and the own fault that the platform does not explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.model.recording import FLAG_BACKLOG, Flags, Ints, Requests
from harness.stats import intervals
from harness.stats.intervals import Windows

STALLED_NS = 5_000_000
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Lag:
    """Of each request that was sent, in ns; 0 for requests that never were (see `sent`)."""

    own_fault: Ints
    backlog: Ints
    sent: Flags


def split(requests: Requests, depth: int = 1) -> Lag:
    """Split each send lag at the moment when a connection became free.

    That moment is the end of the answer before it on the same connection (with `depth` requests at
    once, pipelined or as streams: the moment at which so many of those before it had ended that
    less than `depth` were open), and the intended time when the record says that one was free.
    """
    sent = requests.sent_ns > 0
    at = np.flatnonzero(sent)
    order = at[np.lexsort((requests.sent_ns[at], requests.connection[at]))]
    free = np.zeros(len(requests), np.int64)
    ends = at[np.lexsort((requests.last_byte_ns[at], requests.connection[at]))]  # streams overtake
    earlier, later = ends[:-depth], order[depth:]
    same = requests.connection[earlier] == requests.connection[later]
    free[later[same]] = requests.last_byte_ns[earlier[same]]
    waited = (requests.flags & FLAG_BACKLOG) != 0
    start = np.where(waited, np.maximum(free, requests.intended_ns), requests.intended_ns)
    start = np.minimum(start, requests.sent_ns)
    own = np.where(sent, np.maximum(requests.sent_ns - start, 0), 0)
    backlog = np.where(sent, np.maximum(start - requests.intended_ns, 0), 0)
    return Lag(own_fault=own, backlog=backlog, sent=sent)


def unexplained(own_fault: Ints, sent_ns: Ints, platform: Windows) -> Ints:
    """The own fault without the time in which the platform held the engine's virtual CPU."""
    return own_fault - intervals.overlap(platform, sent_ns - own_fault, sent_ns)


def stalled_seconds(
    own_fault: Ints, intended_ns: Ints, low: int, seconds: int, explained_ns: Ints | None
) -> Flags:
    """Which seconds hold an own fault over STALLED_NS more than the platform explains.

    `explained_ns`: per second; None when it was taken off before, or nothing is known.
    """
    worst = np.zeros(seconds, np.int64)
    at = np.clip((intended_ns - low) // SECOND_NS, 0, seconds - 1)
    np.maximum.at(worst, at, own_fault)
    if explained_ns is not None:
        worst = worst - explained_ns
    stalled: Flags = worst > STALLED_NS
    return stalled
