"""One trial of a probe: attached, drained once a second into files, detached, summed up."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from common import tree
from common.cost import Meter
from common.ring import copy_all

if TYPE_CHECKING:
    from common.conversation import Probe, Settings, Trial
    from common.kernel import Program
    from common.ring import Ring

_SECOND_NS = 1_000_000_000


class Recording:
    """Everything that lives from `start` to `stop`; finish() undoes it."""

    def __init__(
        self,
        *,
        probe: Probe,
        program: Program,
        rings: list[Ring],
        settings: Settings,
        trial: Trial,
    ) -> None:
        """Attach the probe, seed the process trees and open the files; from here it measures.

        Files last: a trial that cannot start leaves none, which could be read as zeros.
        """
        self._probe, self._program, self._rings = probe, program, rings
        self._limit_ns = settings.seconds_max * _SECOND_NS
        self._ended: dict[str, Any] | None = None
        self._cpus_before = os.sched_getaffinity(0)
        tree.forget(program)
        try:
            probe.start(trial)
            program.attach()
            gone = tree.seed(program, trial.backend_pids, tree.BACKEND)
            gone += tree.seed(program, trial.engine_pids, tree.ENGINE)
            lines = trial.output / f"{probe.name}.seconds.jsonl"
            self._lines = lines.open("x", encoding="utf-8")
            for ring in rings:
                ring.open(trial.output, probe.name)
        except BaseException:
            program.detach()
            probe.detach()
            raise
        if gone:
            sys.stderr.write(f"{probe.name}: no such process: {gone}\n")
        # After probe.start, so that programs loaded there (uprobes) are counted too.
        self._meter = Meter(program.program_fds())
        probe.second()  # what was counted while this attached belongs to no trial
        self.start_ns = self._second_ns = time.monotonic_ns()
        _step_aside(self._cpus_before, settings.cpus_backend)

    def seconds_to_next(self) -> float | None:
        """How long to wait before the next tick()."""
        if self._ended is not None:
            return None
        return max(0.0, (self._second_ns + _SECOND_NS - time.monotonic_ns()) / _SECOND_NS)

    def tick(self) -> None:
        """Do the work of a second; at the trial's limit, end it (files must not grow for ever)."""
        self._write_second(time.monotonic_ns())
        if self._second_ns - self.start_ns >= self._limit_ns:
            self.finish()

    def finish(self) -> dict[str, Any]:
        """Detach, drain and close; returns the fields of the answer `stopped`."""
        if self._ended is None:
            # Files and counters first: detaching lasts for half a second (uprobes: seconds), in
            # which events go on. What the rings still get is thrown away by the next open().
            clock_ns = time.monotonic_ns()
            _step_back(self._cpus_before)  # on a busy core the rest would take seconds
            self._write_second(clock_ns)
            cpu_ns, bpf = self._meter.close()
            self._program.detach()
            self._probe.detach()
            counts = {ring.stream.name: ring.close() for ring in self._rings}
            self._lines.close()
            tree.forget(self._program)
            self._ended = {
                "clock_ns": clock_ns,
                "records": {name: records for name, (records, _) in counts.items()},
                "drops": {name: drops for name, (_, drops) in counts.items()},
                "cpu_ns": cpu_ns,
                "bpf": bpf,
                "summary": dict(self._probe.summary()),
            }
        return self._ended

    def _write_second(self, end_ns: int) -> None:
        fields = self._probe.second()  # first: what is counted after end_ns is of the next second
        copy_all(self._rings)
        line = {"start_ns": self._second_ns, "end_ns": end_ns, **fields}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        self._second_ns = end_ns


def _step_aside(allowed: set[int], backend: tuple[int, ...]) -> None:
    """Run only when nobody else wants to, and off the backend's cores where there are others."""
    others = allowed - set(backend)
    if others:
        os.sched_setaffinity(0, others)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _step_back(allowed: set[int]) -> None:
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, allowed)
