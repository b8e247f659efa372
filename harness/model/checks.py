"""What a load generator's own bookkeeping says of a trial, before any threshold is asked.

None always means "not measured"; the trial's `not_measured` says why.
"""

from __future__ import annotations

import msgspec


class ScheduleCheck(msgspec.Struct, frozen=True):
    """The plan as it was executed; slots of the whole schedule, distances of the measured part."""

    slots_off: int | None  # recorded at a time that no slot has; None: the plan names no times
    slots_doubled: int  # recorded more than once
    slots_missing: int | None  # neither recorded nor said to be lost or unfinished
    distance_share: float  # the greatest of three Kolmogorov-Smirnov distances, beyond chance
    distance_of: str  # which of them: sends | slots | gaps
    sends_behind: int  # requests by which the sends lay behind or before the plan, at most
    sends_behind_ns: int  # the same in time, at the plan's mean rate


class Balance(msgspec.Struct, frozen=True):
    """Little's law: requests in flight, by the records and by the counters of the engine."""

    in_flight_recorded: float  # the sum of the recorded service times / time
    in_flight_counted: float  # answers counted / time x mean of the engine's histogram
    counter_off: float | None  # median distance of the live counter from the records, at seconds
    disagreement: float  # the larger of both, as a share of the requests in flight


class Pool(msgspec.Struct, frozen=True):
    """Requests that waited for a connection while the server was answering."""

    waited_share: float
    waited: int
    connections: int
    connections_enough: int  # at the service times that were measured


class SelfChecks(msgspec.Struct, frozen=True):
    """All of them."""

    schedule: ScheduleCheck | None = None
    balance: Balance | None = None
    pool: Pool | None = None
    runqueue_share: float | None = None  # of the time, summed over the schedule's threads
    runqueue_second_p99: float | None = None  # the same of the second that 1% of them exceed
    engine_throttled_ns: int | None = None  # by a CPU quota of the engine's own control groups
