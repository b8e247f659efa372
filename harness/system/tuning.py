"""Settings of the machine that decide latencies: applied, recorded and undone.

Every operation says what it would set and why (advise), sets it (apply) and puts it back (undo);
the idea is pyperf's. What could not be set is recorded with its reason.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.system.journal import Journal, undo


class Operation(msgspec.Struct, frozen=True):
    """One file to write; `only_if` names a file and a word that it must contain."""

    name: str
    path: str  # a glob
    wanted: str
    about: str
    only_if: tuple[str, str] | None = None


OPERATIONS = (
    Operation(
        "halt polling",
        "/sys/module/haltpoll/parameters/guest_halt_poll_ns",
        "200000",
        "an idle virtual CPU polls before it halts; a halt costs tens of microseconds a request",
        ("/sys/devices/system/cpu/cpuidle/current_driver", "haltpoll"),
    ),
    Operation(
        "session groups",
        "/proc/sys/kernel/sched_autogroup_enabled",
        "0",
        "a group for each session hides SCHED_IDLE: Locust and the probes would hold the engine's "
        "core for whole slices",
    ),
    Operation(
        "governor",
        "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
        "performance",
        "a clock that follows the load makes a paced load look slow",
    ),
    Operation(
        "turbo (Intel)",
        "/sys/devices/system/cpu/intel_pstate/no_turbo",
        "1",
        "turbo depends on what the other cores do",
    ),
    Operation(
        "turbo (others)",
        "/sys/devices/system/cpu/cpufreq/boost",
        "0",
        "turbo depends on what the other cores do",
    ),
    Operation(
        "NMI watchdog",
        "/proc/sys/kernel/nmi_watchdog",
        "0",
        "an interrupt that no backend asked for",
    ),
    Operation(
        "huge pages",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "madvise",
        "khugepaged moves pages under whoever asks nothing of it",
    ),
    Operation(
        "listen backlog",
        "/proc/sys/net/core/somaxconn",
        "4096",
        "the contract's backlog; a smaller one drops connections at the start",
    ),
    Operation(
        "ephemeral ports",
        "/proc/sys/net/ipv4/ip_local_port_range",
        "10240\t65535",
        "ten thousand connections need ten thousand ports",
    ),
)


class Tuned(msgspec.Struct, frozen=True):
    """One line of the report's environment."""

    operation: str
    about: str
    path: str
    before: str
    after: str
    state: str  # applied | already | off | absent | refused
    reason: str


def _chosen(text: str) -> str:
    """The value in a file that lists all and brackets the chosen one; else the text itself."""
    if "[" in text and "]" in text:
        return text[text.index("[") + 1 : text.index("]")]
    return text


def _absent(operation: Operation, reason: str) -> Tuned:
    return Tuned(operation.name, operation.about, operation.path, "", "", "absent", reason)


def _files(operation: Operation) -> tuple[list[Path], str]:
    if operation.only_if is not None:
        condition, word = operation.only_if
        try:
            found = Path(condition).read_text(encoding="ascii").strip()
        except OSError:
            return [], f"{condition} is not there"
        if word not in found:
            return [], f"{condition} says {found!r}, not {word!r}"
    files = sorted(Path("/").glob(operation.path.lstrip("/")))
    return files, "" if files else "this machine does not have it"


def _apply_one(operation: Operation, path: Path, journal: Journal, *, apply: bool) -> Tuned:
    def tuned(before: str, after: str, state: str, reason: str = "") -> Tuned:
        return Tuned(operation.name, operation.about, str(path), before, after, state, reason)

    try:
        before = _chosen(path.read_text(encoding="ascii").strip())
    except OSError as error:
        return tuned("", "", "refused", f"cannot be read: {error.strerror}")
    if before.split() == operation.wanted.split():
        return tuned(before, before, "already")
    if not apply:
        return tuned(before, before, "off", f"--tune off; {operation.wanted} would be set")
    entry = {"kind": "setting", "path": str(path), "before": before}
    journal.add(entry)
    try:
        path.write_text(operation.wanted, encoding="ascii")
        after = _chosen(path.read_text(encoding="ascii").strip())
    except OSError as error:
        journal.remove(entry)
        return tuned(before, before, "refused", f"cannot be written: {error.strerror}")
    return tuned(before, after, "applied")


def tune(journal: Journal, *, apply: bool) -> list[Tuned]:
    """Applies every operation that fits this machine, or only says what it would do."""
    done: list[Tuned] = []
    for operation in OPERATIONS:
        files, reason = _files(operation)
        if not files:
            done.append(_absent(operation, reason))
        done += [_apply_one(operation, path, journal, apply=apply) for path in files]
    return done


def undo_tuning(journal: Journal, tuned: list[Tuned]) -> list[str]:
    """Puts back what was applied, last first; returns the sentences."""
    said = []
    for line in reversed(tuned):
        if line.state == "applied":
            entry: dict[str, Any] = {"kind": "setting", "path": line.path, "before": line.before}
            said.append(undo(entry))
            journal.remove(entry)
    return said


@contextlib.contextmanager
def tuned_machine(journal: Journal, *, apply: bool) -> Iterator[list[Tuned]]:
    """The settings hold inside the block, and are put back however it ends.

    Also raises this process's limit of open files for what it starts, and keeps the CPUs out of
    deep sleep where the machine offers /dev/cpu_dma_latency.
    """
    done = tune(journal, apply=apply)
    with contextlib.ExitStack() as stack:
        stack.callback(undo_tuning, journal, list(done))
        if apply:
            done.append(_hold_awake(stack))
            done.append(_raise_open_files())
        yield done


def _hold_awake(stack: contextlib.ExitStack) -> Tuned:
    """Zero microseconds of wake-up latency for as long as the file is open."""
    name, about = "sleep states", "deep sleep states take tens of microseconds to leave"
    path = Path("/dev/cpu_dma_latency")
    try:
        file = stack.enter_context(path.open("wb", buffering=0))
        file.write((0).to_bytes(4, "little"))
    except OSError as error:
        return Tuned(name, about, str(path), "", "", "absent", error.strerror or "")
    return Tuned(name, about, str(path), "", "0", "applied", "held while the run lasts")


def _raise_open_files() -> Tuned:
    """The soft limit up to the hard one; ends with this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    state = "already" if soft == hard else "held"
    about = "a connection is an open file"
    return Tuned("open files", about, "RLIMIT_NOFILE", str(soft), str(hard), state, "")
