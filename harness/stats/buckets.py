"""Percentiles of histograms that a probe wrote as `{"buckets": [[low, high, count], ...]}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.model.trial import Percentiles
from harness.stats.percentiles import EPISODES_MIN, FIGURES

Buckets = dict[tuple[int, int], int]


def merge(histograms: Iterable[dict[str, Any]]) -> Buckets:
    """The sum of histograms."""
    found: Buckets = {}
    for histogram in histograms:
        for low, high, count in histogram.get("buckets", []):
            key = (int(low), int(high))
            found[key] = found.get(key, 0) + int(count)
    return found


def quantile(buckets: Buckets, share: float) -> int | None:
    """The middle of the bucket that holds the percentile (a bucket is at most 1/16 wide)."""
    total = sum(buckets.values())
    seen = 0
    for (low, high), count in sorted(buckets.items()):
        seen += count
        if total and seen >= share * total - 1e-9 * total:
            return (low + high) // 2
    return None


def summarise(buckets: Buckets) -> Percentiles | None:
    """Percentiles; a histogram has lost the order, so 20 values beyond stand for 20 episodes."""
    total = sum(buckets.values())
    if not total:
        return None
    shown = {
        name: quantile(buckets, share) if total * (1 - share) >= EPISODES_MIN else None
        for name, share in FIGURES.items()
    }
    return Percentiles(
        count=float(total),
        p50=shown["p50"],
        p90=shown["p90"],
        p99=shown["p99"],
        p999=shown["p999"],
        p9999=shown["p9999"],
        max=max(high for _, high in buckets),
    )
