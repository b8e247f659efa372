"""Keeps the harness out of the way while it measures."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_harness(cpus: list[int]) -> Iterator[None]:
    """This process on `cpus` only, under SCHED_IDLE reset on fork: what it starts is ordinary.

    Undone at the end; where it is not permitted the harness stays as it was.
    """
    before_cpus = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cpus)
        os.sched_setscheduler(0, os.SCHED_IDLE | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, before_cpus)
