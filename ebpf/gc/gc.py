"""The GC probe's user side: see README.md and ../CONTRACT.md."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import go_binary
import hooks
import uprobes
from common import conversation, tree
from common.kernel import Program, Unavailable
from common.ring import Stream
from common.seconds import Seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTERS = (
    "stw_count",
    "stw_ns",
    "stw_ns_max",
    "other_stop_count",
    "other_stop_ns",
    "assist_count",
    "assist_ns",
    "assist_ns_max",
    "mark_worker_count",
    "mark_worker_ns",
    "mark_worker_idle_ns",
    "lost",
)
# Which numbers go with a function that the binary may lack.
FIELDS_OF = {
    hooks.START_THE_WORLD: ("stw_", "other_stop_", "mark_phase_"),
    hooks.ASSIST: ("assist_",),
    hooks.DRAIN: ("mark_worker_",),
}
PROGRAMS = (
    "stop_entry",
    "stop_record",
    "stop_return",
    "assist_entry",
    "assist_return",
    "drain_entry",
    "drain_return",
)
LONG_NS = 100_000  # assists and mark workers shorter than this are counted, not streamed
PAGES = 256
STREAM = Stream(
    name="gc",
    pages=PAGES,
    fields=(
        ("start_ns", "<u8"),
        ("end_ns", "<u8"),
        ("kind", "<u4"),
        ("reason", "<u4"),
        ("runtime_ns", "<u8"),
        ("cycle", "<u4"),
        ("pid", "<u4"),
    ),
    enums={"kind": {1: "stop_the_world", 2: "mark_phase", 3: "assist", 4: "mark_worker"}},
)


class Collector:
    """Uprobes on the runtime of a Go backend, attached anew for each trial."""

    name = "gc"
    streams: tuple[Stream, ...] = (STREAM,)

    def configure(self, settings: conversation.Settings) -> Program:
        """Compile and load; the binary is known only at `start`."""
        del settings
        self._program = Program(
            Path(__file__).with_name("gc.bpf.c"),
            hooks=tree.HOOKS,
            defines={"LONG_NS": LONG_NS, "RING_PAGES": PAGES},
        )
        self._uprobes = uprobes.Uprobes(self._program.bpf, PROGRAMS)
        self._seconds = Seconds(self._program, COUNTERS)
        return self._program

    def start(self, trial: conversation.Trial) -> None:
        """Find the hooks in the binary and attach them; raises Unavailable with the reason."""
        self._plan = _plan(trial.binary)
        self._lost = 0
        for name in (b"stops", b"drains", b"assists", b"cycles"):
            self._program.bpf[name].clear()
        pids = uprobes.processes_of(trial.binary, trial.backend_pids)
        if not pids:
            raise Unavailable(f"no process of the backend runs {trial.binary}")
        problems = self._uprobes.attach(trial.binary, pids, self._plan.hooks)
        self._missing = [*self._plan.missing, *problems]
        self._absent = {
            prefix for missing in self._missing for prefix in FIELDS_OF.get(missing.hook, ())
        }
        # Attaching takes a tenth of a second, in which the backend goes on collecting.
        self._seconds.reset()
        self._mark_ns = self._mark_total(time.monotonic_ns())

    def second(self) -> Mapping[str, Any]:
        """One line; what could not be hooked is left out, never zero."""
        now_ns = time.monotonic_ns()
        found = self._seconds.take()
        self._lost += found.pop("lost")
        mark_ns = self._mark_total(now_ns)
        found["mark_phase_ns"] = max(0, mark_ns - self._mark_ns)
        self._mark_ns = max(mark_ns, self._mark_ns)
        absent = tuple(self._absent)
        return {name: value for name, value in found.items() if not name.startswith(absent)}

    def detach(self) -> None:
        """Take every breakpoint out of the backend."""
        self._uprobes.detach()

    def summary(self) -> Mapping[str, Any]:
        """What was watched, what could not be, and what was lost in full maps."""
        return {
            "runtime": self._plan.version,
            "unavailable": [missing._asdict() for missing in self._missing],
            "lost": self._lost,
        }

    def _mark_total(self, now_ns: int) -> int:
        """Time in mark phases since the start, the one under way included."""
        total = 0
        for _, cycle in self._program.bpf[b"cycles"].items():
            total += cycle.mark_ns
            if cycle.mark_start_ns:
                total += max(0, now_ns - cycle.mark_start_ns)
        return total


def _plan(binary: str) -> hooks.Plan:
    if not binary:
        raise Unavailable("`start` named no binary")
    try:
        plan = hooks.plan(Path(binary))
    except (OSError, go_binary.NotReadable) as problem:
        raise Unavailable(f"{binary}: {problem}") from None
    if not plan.hooks:
        reasons = "; ".join(f"{missing.hook}: {missing.reason}" for missing in plan.missing)
        raise Unavailable(f"{binary}: {reasons}")
    return plan


if __name__ == "__main__":
    conversation.run(Collector())
