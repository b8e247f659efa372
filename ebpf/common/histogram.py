"""Decodes histogram.h: log-linear buckets of nanoseconds, as differences of two snapshots."""

from __future__ import annotations

import struct

BUCKETS = 1024  # HISTOGRAM_BUCKETS
SUB_BUCKETS = 32
_LAYOUT = struct.Struct(f"<{1 + BUCKETS}Q")
EMPTY = bytes(_LAYOUT.size)


def bounds(index: int) -> tuple[int, int]:
    """The half-open range of nanoseconds that bucket `index` counts."""
    if index < 2 * SUB_BUCKETS:
        return index, index + 1
    shift = index // SUB_BUCKETS - 1
    low = (index - shift * SUB_BUCKETS) << shift
    return low, low + (1 << shift)


class Histogram:
    """What a histogram gained between two snapshots: count, sum and the buckets that moved."""

    __slots__ = ("buckets", "count", "sum_ns")

    def __init__(self, before: bytes, after: bytes) -> None:
        """Subtract the snapshot `before` from `after`, both raw values of the BPF map."""
        old, new = _LAYOUT.unpack(before), _LAYOUT.unpack(after)
        self.sum_ns = new[0] - old[0]
        self.buckets = [
            [*bounds(index), new[1 + index] - old[1 + index]]
            for index in range(BUCKETS)
            if new[1 + index] != old[1 + index]
        ]
        self.count = sum(bucket[2] for bucket in self.buckets)

    def document(self) -> dict[str, list[list[int]]]:
        """The form that the contract gives histograms in a line of seconds."""
        return {"buckets": self.buckets}
