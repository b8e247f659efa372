"""Latency from the engine's own histograms, for trials whose request records are elsewhere.

Workers on other machines keep their records; their histograms come with the report. A histogram
has lost the order of its values, so neither episodes nor a bootstrap can be told from it.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

from hdrh.codec import (
    HdrCookieException,
    HdrHistogramSettingsException,
    HdrLengthException,
)
from hdrh.histogram import HdrHistogram

from harness.model.trial import Clean, Latency, Percentiles
from harness.stats.percentiles import EPISODES_MIN, FIGURES, log_nines

# As the engine makes them (loadgen/CONTRACT.md): from 1 ns to 60 s with three digits.
LOWEST_NS, HIGHEST_NS, DIGITS = 1, 60_000_000_000, 3
INFLATED_BYTES_MAX = 1 << 20  # some 27,600 counts of at most nine bytes
_HEADER_BYTES = 8
_NO_HISTOGRAM = (
    *(HdrCookieException, HdrHistogramSettingsException, HdrLengthException),
    *(ValueError, TypeError, IndexError, OverflowError, zlib.error),
)


def flaw(encoded: str) -> str:
    """Why this is no histogram of an engine; "" when it is one. It never inflates beyond one."""
    try:
        packed = base64.b64decode(encoded)[_HEADER_BYTES:]
        inflater = zlib.decompressobj()
        inflater.decompress(packed, INFLATED_BYTES_MAX)
        if inflater.unconsumed_tail:
            return f"is longer than {INFLATED_BYTES_MAX:,} bytes"
        found = HdrHistogram.decode(encoded)
    except _NO_HISTOGRAM as error:
        return f"cannot be decoded ({type(error).__name__})"
    has = (
        found.lowest_trackable_value,
        found.highest_trackable_value,
        found.significant_figures,
    )
    wanted = (LOWEST_NS, HIGHEST_NS, DIGITS)
    return "" if has == wanted else f"has the limits {has}, expected {wanted}"


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
