"""The run-queue probe's user side: see README.md and ../CONTRACT.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import conversation, histogram, tree
from common.kernel import Hook, Program
from common.seconds import Seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from common.ring import Stream

COUNTERS = ("waits", "wait_ns", "wait_ns_max", "preempted", "unnamed_ns", "lost")
HOOKS = (
    Hook("sched", "sched_wakeup", "on_wakeup"),
    Hook("sched", "sched_wakeup_new", "on_wakeup_new"),
    Hook("sched", "sched_switch", "on_switch"),
)
KINDS = {0: "foreign", 1: "own", 2: "idle"}
HOLDERS_MAX = 512  # names in two seconds; the time of one more than that counts as not named
HOLDERS_SHOWN_MAX = 16  # in a line of seconds; the rest is summed under "(others)"


def cpu_mask(cpus: tuple[int, ...]) -> int:
    """The backend's CPUs as a mask; every CPU where none is named or one is beyond the mask."""
    if not cpus or max(cpus) > 63:
        return (1 << 64) - 1
    return sum(1 << cpu for cpu in set(cpus))


class RunQueue:
    """Counters, a histogram and a map of names: no stream."""

    name = "runqueue"
    streams: tuple[Stream, ...] = ()

    def configure(self, settings: conversation.Settings) -> Program:
        """Compile for the backend's CPUs; raises Unavailable."""
        self._program = Program(
            Path(__file__).with_name("runqueue.bpf.c"),
            hooks=[*tree.HOOKS, *HOOKS],
            defines={
                "BACKEND_CPUS": f"{cpu_mask(settings.cpus_backend)}ULL",
                "HOLDERS_MAX": HOLDERS_MAX,
            },
        )
        self._seconds = Seconds(self._program, COUNTERS)
        return self._program

    def start(self, trial: conversation.Trial) -> None:
        """Forget the trial before."""
        del trial
        for name in (b"waiting", b"holders"):
            self._program.bpf[name].clear()
        # Slices of before the trial would be charged for waits that span the whole time between.
        self._program.map("histories").zero(0)
        for half in (0, 1):
            self._program.map("wait_histogram").zero(half)
        self._held_all: dict[tuple[int, str], int] = {}
        self._lost = self._wait_ns = 0
        self._seconds.reset()

    def second(self) -> Mapping[str, Any]:
        """One line, and the sums for the summary."""
        found = self._seconds.take()
        self._lost += found.pop("lost")
        self._wait_ns += found["wait_ns"]
        lengths = self._program.map("wait_histogram")
        gained = histogram.Histogram(histogram.EMPTY, lengths.read(self._seconds.left))
        lengths.zero(self._seconds.left)
        return {
            **found,
            "wait_ns_histogram": gained.document(),
            "holders": _shares(self._held(), found["wait_ns"]),
        }

    def detach(self) -> None:
        """Nothing beyond the program's own hooks."""

    def summary(self) -> Mapping[str, Any]:
        """Who held the CPU over the whole trial, and waits that could not be followed."""
        return {"holders": _shares(self._held_all, self._wait_ns), "lost": self._lost}

    def _held(self) -> dict[tuple[int, str], int]:
        """What each holder had in the second just read, in ns; forgets it in the kernel."""
        table = self._program.bpf[b"holders"]
        found: dict[tuple[int, str], int] = {}
        for key, held in table.items():
            if key.half == self._seconds.left:
                holder = (int(key.own), key.comm.decode("utf-8", "replace"))
                found[holder] = held.ns
                self._held_all[holder] = self._held_all.get(holder, 0) + held.ns
                del table[key]
        return found


def _shares(held: Mapping[tuple[int, str], int], total_ns: int) -> list[dict[str, Any]]:
    """Largest first; `share` is of all the wait, named or not."""
    ordered = sorted(held.items(), key=lambda pair: -pair[1])
    rows = [
        {"name": comm, "kind": KINDS[own], "ns": ns, "share": _share(ns, total_ns)}
        for (own, comm), ns in ordered[:HOLDERS_SHOWN_MAX]
    ]
    rest = sum(ns for _, ns in ordered[HOLDERS_SHOWN_MAX:])
    if rest:
        share = _share(rest, total_ns)
        rows.append({"name": "(others)", "kind": "mixed", "ns": rest, "share": share})
    return rows


def _share(part_ns: int, total_ns: int) -> float | None:
    return round(part_ns / total_ns, 4) if total_ns else None


if __name__ == "__main__":
    conversation.run(RunQueue())
