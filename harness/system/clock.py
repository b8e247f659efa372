"""The clocks: monotonic for everything measured, UTC for naming only."""

from __future__ import annotations

import datetime
import time


def monotonic_ns() -> int:
    """CLOCK_MONOTONIC, the clock of the engine and of the probes."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def sleep_s(seconds: float) -> None:
    """Waits."""
    time.sleep(max(0.0, seconds))


def utc_now() -> str:
    """ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_stamp() -> str:
    """For folder names: 20261124T103000Z."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")


class Deadline:
    """A moment on CLOCK_MONOTONIC after which waiting is over."""

    def __init__(self, seconds: float) -> None:
        """`seconds` from now."""
        self._at_ns = monotonic_ns() + int(seconds * 1e9)

    @property
    def passed(self) -> bool:
        """Whether the moment has gone by."""
        return monotonic_ns() >= self._at_ns
