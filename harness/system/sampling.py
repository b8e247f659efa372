"""Counters of the machine and of processes, read without changing anything."""

from __future__ import annotations

import os
from pathlib import Path

from harness.model.facts import CpuTimes

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def parse_cpu_times(stat: str, cpus: set[int]) -> dict[int, CpuTimes]:
    """The lines `cpuN` of /proc/stat (proc(5)) for the CPUs asked for."""
    times: dict[int, CpuTimes] = {}
    for line in stat.splitlines():
        if not line.startswith("cpu") or line[3] == " ":
            continue
        name, *fields = line.split()
        number = int(name[3:])
        if number not in cpus:
            continue
        user, nice, system, idle, iowait, irq, softirq, steal = (int(f) for f in fields[:8])
        times[number] = CpuTimes(
            busy_ns=(user + nice + system + irq + softirq) * TICK_NS,
            idle_ns=(idle + iowait) * TICK_NS,
            steal_ns=steal * TICK_NS,
        )
    return times


def cpu_times(cpus: list[int]) -> dict[int, CpuTimes]:
    """Busy, idle and stolen time since boot, per CPU."""
    return parse_cpu_times(Path("/proc/stat").read_text(encoding="ascii"), set(cpus))


def process_cpu_ns(pid: int) -> int | None:
    """Time on a CPU of all living threads (schedstat, proc(5)); None when the process is gone."""
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    except (OSError, IndexError, ValueError):
        return None
    return total
