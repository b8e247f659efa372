"""Attaches programs at offsets of a file for chosen processes, and takes them off again.

By file offset and not by bcc's own attach_uprobe, which wants symbols or, for position-independent
binaries, other addresses than for the rest.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hooks
from common import tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ENTRY = 0  # BPF_PROBE_ENTRY: a breakpoint at the offset itself, never a return trampoline
FUNCTION_OF = {
    "stop": hooks.START_THE_WORLD,
    "assist": hooks.ASSIST,
    "drain": hooks.DRAIN,
}


def processes_of(binary: str, roots: Iterable[int]) -> list[int]:
    """Those of the tree under `roots` that run the file `binary`."""
    wanted = Path(binary).stat()
    found = []
    for pid in tree._descendants(list(roots)):
        with contextlib.suppress(OSError):
            if os.path.samestat(Path(f"/proc/{pid}/exe").stat(), wanted):
                found.append(pid)
    return found


class Uprobes:
    """The attached ones are perf events: closing them, or our death, takes them off."""

    def __init__(self, bpf: Any, programs: Sequence[str]) -> None:
        """Load `programs` of bcc's `bpf`, so that the verifier speaks before a trial."""
        from bcc import lib  # noqa: PLC0415 - the library said already whether bcc is here

        self._library = lib
        self._program_fds = {
            name: int(bpf.load_func(name.encode(), type(bpf).KPROBE).fd) for name in programs
        }
        self._events: list[int] = []

    def attach(
        self, binary: str, pids: Sequence[int], wanted: Sequence[hooks.Hook]
    ) -> list[hooks.Missing]:
        """Attach in order, for each process; returns what the kernel refused."""
        refused: dict[str, hooks.Missing] = {}
        for pid in pids:
            for hook in wanted:
                function = FUNCTION_OF[hook.program.partition("_")[0]]
                if function in refused:
                    continue  # an entry without its exits would leave everything open
                name = f"pausemark_{hook.program}_{hook.offset:x}_{pid}".encode()
                event = self._library.bpf_attach_uprobe(
                    self._program_fds[hook.program],
                    ENTRY,
                    name,
                    binary.encode(),
                    ctypes.c_uint64(hook.offset),
                    pid,
                    0,
                )
                if event < 0:
                    reason = f"the kernel refused a uprobe at {hook.offset:#x} in process {pid}"
                    refused[function] = hooks.Missing(function, reason)
                else:
                    self._events.append(event)
        return list(refused.values())

    def detach(self) -> None:
        """Entries first (they were attached last), so that nothing is opened any more."""
        while self._events:
            self._library.bpf_close_perf_event_fd(self._events.pop())
