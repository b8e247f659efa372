"""User side of the probe `sockets`: server time per second and no-progress gaps."""

from __future__ import annotations

import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import conversation, tree
from common.histogram import EMPTY, Histogram
from common.kernel import Hook, Program
from common.ring import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOOKS = (
    Hook("sock", "inet_sock_set_state", "on_set_state"),
    Hook("sock", "sk_data_ready", "on_data_ready"),
    Hook("sock", "sock_recv_length", "on_receive"),
    Hook("sock", "sock_send_length", "on_send"),
)
_TOTALS = ("requests", "answers", "abandoned", "opened", "closed", "unknown", "full")
_PROGRESS = struct.Struct("<QQq")


class Sockets:
    """Implements common.conversation.Probe."""

    name = "sockets"
    streams: tuple[Stream, ...] = (
        Stream(
            name="gaps",
            pages=256,
            fields=(("start_ns", "<u8"), ("end_ns", "<u8"), ("in_flight", "<u4"), ("pad", "<u4")),
        ),
    )
    _program: Program

    def configure(self, settings: conversation.Settings) -> Program:
        """Compile for the gap length asked for; the port comes with each trial."""
        self._gap_ns = settings.gap_ns
        self._program = Program(
            Path(__file__).with_name("sockets.bpf.c"),
            hooks=(*tree.HOOKS, *_HOOKS),
            defines={"GAP_NS": f"{settings.gap_ns}ULL"},
        )
        return self._program

    def start(self, trial: conversation.Trial) -> None:
        """Forget the last trial's connections: what closed between trials was not seen."""
        program = self._program
        program.map("settings").write(0, trial.port.to_bytes(8, "little"))
        for name in ("connections", "unanswered", "gaps_claimed"):
            program.map(name).clear()
        for name in ("totals", "progress", "tracked_drops", "server_time", "peak_turn"):
            program.map(name).zero(0)
        for turn in (0, 1):
            program.map("server_time_peak").zero(turn)
        self._turn = 0
        self._base: tuple[list[int], bytes] | None = None  # what came before the trial
        self._totals_before = [0] * len(_TOTALS)
        self._histogram_before = EMPTY
        self._peak_ns = 0

    def second(self) -> Mapping[str, Any]:
        """Requests, answers and the server time of the answers of this second."""
        peak_ns = self._take_peak()
        histogram, totals = self._take_histogram(), self._program.map("totals").integers(0)
        gained = [now - old for now, old in zip(totals, self._totals_before, strict=True)]
        self._totals_before = totals
        if self._base is None:
            self._base = (totals, self._histogram_before)
            self._peak_ns = 0
        return {
            **dict(zip(_TOTALS, gained, strict=True)),
            "in_flight": self._progress()[2],
            "server_time_ns_sum": histogram.sum_ns,
            "server_time_ns_max": peak_ns if histogram.count else None,
            "server_time_ns": histogram.document(),
        }

    def detach(self) -> None:
        """Nothing but the hooks of the program was attached."""

    def summary(self) -> Mapping[str, Any]:
        """Totals of the trial; `gap_open_ns` is a gap that had not ended when the trial did."""
        assert self._base is not None
        whole = Histogram(self._base[1], self._histogram_before)
        counts = (now - old for now, old in zip(self._totals_before, self._base[0], strict=True))
        last_ns, first_ns, in_flight = self._progress()
        totals = dict(zip(_TOTALS, counts, strict=True))
        waited_ns = time.monotonic_ns() - max(last_ns, first_ns) if in_flight > 0 else 0
        return {
            **totals,
            "lost": totals["full"] + self._program.map("tracked_drops").integers(0)[0],
            "in_flight": in_flight,
            "gap_open_ns": waited_ns if waited_ns >= self._gap_ns else 0,
            "server_time_ns_sum": whole.sum_ns,
            "server_time_ns_max": self._peak_ns if whole.count else None,
            "server_time_ns": whole.document(),
        }

    def _progress(self) -> tuple[int, int, int]:
        last_ns, first_ns, in_flight = _PROGRESS.unpack(self._program.map("progress").read(0))
        return last_ns, first_ns, in_flight

    def _take_histogram(self) -> Histogram:
        after = self._program.map("server_time").read(0)
        gained = Histogram(self._histogram_before, after)
        self._histogram_before = after
        return gained

    def _take_peak(self) -> int:
        """The maximum since the last call: the kernel side is sent to the other element first."""
        old, self._turn = self._turn, 1 - self._turn
        self._program.map("peak_turn").write(0, self._turn.to_bytes(8, "little"))
        peak_ns = max(self._program.map("server_time_peak").integers(old))
        self._program.map("server_time_peak").zero(old)
        self._peak_ns = max(self._peak_ns, peak_ns)
        return peak_ns


if __name__ == "__main__":
    conversation.run(Sockets())
