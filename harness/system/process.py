"""Starts processes, and makes sure that they end with us."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

from harness.errors import EnvironmentLacking, PausemarkError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Finished(msgspec.Struct, frozen=True):
    """A process that ended: exit status (negative: by that signal) and what it wrote."""

    exit_status: int
    stdout: str
    stderr: str


class TimedOut(PausemarkError):
    """A process that did not end in its time, and was killed."""


def _child_setup(parent: int) -> None:
    """In the child, before exec: die when the parent does, even if it just did."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def run(
    argv: list[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input_text: str | None = None,
) -> Finished:
    """Runs to the end and keeps what it wrote; TimedOut after `timeout_s`."""
    try:
        process = spawn(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if input_text is not None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        data = input_text.encode() if input_text is not None else None
        stdout, stderr = process.communicate(data, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        kill_tree(process.pid)
        process.communicate()
        raise TimedOut(argv[0], f"did not end within {timeout_s:.0f} s") from error
    return Finished(
        process.returncode,
        (stdout or b"").decode("utf-8", "replace"),
        (stderr or b"").decode("utf-8", "replace"),
    )


def spawn(
    argv: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | Path | None = None,
    stderr: int | Path | None = None,
) -> subprocess.Popen[bytes]:
    """Starts in a session of its own; it is killed when we die. A Path is appended to.

    EnvironmentLacking when the program cannot be started.
    """
    parent = os.getpid()
    with contextlib.ExitStack() as stack:

        def target(where: int | Path | None) -> Any:
            return stack.enter_context(where.open("ab")) if isinstance(where, Path) else where

        try:
            return subprocess.Popen(
                argv,
                cwd=cwd,
                env=dict(env) if env is not None else None,
                stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=target(stdout),
                stderr=target(stderr),
                start_new_session=True,
                preexec_fn=lambda: _child_setup(parent),  # noqa: PLW1509  # no threads by then
            )
        except OSError as error:
            raise EnvironmentLacking(
                argv[0], f"cannot be started: {error.strerror}", hint="run `make setup`"
            ) from error


def tree(pid: int) -> list[int]:
    """The pid and all its living descendants; empty when it is gone."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    return []


def kill_tree(pid: int) -> None:
    """SIGKILL for a process and its descendants; nothing when they are gone."""
    for member in reversed(tree(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def describe_exit(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by signal {-status} ({signal.Signals(-status).name})"
        return f"was ended by signal {-status}"
    return f"ended with exit status {status}"


def last_lines(path: Path, count: int = 5) -> str:
    """The end of a log, on one line; "" when there is none."""
    with contextlib.suppress(OSError):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            text = file.read().decode("utf-8", "replace")
        return " | ".join(text.strip().splitlines()[-count:])
    return ""
