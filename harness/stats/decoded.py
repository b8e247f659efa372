"""Latency from the engine's own histograms, for trials whose request records are elsewhere.

Workers on other machines keep their records; their histograms come with the report. A histogram
has lost the order of its values, so neither episodes nor a bootstrap can be told from it.
"""

from __future__ import annotations

from typing import Any

from hdrh.histogram import HdrHistogram

from harness.model.trial import Clean, Latency, Percentiles
from harness.stats.percentiles import EPISODES_MIN, FIGURES, log_nines


def latency(histograms: dict[str, Any], *, elsewhere: int = 0) -> Latency | None:
    """From {response, service, own_fault_lag, backlog_lag}; None when one is missing or empty.

    `elsewhere`: how many workers ran on other machines, for the reason why nothing is clean.
    """
    names = ("response", "service", "own_fault_lag", "backlog_lag")
    parts = [summarise(str(histograms[name])) for name in names if histograms.get(name)]
    if len(parts) < len(names) or any(part is None for part in parts):
        return None
    response, service, own, backlog = (part for part in parts if part is not None)
    why = "clean percentiles need the record of every request, and only histograms are here"
    if elsewhere:
        machines = "another machine" if elsewhere == 1 else f"{elsewhere} other machines"
        why = f"observed only: the load came from {machines}, where no probe watches"
    return Latency(response, service, own, backlog, Clean(None, None, why))


def summarise(encoded: str) -> Percentiles | None:
    """Percentiles of one histogram (base64 of HdrHistogram V2, compressed)."""
    return percentiles_of(HdrHistogram.decode(encoded))


def percentiles_of(histogram: Any) -> Percentiles | None:
    """The same of one that is decoded; None of no values."""
    count = int(histogram.get_total_count())
    if not count:
        return None
    shown = {
        name: _at(histogram, share) if count * (1 - share) >= EPISODES_MIN else None
        for name, share in FIGURES.items()
    }
    return Percentiles(
        count=float(count),
        p50=shown["p50"],
        p90=shown["p90"],
        p99=shown["p99"],
        p999=shown["p999"],
        p9999=shown["p9999"],
        max=int(histogram.get_max_value()),
        curve=[(share, _at(histogram, share)) for share in log_nines(count)],
    )


def _at(histogram: Any, share: float) -> int:
    return int(histogram.get_value_at_percentile(share * 100))
