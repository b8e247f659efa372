"""A queue with one server, simulated: the oracle that clean percentiles are tested against."""

from __future__ import annotations

import numpy as np

from harness.model.recording import Floats, Ints
from harness.stats.intervals import Windows, merge

SECOND = 1_000_000_000


def windows(*parts: tuple[Ints, Ints]) -> Windows:
    """The union of (start, duration) pairs."""
    return merge(
        np.concatenate([start for start, _ in parts]),
        np.concatenate([start + long for start, long in parts]),
    )


def serve(intended: Ints, service: Ints, stops: Windows, latency: int = 0) -> Ints:
    """When each request ends, first come first served; nothing is served during `stops`.

    `latency` is added to each end: time that a request takes without holding the server.
    """
    if not len(stops):
        stops = Windows(intended[-1:] * 2 + SECOND, intended[-1:] * 2 + SECOND)
    # In the server's own time, in which stops have no length, it is an ordinary queue.
    before = np.concatenate([[0], np.cumsum(stops.end - stops.start)])
    own_start = stops.start - before[:-1]
    at = np.searchsorted(stops.start, intended, side="right")
    inside = (at > 0) & (intended < stops.end[np.maximum(at - 1, 0)])
    arrived = np.where(inside, own_start[np.maximum(at - 1, 0)], intended - before[at])
    total = np.cumsum(service)
    free: Ints = total + np.maximum.accumulate(arrived - (total - service))
    ends: Ints = free + before[np.searchsorted(own_start, free, side="left")] + latency
    return ends


def schedule(rate: int, seconds: int) -> Ints:
    """The intended times of a uniform schedule."""
    return np.arange(rate * seconds, dtype=np.int64) * (SECOND // rate)


def poisson_windows(
    rng: np.random.Generator, per_second: float, mean_ns: float, seconds: int
) -> tuple[Ints, Ints]:
    """Windows that begin at random, of exponential length."""
    count = rng.poisson(per_second * seconds)
    start = np.sort(rng.integers(0, seconds * SECOND, count))
    long: Floats = rng.exponential(mean_ns, count)
    return start, long.astype(np.int64) + 1
