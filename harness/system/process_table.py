"""Processes as /proc tells them: who lives, who descends from whom, who was left behind.

A process is named by its pid and the tick of its start, so that a pid that was given to another
process is never mistaken for the first.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.system.clock import Deadline, sleep_s
from harness.system.files import read_text

PROC = Path("/proc")
NANOSECONDS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
# Every process that we start carries this variable; its value is the owner's identity.
OWNER_VARIABLE = "PAUSEMARK_OWNER"


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be confused with a later one of the same pid."""

    pid: int
    start_ticks: int

    def __str__(self) -> str:
        """`pid:start`, as it travels in environments and labels."""
        return f"{self.pid}:{self.start_ticks}"


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that we use."""

    pid: int
    name: str
    state: str
    parent: int
    cpu_ns: int
    start_ticks: int


def read_stat(pid: int) -> Stat | None:
    """None when there is no such process."""
    text = read_text(PROC / str(pid) / "stat")
    return None if text is None else parse_stat(text)


def parse_stat(text: str) -> Stat | None:
    """One line of /proc/PID/stat; the name stands in parentheses and may hold any character."""
    head, _, tail = text.rpartition(")")
    pid, _, name = head.partition("(")
    fields = tail.split()
    if len(fields) < 20 or not pid.strip().isdigit():
        return None
    ticks = int(fields[11]) + int(fields[12])  # utime + stime
    return Stat(
        pid=int(pid),
        name=name,
        state=fields[0],
        parent=int(fields[1]),
        cpu_ns=ticks * NANOSECONDS_PER_TICK,
        start_ticks=int(fields[19]),
    )


def identify(pid: int) -> Identity | None:
    """None when there is no such process, or only its zombie."""
    stat = read_stat(pid)
    return None if stat is None or stat.state in "ZX" else Identity(pid, stat.start_ticks)


def own_identity() -> Identity:
    """This process."""
    identity = identify(os.getpid())
    if identity is None:
        raise RuntimeError("/proc does not show this process: is /proc mounted?")
    return identity


def parse_identity(text: str) -> Identity | None:
    """The inverse of `str(identity)`; None for anything else."""
    pid, _, start = text.partition(":")
    return Identity(int(pid), int(start)) if pid.isdigit() and start.isdigit() else None


def lives(identity: Identity) -> bool:
    """Whether this very process runs; a zombie does not."""
    return identify(identity.pid) == identity


def pids() -> Iterator[int]:
    """Every process that /proc shows now."""
    for entry in os.listdir(PROC):  # noqa: PTH208 (names only, thousands of them)
        if entry.isdigit():
            yield int(entry)


def tree(roots: Iterable[int]) -> list[int]:
    """The roots that live and all that descend from them, parents first."""
    children: dict[int, list[int]] = defaultdict(list)
    living = set()
    for pid in pids():
        stat = read_stat(pid)
        if stat is not None and stat.state not in "ZX":
            living.add(pid)
            children[stat.parent].append(pid)
    found: list[int] = []
    waiting = [pid for pid in roots if pid in living]
    while waiting:
        pid = waiting.pop(0)
        if pid not in found:
            found.append(pid)
            waiting.extend(children[pid])
    return found


def name_of(pid: int) -> str:
    """The program's name, "?" when it is gone."""
    stat = read_stat(pid)
    return "?" if stat is None else stat.name


def arguments_of(pid: int) -> list[str]:
    """The command line, [] when it is gone."""
    text = read_text(PROC / str(pid) / "cmdline") or ""
    return text.rstrip("\0").split("\0") if text else []


def owner_of(pid: int) -> Identity | None:
    """Who started it, when it was started through `harness.system.process` or as a container."""
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    prefix = f"{OWNER_VARIABLE}=".encode()
    for item in environment.split(b"\0"):
        if item.startswith(prefix):
            return parse_identity(item[len(prefix) :].decode(errors="replace"))
    return None


def orphans() -> list[Identity]:
    """Processes whose owner is dead: what a killed harness left behind."""
    found = []
    for pid in pids():
        owner = owner_of(pid)
        if owner is not None and not lives(owner):
            identity = identify(pid)
            if identity is not None:
                found.append(identity)
    return found


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal this very process; nothing happens when it is gone."""
    if lives(identity):
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)


def end_all(identities: Iterable[Identity], *, timeout_s: float) -> list[Identity]:
    """SIGTERM, then SIGKILL after the time-out; returns those that live even then."""
    remaining = [identity for identity in identities if lives(identity)]
    for number, wait_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)):
        for identity in remaining:
            send(identity, number)
        deadline = Deadline(wait_s)
        while remaining and not deadline.passed:
            remaining = [identity for identity in remaining if lives(identity)]
            if remaining:
                sleep_s(0.005)
    return remaining


def status_bytes(pid: int, field: str) -> int | None:
    """A field of /proc/PID/status that is given in kB (VmRSS, VmHWM), in bytes."""
    for line in (read_text(PROC / str(pid) / "status") or "").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None
