"""Reads the counters of one second, which the kernel side keeps in two halves.

They are the per-CPU array `seconds`, and `half`, which tells the kernel side where to write. Two
halves, because a maximum cannot be had from differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.kernel import Program


class Seconds:
    """Sums over CPUs of what happened since the last `take`; names ending in _max are maxima."""

    def __init__(self, program: Program, names: Sequence[str]) -> None:
        """`names` are the u64 members of the kernel side's struct, in order."""
        self._names = tuple(names)
        self._half_map = program.map("half")
        self._seconds_map = program.map("seconds")
        self._half = 0
        self.left = 1  # the half that the last `take` read, for what else a probe keeps in halves

    def reset(self) -> None:
        """Forget what was counted, before a trial."""
        self.take()
        self.take()

    def take(self) -> dict[str, int]:
        """Turn the kernel side to the other half, then read and empty the one it left.

        A program that is on its way through when this turns may still count into the half that is
        emptied: at most one event of each CPU, in the microseconds between reading and emptying.
        """
        left, self._half = self._half, 1 - self._half
        self.left = left
        self._half_map.write(0, self._half.to_bytes(4, "little"))
        numbers = self._seconds_map.integers(left)
        self._seconds_map.zero(left)
        width = len(self._names)
        found = {}
        for at, name in enumerate(self._names):
            of_cpus = numbers[at::width]
            found[name] = max(of_cpus) if name.endswith("_max") else sum(of_cpus)
        return found
