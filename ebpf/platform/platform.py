"""User side of the probe `platform`: windows in which something kept our threads from running."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

# In place of our own folder, whose platform.py would hide the standard library's.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import conversation, tree
from common.clock_ticks import ClockTicks
from common.kernel import Hook, Program, Unavailable
from common.ring import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOOKS = (
    Hook("sched", "sched_waking", "on_waking"),
    Hook("sched", "sched_wakeup", "on_wakeup"),
    Hook("sched", "sched_wakeup_new", "on_wakeup_new"),
    Hook("sched", "sched_switch", "on_switch"),
)
_KINDS = {1: "vcpu_not_run", 2: "wakeup_not_taken", 3: "foreign"}
_PERIOD_NS = 250_000  # 4 kHz: a stolen window of 50 us or more is seen to within its late tick


class Platform:
    """Implements common.conversation.Probe."""

    name = "platform"
    streams: tuple[Stream, ...] = (
        Stream(
            name="platform",
            pages=1024,
            fields=(
                ("start_ns", "<u8"),
                ("end_ns", "<u8"),
                ("kind", "<u4"),
                ("cpu", "<u4"),
                ("role", "<u4"),
                ("holder_pid", "<u4"),
                ("holder", "S16"),
            ),
            enums={"kind": _KINDS, "role": {1: "backend", 2: "engine"}},
        ),
    )
    _program: Program

    def configure(self, settings: conversation.Settings) -> Program:
        """Compile for the window's length, and try the clock ticks on the CPUs asked for."""
        # A core that both share counts as the backend's.
        self._roles = dict.fromkeys(settings.cpus_engine, tree.ENGINE)
        self._roles |= dict.fromkeys(settings.cpus_backend, tree.BACKEND)
        if not self._roles:
            raise Unavailable("no CPU of the backend or of the engine is named")
        self._program = Program(
            Path(__file__).with_name("platform.bpf.c"),
            hooks=(*tree.HOOKS, *_HOOKS),
            defines={"WINDOW_NS": f"{settings.window_ns}LL", "PERIOD_NS": f"{_PERIOD_NS}ULL"},
        )
        self._ticks = ClockTicks(self._program, "on_tick")
        self._has_ticks = True
        try:
            self._ticks.attach(self._roles, _PERIOD_NS)
        except OSError as problem:
            self._has_ticks = False
            reason = f"the software clock does not open: {problem}"
            self._program.unavailable.append({"hook": "perf cpu-clock", "reason": reason})
        self._ticks.detach()
        return self._program

    def start(self, trial: conversation.Trial) -> None:
        """Mark our cores, forget the last trial's waits, start the ticks."""
        del trial
        program = self._program
        core_bytes = len(program.map("cores").read(0))
        for cpu, role in self._roles.items():
            program.map("cores").write(cpu, role.to_bytes(8, "little").ljust(core_bytes, b"\0"))
        program.map("waits").clear()
        program.map("totals").zero(0)
        program.map("tracked_drops").zero(0)
        self._base: tuple[list[int], int] | None = None  # what came before the trial
        self._totals_before = [0] * 8
        self._ticks_before = 0
        if self._has_ticks:
            self._ticks.attach(self._roles, _PERIOD_NS)

    def second(self) -> Mapping[str, Any]:
        """Windows and their time by kind, and the clock ticks that came."""
        totals, ticks = self._program.map("totals").integers(0), self._ticks_seen()
        line = self._fields_since(self._totals_before, self._ticks_before, totals, ticks)
        self._totals_before, self._ticks_before = totals, ticks
        if self._base is None:
            self._base = (totals, ticks)
        return line

    def detach(self) -> None:
        """Stop the ticks."""
        self._ticks.detach()

    def summary(self) -> Mapping[str, Any]:
        """The same over the whole trial."""
        assert self._base is not None
        fields = self._fields_since(*self._base, self._totals_before, self._ticks_before)
        return {**fields, "lost": self._program.map("tracked_drops").integers(0)[0]}

    def _ticks_seen(self) -> int:
        cores = self._program.map("cores")
        return sum(cores.integers(cpu)[-1] for cpu in self._roles)

    def _fields_since(
        self, old: list[int], old_ticks: int, new: list[int], new_ticks: int
    ) -> dict[str, int | None]:
        """Differences of two struct totals; None for what is not measured, never a zero."""
        gained = [now - then for now, then in zip(new, old, strict=True)]
        fields: dict[str, int | None] = {"ticks": new_ticks - old_ticks}
        for kind, name in _KINDS.items():
            measured = kind != 1 or self._has_ticks
            fields[f"{name}_count"] = gained[kind] if measured else None
            fields[f"{name}_ns"] = gained[4 + kind] if measured else None
        return fields


if __name__ == "__main__":
    conversation.run(Platform())
