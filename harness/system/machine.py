"""Keeps the harness out of the way while it measures."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_harness(cpus: list[int]) -> Iterator[None]:
    """This process on `cpus` only, and as root under SCHED_IDLE; what it starts is ordinary again.

    (`process.spawn` sees to that.) Undone at the end; without root it stays as it was, for nobody
    else may leave SCHED_IDLE.
    """
    before_cpus = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cpus)
        if os.geteuid() == 0:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, before_cpus)
