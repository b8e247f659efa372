"""What a user's own locustfile measured: service times in Python, never response times."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from harness.model.trial import Percentiles

# A request as loadgen/locust/user_times.py writes it.
RECORD = np.dtype([("end_ns", "<i8"), ("service_ns", "<i8"), ("entry", "<u4"), ("failed", "<u4")])
Records = npt.NDArray[np.void]


class UsersAsked(msgspec.Struct, frozen=True):
    """`bench run --locustfile`: what was asked."""

    locustfile: str
    target: str  # scheme, host and port
    users: int
    duration_s: float
    warmup_s: float


class UsersEntry(msgspec.Struct, frozen=True):
    """The requests of one name within the measured part; service times in ns."""

    method: str
    name: str
    count: int
    failures: int
    service: Percentiles | None


class UsersTimes(msgspec.Struct, frozen=True):
    """A whole measurement."""

    asked: UsersAsked
    folder: str
    entries: list[UsersEntry]
    total: UsersEntry
    achieved_rps: float
    errors: dict[str, int]  # of the whole test, the warm-up's among them
    generator_core_share: float  # CPU of Locust's process, in cores
    resolution: str
    label: str


class UsersSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Locust's process wrote at its end (loadgen/locust/user_times.py)."""

    schema: int
    entries: list[tuple[str, str]]
    errors: dict[str, int]
    whole_milliseconds: bool
    begun_ns: int
    ended_ns: int
    cpu_ns: int
