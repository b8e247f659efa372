"""What a probe costs: run counts and times of its BPF programs, and CPU time of its user side."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

_SYS_BPF = 321  # x86-64
_BPF_ENABLE_STATS = 32
_BPF_STATS_RUN_TIME = 0


class Meter:
    """Counts while open.

    The kernel's statistics are on exactly as long as somebody holds a file descriptor for them, so
    nothing has to be restored, even after a kill -9.
    """

    def __init__(self, program_fds: list[int]) -> None:
        """Turn the statistics on where the kernel can (5.8 and later)."""
        self._fds = program_fds
        self._stats_fd = _enable_statistics()
        self._cpu_before_ns = time.process_time_ns()
        self._before = _totals(program_fds)

    def close(self) -> tuple[int, dict[str, int | None]]:
        """Turn them off; returns the user side's CPU time and the contract's `bpf` object."""
        runs, run_ns = (
            after - old for after, old in zip(_totals(self._fds), self._before, strict=True)
        )
        cpu_ns = time.process_time_ns() - self._cpu_before_ns
        counted = self._stats_fd >= 0
        if counted:
            os.close(self._stats_fd)
        return cpu_ns, {"runs": runs if counted else None, "run_ns": run_ns if counted else None}


def _enable_statistics() -> int:
    attribute = ctypes.create_string_buffer(_BPF_STATS_RUN_TIME.to_bytes(4, "little"), 16)
    library = ctypes.CDLL(None, use_errno=True)
    return int(library.syscall(_SYS_BPF, _BPF_ENABLE_STATS, attribute, 4))


def _totals(fds: list[int]) -> tuple[int, int]:
    runs = run_ns = 0
    for fd in fds:
        for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "run_cnt":
                runs += int(value)
            elif name == "run_time_ns":
                run_ns += int(value)
    return runs, run_ns
