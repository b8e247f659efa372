"""The memory probe's user side: see README.md and ../CONTRACT.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import conversation, tree
from common.kernel import Hook, Program, Unavailable
from common.seconds import Seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from common.ring import Stream

CALLS = ("mmap", "munmap", "madvise", "brk")
FAULTS = ("page_faults", "page_fault_writes")
COUNTERS = (
    *FAULTS,
    "lost",
    *(f"{call}_{what}" for call in CALLS for what in ("count", "ns", "ns_max")),
)
FAULT_HOOK = Hook("exceptions", "page_fault_user", "page_fault", required=False)


def call_hooks(call: str) -> tuple[Hook, Hook]:
    """Entry and exit of a system call."""
    return (
        Hook("syscalls", f"sys_enter_{call}", f"{call}_enter", required=False),
        Hook("syscalls", f"sys_exit_{call}", f"{call}_exit", required=False),
    )


class Memory:
    """Counters only: no stream."""

    name = "memory"
    streams: tuple[Stream, ...] = ()

    def __init__(self) -> None:
        """Nothing is known before `configure`."""
        self._absent: set[str] = set()
        self._lost = 0

    def configure(self, settings: conversation.Settings) -> Program:
        """Compile with the tracepoints that this kernel has; raises Unavailable with none."""
        del settings
        hooks = [FAULT_HOOK, *(hook for call in CALLS for hook in call_hooks(call))]
        if not any(hook.exists() for hook in hooks):
            raise Unavailable("this kernel has none of the tracepoints of the memory probe")
        if not FAULT_HOOK.exists():
            self._absent.update(FAULTS)
        for call in CALLS:
            if not all(hook.exists() for hook in call_hooks(call)):
                self._absent.update(name for name in COUNTERS if name.startswith(f"{call}_"))
        source = Path(__file__).with_name("memory.bpf.c")
        self._program = Program(source, hooks=[*tree.HOOKS, *hooks], defines={})
        self._seconds = Seconds(self._program, COUNTERS)
        return self._program

    def start(self, trial: conversation.Trial) -> None:
        """Forget the trial before."""
        del trial
        self._lost = 0
        self._seconds.reset()
        self._program.bpf[b"entered"].clear()

    def second(self) -> Mapping[str, Any]:
        """One line; what this kernel cannot tell is left out, never zero."""
        found = self._seconds.take()
        self._lost += found.pop("lost")
        return {name: value for name, value in found.items() if name not in self._absent}

    def detach(self) -> None:
        """Nothing beyond the program's own hooks."""

    def summary(self) -> Mapping[str, Any]:
        """Calls that found their map full, and were not counted."""
        return {"lost": self._lost}


if __name__ == "__main__":
    conversation.run(Memory())
