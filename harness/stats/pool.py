"""Was the pool of connections too small? Waiting for one while the server answers tells it.

A request that waits because the server stalls waits rightly: no pool is meant to be larger than
rate x the longest stall. So the waits of stalls are left out: a stall is a stretch without any
answer, and reaches on until its backlog is gone.
"""

from __future__ import annotations

import numpy as np

from harness.model.checks import Pool
from harness.model.recording import Flags, Ints
from harness.stats import intervals
from harness.stats.intervals import Windows

STALL_NS_MIN = 1_000_000
STALL_ANSWERS = 8  # mean distances between answers: by chance one in 3,000 is longer
STALL_SERVICES = 2  # median service times: the answers of a full pool may come in bursts
DRAIN_MOST = 9  # stalls' lengths, as of clean percentiles: a server that is 90% busy


def check(
    *,
    intended_ns: Ints,
    service_ns: Ints,
    last_byte_ns: Ints,
    waited: Flags,
    connections: int,
    depth: int,
) -> Pool | None:
    """Of requests that were sent and answered, in order of intended time; None of none.

    `last_byte_ns` is of every answer, the warm-up's too: a stall may have begun there.
    """
    if not len(intended_ns):
        return None
    excused = intervals.contains(
        _stalls(last_byte_ns, intended_ns, service_ns, waited), intended_ns
    )
    at_fault = waited & ~excused
    count = int(np.count_nonzero(at_fault))
    enough = connections
    if count:
        most = _most_at_once(intended_ns[~excused], service_ns[~excused])
        enough = max(-(-most // max(depth, 1)), connections + 1)
    return Pool(count / len(intended_ns), count, connections, enough)


def _stalls(last_byte_ns: Ints, intended_ns: Ints, service_ns: Ints, waited: Flags) -> Windows:
    """Stretches without an answer, each with the waits that it left behind."""
    ends = np.sort(np.append(last_byte_ns, intended_ns[0]))  # nothing is known from before it
    mean = float(ends[-1] - ends[0]) / max(len(ends) - 1, 1)
    least = max(STALL_NS_MIN, STALL_ANSWERS * mean, STALL_SERVICES * float(np.median(service_ns)))
    at = np.flatnonzero(np.diff(ends) >= least)
    start, end = ends[at], ends[at + 1]
    # The first request after the stall that found a connection free: there its backlog is gone.
    free = intended_ns[~waited]
    if not len(free):
        gone = end + DRAIN_MOST * (end - start)
    else:
        after = np.searchsorted(free, end)
        gone = np.where(after < len(free), free[np.minimum(after, len(free) - 1)], ends[-1])
    return intervals.merge(start, np.minimum(gone, end + DRAIN_MOST * (end - start)))


def _most_at_once(intended_ns: Ints, service_ns: Ints) -> int:
    """How many would have been open at once, had each been sent at its intended time."""
    when = np.concatenate([intended_ns, intended_ns + service_ns])
    step = np.concatenate([np.ones(len(intended_ns)), -np.ones(len(intended_ns))])
    walk = np.cumsum(step[np.argsort(when, kind="stable")])
    return int(walk.max(initial=0))
