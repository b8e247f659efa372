"""Seeds the map of tracked threads (tree.h) with the process trees that exist at the start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from common.kernel import Hook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from common.kernel import Program

BACKEND = 1  # ROLE_BACKEND
ENGINE = 2  # ROLE_ENGINE
HOOKS = (
    Hook("sched", "sched_process_fork", "tree_on_fork"),
    Hook("sched", "sched_process_exec", "tree_on_exec"),
    Hook("sched", "sched_process_exit", "tree_on_exit"),
)
_ROUNDS_MAX = 8
_PROC = Path("/proc")


def seed(program: Program, roots: Iterable[int], role: int) -> list[int]:
    """Track every thread under `roots`; returns the roots that no longer exist.

    Attach HOOKS first: a thread born while this walks is then followed by the kernel, or seen by
    the next round, and rounds go on until one finds nothing new.
    """
    wanted = list(roots)
    table = program.map("tracked")
    seen: set[int] = set()
    for _ in range(_ROUNDS_MAX):
        fresh = _threads(_descendants(wanted)) - seen
        if not fresh:
            break
        for thread in fresh:
            table.write(thread, role.to_bytes(4, "little"))
        seen |= fresh
    return [root for root in wanted if root not in seen]


def forget(program: Program) -> None:
    """Empty the map: ids are recycled between trials."""
    program.map("tracked").clear()


def _threads(processes: Iterable[int]) -> set[int]:
    threads: set[int] = set()
    for process in processes:
        try:
            threads.update(int(entry.name) for entry in (_PROC / str(process) / "task").iterdir())
        except OSError:
            continue  # ended while we looked
    return threads


def _descendants(roots: list[int]) -> set[int]:
    """The roots and all that descend from them, by the parent in /proc/PID/stat."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(errors="replace")
            except OSError:
                continue
            # The command may hold spaces and brackets: the fields start after its last bracket.
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    queue = list(roots)
    while queue:
        process = queue.pop()
        if process not in found:
            found.add(process)
            queue.extend(children.get(process, ()))
    return found
