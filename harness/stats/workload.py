"""What a scenario comes to: its mix, its sizes and what its objects hold, in figures and words."""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.model import words
from harness.model.manifest import FixedSize, LognormalSize, Objects, Scenario, TableSize


def mean_bytes(objects: Objects) -> float:
    """The expected size of an object."""
    size = objects.size
    if isinstance(size, FixedSize):
        return float(size.bytes)
    if isinstance(size, TableSize):
        weights = sum(weight for _, weight in size.rows)
        return sum(bytes_ * weight for bytes_, weight in size.rows) / weights
    if isinstance(size, LognormalSize):
        return _lognormal_mean(size)
    return float(objects.size_bytes or 0)


def _lognormal_mean(size: LognormalSize) -> float:
    """Of min and max with their shares, and of the truncated distribution between them."""
    normal, mu, sigma = NormalDist(), math.log(size.median_bytes), size.sigma
    low = (math.log(size.min_bytes) - mu) / sigma
    high = (math.log(size.max_bytes) - mu) / sigma
    between = normal.cdf(high - sigma) - normal.cdf(low - sigma)
    ends = size.min_bytes * normal.cdf(low) + size.max_bytes * (1 - normal.cdf(high))
    return ends + math.exp(mu + sigma**2 / 2) * between


def preloaded(scenario: Scenario) -> int:
    """How many objects are there before a run."""
    count = scenario.preload.count
    return (scenario.objects.count if count is None else count) + scenario.objects.churn // 2


def stored_bytes_most(scenario: Scenario) -> float:
    """What a store must hold when every object was put, as far as the mean says."""
    return (scenario.objects.count + scenario.objects.churn) * mean_bytes(scenario.objects)


def mix(scenario: Scenario) -> str:
    """`get 90, put 10`."""
    return ", ".join(f"{one.name} {one.weight:g}" for one in scenario.operations)


def sizes(objects: Objects) -> str:
    """`1,024 B`, or the distribution with its ends."""
    size = objects.size
    if isinstance(size, LognormalSize):
        ends = f"{_size(size.min_bytes)} to {_size(size.max_bytes)}"
        return f"{ends}, lognormal around {_size(size.median_bytes)} (sigma {size.sigma:g})"
    if isinstance(size, TableSize):
        rows = [bytes_ for bytes_, _ in size.rows]
        return f"{_size(min(rows))} to {_size(max(rows))}, a table of {len(rows)}"
    return f"{mean_bytes(objects):,.0f} B"


def popularity(objects: Objects) -> str:
    """`uniform` or `zipf 1.1`."""
    exponent = "" if objects.exponent is None else f" {objects.exponent:g}"
    return objects.popularity + exponent


def objects_text(scenario: Scenario) -> str:
    """Number, sizes and popularity of the objects."""
    objects = scenario.objects
    churn = f", {objects.churn:,} more come and go" if objects.churn else ""
    return f"{objects.count:,} of {sizes(objects)}, {popularity(objects)}{churn}"


def _size(bytes_: float) -> str:
    scale = words.column_scale("bytes", [bytes_])
    return f"{words.number(bytes_ / scale.divisor)} {scale.unit}"


def stored_text(scenario: Scenario) -> str:
    """`about 120 MiB`, exact where all objects are as large."""
    most = stored_bytes_most(scenario)
    exact = not isinstance(scenario.objects.size, LognormalSize | TableSize)
    return _size(most) if exact else f"about {_size(most)}"
