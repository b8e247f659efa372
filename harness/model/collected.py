"""What `collect` makes of a trial: its data, its seconds, and its slowest requests."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from harness.model.analysis import Second
from harness.model.trial import TrialData


class SlowRequest(msgspec.Struct, frozen=True):
    """One of the slowest requests; the flags say what its [intended, last byte] overlapped.

    A flag is None when the thing was not measured.
    """

    intended_ns: int
    sent_ns: int
    last_byte_ns: int
    response_ns: int
    service_ns: int | None
    own_fault_ns: int
    backlog_ns: int
    connection: int
    operation: str
    outcome: str
    in_gap: bool | None
    in_stop_the_world: bool | None
    in_mark: bool | None
    in_platform: bool | None


@dataclass(frozen=True, slots=True)
class Collected:
    """`data` goes to trial.json, the two tables to Parquet."""

    data: TrialData
    series: list[Second]
    slow: list[SlowRequest]
