"""The shape that lines of engine and sleepers must have before a figure is made of them.

Only what is read here: loadgen/CONTRACT.md lists every field. A line that is not so is a damaged
file, or comes from a worker that is none of ours.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from harness.model.trial import WorkerLoss

Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class SecondLine(msgspec.Struct, frozen=True):
    """`second` of an engine."""

    index: Count
    warmup: bool = False
    in_flight: Count = 0
    cpu_ns: Count = 0
    runqueue_ns: Count | None = None


class TotalsLine(msgspec.Struct, frozen=True):
    """`totals` of `done`."""

    offered: Count = 0
    sent: Count = 0
    completed: Count = 0
    good: Count = 0
    unfinished: Count = 0
    bytes_in: Count = 0
    bytes_out: Count = 0
    errors: dict[str, Count] = {}
    histograms: dict[str, str] = {}


class OperationLine(msgspec.Struct, frozen=True):
    """An entry of `by_operation` of `done`."""

    good: Count
    errors: Count
    response: str


class PaceLine(msgspec.Struct, frozen=True):
    """`pace` of `done`."""

    asked: str
    chosen: str
    why: str
    wake_late_ns_p90: Count | None = None


class DoneLine(msgspec.Struct, frozen=True):
    """`done` of an engine, or of several as Locust merged them."""

    totals: TotalsLine = TotalsLine()
    by_operation: dict[str, OperationLine] = {}
    connections_lost: Count = 0
    records_dropped: Count = 0
    unfinished: Count = 0
    grain_ns: Count = 0
    pace: PaceLine | None = None
    lost: list[WorkerLoss] = []
    interrupted: bool = False

    @property
    def histograms(self) -> list[str]:
        """All of them, encoded."""
        return [*self.totals.histograms.values(), *(o.response for o in self.by_operation.values())]


class RecordsHeader(msgspec.Struct, frozen=True):
    """The header of `requests.bin`."""

    operations: list[str] = []
    errors: list[str] = []


class SleepersReady(msgspec.Struct, frozen=True):
    """`ready` of `pausemark-engine hiccup`."""

    interval_ns: Count


class SleepersSecond(msgspec.Struct, frozen=True):
    """`second` of one CPU's sleeper."""

    cpu: Count
    start_ns: Count
    end_ns: Count
    hiccups: str
    waited_ns: Count | None = None

    @property
    def histograms(self) -> list[str]:
        """The only one."""
        return [self.hiccups]
