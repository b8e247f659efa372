"""Little's law over a trial: what is in flight on average is rate x mean time.

Over one set of records that is an identity. It says something because its two sides come from two
books that the engine keeps: the records on one side, counters and histograms on the other. A
request that one of them lost, or counted twice, sets them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram

from harness.model.checks import Balance
from harness.model.recording import Ints

SECOND_NS = 1_000_000_000
# The live counter is read a moment before or after the second's end, when its thread wakes.
BEFORE_NS = 100_000
AFTER_NS = 2_000_000


def check(
    *,
    sent_ns: Ints,
    last_byte_ns: Ints,
    measured_service_ns: Ints,
    totals: Mapping[str, Any],
    seconds: Sequence[Mapping[str, Any]],
    start_ns: int,
    span_ns: int,
) -> Balance | None:
    """None without the engine's histogram of service times.

    `sent_ns` and `last_byte_ns` are of every request that was sent and ended, the warm-up's too;
    `measured_service_ns` of those that were intended in the measured part of `span_ns`.
    """
    encoded = (totals.get("histograms") or {}).get("service")
    if not encoded or span_ns <= 0:
        return None
    histogram = HdrHistogram.decode(str(encoded))
    count = int(histogram.get_total_count())
    counted = count * float(histogram.get_mean_value()) / span_ns if count else 0.0
    recorded = float(np.sum(measured_service_ns)) / span_ns
    larger = max(counted, recorded)
    apart = abs(counted - recorded) / larger if larger > 0 else 0.0
    off = counter_off(sent_ns, last_byte_ns, seconds, start_ns)
    if off is not None:
        # Below one request in flight, one that is always there too many is as bad as at one.
        apart = max(apart, off / max(larger, 1.0))
    return Balance(recorded, counted, off, apart)


def counter_off(
    sent_ns: Ints, last_byte_ns: Ints, seconds: Sequence[Mapping[str, Any]], start_ns: int
) -> float | None:
    """How far the engine's own count of requests in flight lies from the records, in the median.

    A second counts as 0 where its count is among those that the records give around its end.
    """
    rise, fall = np.sort(sent_ns), np.sort(last_byte_ns)
    found = []
    for line in seconds:
        if line.get("warmup") or "in_flight" not in line:
            continue
        end = start_ns + (int(line["index"]) + 1) * SECOND_NS
        low, high = _extremes(rise, fall, end - BEFORE_NS, end + AFTER_NS)
        count = int(line["in_flight"])
        found.append(max(low - count, count - high, 0))
    return float(np.median(found)) if found else None


def _extremes(rise: Ints, fall: Ints, low: int, high: int) -> tuple[int, int]:
    """The fewest and the most that were in flight in [low, high]."""
    up, down = np.searchsorted(rise, [low, high]), np.searchsorted(fall, [low, high])
    first = int(up[0] - down[0])
    when = np.concatenate([rise[up[0] : up[1]], fall[down[0] : down[1]]])
    step = np.concatenate([np.ones(up[1] - up[0]), -np.ones(down[1] - down[0])])
    walk = first + np.cumsum(step[np.argsort(when, kind="stable")])
    return int(min(walk.min(initial=first), first)), int(max(walk.max(initial=first), first))
