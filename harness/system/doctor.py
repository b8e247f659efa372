"""What this machine can and cannot do: checks with a fix for each."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil

from harness.errors import PausemarkError
from harness.system import docker_daemon
from harness.system.environment import read_text, usable_cpus
from harness.system.process import run

TOOLS = (
    ("C compiler", "gcc", "apt-get install gcc"),
    ("C++ compiler", "g++", "apt-get install g++"),
    ("Rust", "cargo", "apt-get install cargo (Debian 13), cargo-web rustc-web (Debian 12)"),
    ("Go", "go", "apt-get install golang-1.26-go from backports"),
    ("debootstrap", "debootstrap", "apt-get install debootstrap"),
)
OPEN_FILES_MIN = 65536
FREE_BYTES_MIN = 5 * 2**30


class Check(msgspec.Struct, frozen=True):
    """One line: state is good, limited (works, with less) or lacking (something cannot be done)."""

    name: str
    state: str
    found: str
    advice: str = ""
    fixable: bool = False


def _docker() -> Check:
    daemon = docker_daemon.answering()
    if daemon is not None:
        return Check("Docker", "good", f"engine {daemon.version}")
    if shutil.which("dockerd") and os.geteuid() == 0:
        advice = "the engine is installed but down: --fix starts it"
        return Check("Docker", "limited", "no engine answers", advice, fixable=True)
    advice = "apt-get install docker.io; without it --runtime process is used"
    return Check("Docker", "limited", "no engine answers", advice)


def _start_docker() -> str:
    daemon = docker_daemon.ensure()
    return f"engine {daemon.version} answers"


def _bpf() -> Check:
    if os.geteuid() != 0:
        return Check("BPF", "limited", "not root", "run as root, or use --probes off")
    if not Path("/usr/lib/python3/dist-packages/bcc").is_dir():
        advice = "apt-get install python3-bpfcc (PyPI's bcc is another project)"
        return Check("BPF", "limited", "Debian's python3-bpfcc is missing", advice)
    version = run(
        ["/usr/bin/python3", "-c", "import bcc; print(bcc.__version__)"], timeout_s=30
    ).stdout.strip()
    return Check("BPF", "good", f"python3-bpfcc {version}")


def _tracefs() -> Check:
    path = Path("/sys/kernel/tracing/events")
    if path.is_dir() or Path("/sys/kernel/debug/tracing/events").is_dir():
        return Check("tracefs", "good", "mounted")
    can = os.geteuid() == 0 and path.parent.is_dir()
    advice = "mount -t tracefs tracefs /sys/kernel/tracing"
    return Check("tracefs", "limited", "not mounted", advice, fixable=can)


def _mount_tracefs() -> str:
    finished = run(["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"], timeout_s=10)
    return "mounted" if finished.exit_status == 0 else finished.stderr.strip()


def _socket_tracepoints() -> Check:
    path = Path("/sys/kernel/tracing/events/sock/sock_recv_length")
    if path.exists():
        return Check("socket tracepoints", "good", platform.release())
    advice = 'a kernel of 6.3 or newer: server time and no-progress gaps are "not measured" here'
    return Check("socket tracepoints", "limited", f"not in {platform.release()}", advice)


def _btf() -> Check:
    if Path("/sys/kernel/btf/vmlinux").exists():
        return Check("BTF", "good", "/sys/kernel/btf/vmlinux")
    return Check("BTF", "limited", "none", "not needed by today's probes")


def _headers() -> Check:
    here = Path(f"/lib/modules/{platform.release()}/build")
    found = "the kernel's own" if here.exists() else "none; the stub in ebpf/include is used"
    return Check("kernel headers", "good", found)


def _cores() -> Check:
    cpus = usable_cpus()
    if len(cpus) >= 2:
        return Check("cores", "good", str(len(cpus)))
    advice = "two cores at least: with one the engine and the backend share it"
    return Check("cores", "limited", str(len(cpus)), advice)


def _clock() -> Check:
    name = read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if name in {"tsc", "kvm-clock"}:
        return Check("clock", "good", name)
    advice = "a clock source that is read without a system call: tsc or kvm-clock"
    return Check("clock", "limited", name or "unknown", advice)


def _governor() -> Check:
    name = read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if name in {None, "performance"}:
        return Check("governor", "good", name or "none (the host decides)")
    return Check("governor", "limited", name or "", "`bench run --tune auto` sets it for the run")


def _open_files() -> Check:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= OPEN_FILES_MIN:
        return Check("open files", "good", f"up to {hard}")
    return Check("open files", "limited", f"up to {hard}", f"ulimit -Hn {OPEN_FILES_MIN}")


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    state = "good" if free >= FREE_BYTES_MIN else "limited"
    advice = "" if state == "good" else "a 300 s run at 10,000 RPS writes 120 MB a trial"
    return Check("disk", state, f"{free / 2**30:.0f} GiB free", advice)


def _steal() -> Check:
    times = psutil.cpu_times()
    total = sum(times) or 1.0
    share = getattr(times, "steal", 0.0) / total
    state = "good" if share < 0.02 else "limited"
    advice = "" if state == "good" else "the host takes CPU time away: verdicts will name it"
    return Check("steal since boot", state, f"{share:.1%}", advice)


def _tools() -> list[Check]:
    found = []
    for name, program, advice in TOOLS:
        path = shutil.which(program)
        state = "good" if path else "limited"
        found.append(Check(name, state, program if path else "not found", "" if path else advice))
    return found


_CHECKS: tuple[Callable[[], Check], ...] = (
    *(_docker, _bpf, _tracefs, _socket_tracepoints, _btf, _headers),
    *(_cores, _clock, _governor, _open_files, _disk, _steal),
)
_FIXES: dict[str, Callable[[], str]] = {"Docker": _start_docker, "tracefs": _mount_tracefs}


def examine() -> list[Check]:
    """Every check; none changes anything."""
    return [*(check() for check in _CHECKS), *_tools()]


def fix(name: str) -> str:
    """Does what can be done by itself; a sentence that says how it went."""
    try:
        return _FIXES[name]()
    except (PausemarkError, OSError, subprocess.SubprocessError) as error:
        return f"not fixed: {error}"
