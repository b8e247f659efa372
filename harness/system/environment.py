"""What this machine is: facts for the report, and a fingerprint that says which runs compare."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("locust", "docker", "psutil", "pandas", "numpy", "scipy", "jinja2", "hdrhistogram")


def read_text(path: str) -> str | None:
    """A small file of /proc or /sys, stripped; None when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def usable_cpus() -> list[int]:
    """The CPUs that this process may use, ascending."""
    return sorted(os.sched_getaffinity(0))


def cpu_model() -> str:
    """The model's name as the kernel has it."""
    for line in (read_text("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def os_name() -> str:
    """PRETTY_NAME of os-release."""
    for line in (read_text("/etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "unknown"


def virtualised() -> str:
    """Whether the CPU says that a hypervisor runs below: "yes (...)" or "no"."""
    flags = (read_text("/proc/cpuinfo") or "").partition("flags")[2].partition("\n")[0]
    return "yes (the CPU reports a hypervisor)" if " hypervisor" in flags else "no"


def describe(cpus: int | None = None) -> dict[str, dict[str, str]]:
    """Sections of facts for the report; "unknown" is written where nothing could be read.

    `cpus`: how many there are to use, when this process has already confined itself to some.
    """
    cpuidle = "/sys/devices/system/cpu/cpuidle/current_driver"
    clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    return {
        "machine": {
            "processor": cpu_model(),
            "cores": str(len(usable_cpus()) if cpus is None else cpus),
            "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
            "virtual machine": virtualised(),
            "idle driver": read_text(cpuidle) or "unknown",
            "clock source": read_text(clock) or "unknown",
            "governor": read_text(governor) or "none",
            "BTF": "yes" if Path("/sys/kernel/btf/vmlinux").exists() else "no",
        },
        "software": {
            "kernel": platform.release(),
            "system": os_name(),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
    }


def fingerprint(facts: dict[str, dict[str, str]], *, tuned: dict[str, str], runtime: str) -> str:
    """Twelve hex digits that are equal where absolute figures may be compared at all."""
    machine = sorted(facts["machine"].items())
    stable = [machine, facts["software"]["kernel"], sorted(tuned.items()), runtime]
    return hashlib.sha256(repr(stable).encode()).hexdigest()[:12]


def describe_all(
    *, cpus: int, tuning: list[dict[str, Any]], runtime: str, reason: str
) -> dict[str, Any]:
    """`environment.json`."""
    facts = describe(cpus)
    states = {f"{line['operation']} {line['path']}": str(line["after"]) for line in tuning}
    return {
        **facts,
        "runtime": {"name": runtime, "why": reason},
        "tuning": tuning,
        "fingerprint": fingerprint(facts, tuned=states, runtime=runtime),
    }
