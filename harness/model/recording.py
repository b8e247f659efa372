"""What a trial left on disk, as arrays: request records, streams of windows, engine events.

A field of `Recording` that is None was not there or not readable, and `reasons` says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.model.facts import ProbeOutcome, TrialFacts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FLAG_BACKLOG = 1  # no connection was free at the intended time
FLAG_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Requests:
    """`requests.bin` in order of intended time; times in ns, 0 where a thing never happened."""

    intended_ns: Ints
    sent_ns: Ints
    first_byte_ns: Ints
    last_byte_ns: Ints
    connection: Ints
    status: Ints
    operation: Ints
    outcome: Ints  # 0 good, else 1 + index into `errors`
    flags: Ints
    operations: tuple[str, ...]
    errors: tuple[str, ...]
    truncated: str = ""  # why records are missing at the end; "" when whole

    def __len__(self) -> int:
        """The number of records."""
        return len(self.intended_ns)


@dataclass(frozen=True, slots=True)
class Stream:
    """One `<stream>.bin` of a probe: the header and the structured records that were completed."""

    probe: str
    name: str
    records: npt.NDArray[Any]
    enums: dict[str, dict[int, str]]
    truncated: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that `collect` reads."""

    facts: TrialFacts
    probes: list[ProbeOutcome]
    requests: Requests | None
    engine: dict[str, list[dict[str, Any]]] | None  # events by kind
    streams: dict[str, Stream]
    seconds: dict[str, list[dict[str, Any]]]  # probe -> its lines
    hiccups: list[dict[str, Any]] | None = None  # events of `pausemark-engine hiccup`
    reasons: dict[str, str] = field(default_factory=dict)  # file name -> why it is not here
