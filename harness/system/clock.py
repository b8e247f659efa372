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
