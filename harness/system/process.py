"""The only door to starting programs: run one to its end, or spawn one that dies with us.

A program is started through `sh`, `taskset` and `setpriv` (Debian's essential packages) instead
of a function between fork and exec: that is safe whatever threads this process has, and the
program is in its control group and on its CPUs before its first instruction.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from harness.errors import EnvironmentLacking, PausemarkError
from harness.system import process_table
from harness.system.clock import Deadline, monotonic_ns, sleep_s
from harness.system.files import tail
from harness.system.process_table import OWNER_VARIABLE, Identity, end_all, identify, own_identity

# Joins every control group named before `--`, then becomes the program.
_LAUNCHER = 'while [ "$1" != "--" ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"'
_LAUNCHERS = {"sh", "dash", "bash", "chrt", "taskset", "setpriv"}


class Finished(msgspec.Struct, frozen=True):
    """A process that ended: exit status (negative: by that signal) and what it wrote."""

    exit_status: int
    stdout: str
    stderr: str
    wall_ns: int = 0


class ProgramMissing(EnvironmentLacking):
    """A program is not installed, or not ours to start."""


class ProgramFailed(PausemarkError):
    """A program ended with another status than 0."""


# What a make tells makes below it, its command line's variables among it: ours are none of them.
OF_A_MAKE = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}


class TimedOut(PausemarkError):
    """A process that did not end in its time, and was killed."""


def find(program: str, path: str | None = None) -> str | None:
    """Where a program is installed; system folders count even when PATH lacks them."""
    search = path or os.environ.get("PATH", "")
    return shutil.which(program, path=search + ":/usr/local/sbin:/usr/sbin:/sbin")


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input_text: str | None = None,
    log: Path | None = None,
) -> Finished:
    """Runs to the end and keeps what it wrote, in `log` when one is given.

    TimedOut after `timeout_s`, ProgramMissing; nothing of its process tree is left then.
    """
    began_ns = monotonic_ns()
    process = spawn(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE if input_text is not None else None,
        stdout=log if log is not None else subprocess.PIPE,
        stderr=log if log is not None else subprocess.PIPE,
    )
    try:
        data = input_text.encode() if input_text is not None else None
        stdout, stderr = process.communicate(data, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        end(process, timeout_s=0.0)
        raise TimedOut(
            argv[0],
            f"expected an end within {timeout_s:g} s, got none",
            hint="run it by hand: " + " ".join(argv),
        ) from error
    except BaseException:
        end(process, timeout_s=0.0)  # Ctrl-C leaves nothing behind
        raise
    return Finished(
        process.returncode,
        (stdout or b"").decode("utf-8", "replace"),
        (stderr or b"").decode("utf-8", "replace"),
        monotonic_ns() - began_ns,
    )


def run_checked(argv: Sequence[str], *, timeout_s: float, log: Path | None = None) -> Finished:
    """As `run`, but ProgramFailed with its last words unless it ended with status 0."""
    finished = run(argv, timeout_s=timeout_s, log=log)
    if finished.exit_status != 0:
        said = last_lines(log) if log is not None else " | ".join(finished.stderr.split("\n")[-4:])
        raise ProgramFailed(
            argv[0],
            f"expected exit status 0, but it {describe_exit(finished.exit_status)}: {said}",
            hint="run it by hand: " + " ".join(argv),
        )
    return finished


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | Path | None = None,
    stderr: int | Path | None = None,
    cpus: Sequence[int] = (),
    groups: Sequence[Path] = (),
    unprivileged: bool = False,
    daemon: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts in a session of its own; it is killed when the calling thread ends.

    (PR_SET_PDEATHSIG counts threads: start long-lived programs from the main thread.) A Path is
    appended to; `env` is added to ours, without what a make that runs us would tell one below.
    `groups` are cgroup.procs files to join, `cpus` its affinity ([] keeps ours); `unprivileged`
    drops every capability and the chance to gain one; a `daemon` outlives us and is never taken for
    something left behind. Raises ProgramMissing.
    """
    program = find(argv[0], (env or {}).get("PATH"))
    if program is None:
        raise ProgramMissing(argv[0], "cannot be started: no such program", hint="run `make setup`")
    wrapped = ["/bin/sh", "-c", _LAUNCHER, "pausemark-launch", *map(str, groups), "--"]
    if os.sched_getscheduler(0) == os.SCHED_IDLE:
        wrapped += ["chrt", "--other", "0"]  # the quiet harness; a fork would inherit it
    if cpus:
        wrapped += ["taskset", "-c", ",".join(map(str, cpus))]
    wrapped += [*_privileges(unprivileged=unprivileged, daemon=daemon), program, *argv[1:]]
    ours = {name: value for name, value in os.environ.items() if name not in OF_A_MAKE}
    environment = {**ours, **(env or {}), OWNER_VARIABLE: str(own_identity())}
    if daemon:
        del environment[OWNER_VARIABLE]
    with contextlib.ExitStack() as stack:

        def target(where: int | Path | None) -> int | IO[bytes] | None:
            return stack.enter_context(where.open("ab")) if isinstance(where, Path) else where

        return subprocess.Popen(
            wrapped,
            cwd=cwd,
            env=environment,
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stdout=target(stdout),
            stderr=target(stderr),
            start_new_session=True,
        )


def _privileges(*, unprivileged: bool, daemon: bool) -> list[str]:
    flags = [] if daemon else ["--pdeathsig", "KILL"]
    if unprivileged:
        flags += ["--no-new-privs", *_no_capabilities()]
    return ["setpriv", *flags] if flags else []


@functools.cache
def _no_capabilities() -> list[str]:
    """The flags that drop every capability, [] for one who has none to drop."""
    flags = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
    tried = subprocess.run(["setpriv", *flags, "true"], capture_output=True, check=False)
    return flags if tried.returncode == 0 else []


def wait_until_exec(process: subprocess.Popen[bytes], *, timeout_s: float = 2.0) -> None:
    """Returns once the launcher has become the program, so that /proc/PID/exe is the program's."""
    deadline = Deadline(timeout_s)
    while process.poll() is None and not deadline.passed:
        try:
            name = Path(f"/proc/{process.pid}/exe").readlink().name
        except OSError:
            return
        if name not in _LAUNCHERS:
            return
        sleep_s(0.001)


def end(process: subprocess.Popen[bytes], *, timeout_s: float) -> None:
    """SIGTERM and a wait, then SIGKILL for what is left of its tree; safe to call twice."""
    members = _members(process)
    if timeout_s > 0 and process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
        members |= _members(process)
    for member in members:
        process_table.send(member, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5.0)
    end_all(members, timeout_s=0.0)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _members(process: subprocess.Popen[bytes]) -> set[Identity]:
    """The living of its tree and of its session: children stay there when it has ended."""
    found = set(process_table.tree([process.pid])) if process.poll() is None else set()
    found |= {pid for pid in process_table.pids() if _session_of(pid) == process.pid}
    return set(filter(None, map(identify, found)))


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def tree(pid: int) -> list[int]:
    """The pid and all its living descendants; empty when it is gone."""
    return process_table.tree([pid])


def describe_exit(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by signal {-status} ({signal.Signals(-status).name})"
        return f"was ended by signal {-status}"
    return f"ended with exit status {status}"


def last_lines(path: Path, count: int = 5) -> str:
    """The end of a log, on one line; "" when there is none."""
    return " | ".join(tail(path, count))
