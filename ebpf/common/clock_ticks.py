"""Runs a BPF function at each tick of the software clock, on some CPUs while they are not idle."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from typing import TYPE_CHECKING

from common.kernel import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from common.kernel import Program

_SYS_PERF_EVENT_OPEN = 298  # x86-64
# struct perf_event_attr in its first size: type, size, config, period, sample_type, read_format,
# flags, wakeup_events, bp_type, config1.
_ATTRIBUTES = struct.Struct("<IIQQQQQIIQ")
_TYPE_SOFTWARE = 1
_CPU_CLOCK = 0
# Without the second flag the ticks of an idle CPU count against the limit of samples for each
# scheduler tick, of which an idle CPU has none: the event is throttled, and restarted off its grid.
_DISABLED = 1 << 0
_EXCLUDE_IDLE = 1 << 7
_CLOSE_ON_EXEC = 8
_IOCTL_ENABLE = 0x2400
_IOCTL_SET_BPF = 0x40042408


class ClockTicks:
    """One perf event a CPU; no hardware counters are needed."""

    def __init__(self, program: Program, function: str) -> None:
        """Load `function` of `program` for perf events."""
        self._library = ctypes.CDLL(None, use_errno=True)
        bpf = program.bpf
        try:
            loaded = bpf.load_func(function.encode(), bpf.PERF_EVENT)
        except Exception as problem:  # bcc raises bare Exception for all that goes wrong
            raise Unavailable(f"{function} did not load: {problem}") from problem
        self._program_fd = int(loaded.fd)
        self._events: list[int] = []

    def attach(self, cpus: Iterable[int], period_ns: int) -> None:
        """Tick on each of `cpus`; OSError when the kernel refuses, and then on none."""
        try:
            for cpu in cpus:
                event = self._open(cpu, period_ns)
                self._events.append(event)
                fcntl.ioctl(event, _IOCTL_SET_BPF, self._program_fd)
                fcntl.ioctl(event, _IOCTL_ENABLE, 0)
        except OSError:
            self.detach()
            raise

    def detach(self) -> None:
        """Stop the ticks."""
        while self._events:
            os.close(self._events.pop())

    def _open(self, cpu: int, period_ns: int) -> int:
        flags = _DISABLED | _EXCLUDE_IDLE
        attributes = _ATTRIBUTES.pack(
            _TYPE_SOFTWARE, _ATTRIBUTES.size, _CPU_CLOCK, period_ns, 0, 0, flags, 0, 0, 0
        )
        event = self._library.syscall(
            _SYS_PERF_EVENT_OPEN, attributes, -1, cpu, -1, ctypes.c_ulong(_CLOSE_ON_EXEC)
        )
        if event < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{os.strerror(number)} on CPU {cpu}")
        return int(event)
