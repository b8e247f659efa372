"""The plain server and its driver for the probes' tests: built once, run on cores of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.probe_session import REPOSITORY

_SOURCE = REPOSITORY / "tests" / "backends" / "plain"


@dataclass(frozen=True, slots=True)
class Subject:
    """The built programs, and the cores that the server and all else run on."""

    folder: Path
    cpu_server: int
    cpu_rest: int


def build(folder: Path) -> Subject:
    """Compile both programs into `folder`."""
    if shutil.which("gcc") is None and os.environ.get("CI") != "true":
        pytest.skip("the subject needs gcc")
    command = ["make", "-C", str(_SOURCE), f"OUT={folder}", "CC=gcc"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    cpus = sorted(os.sched_getaffinity(0))
    return Subject(folder=folder, cpu_server=cpus[-1], cpu_rest=cpus[0])


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def server(
    subject: Subject, port: int, *, realtime: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """The server, listening. Real time keeps other tenants of the test's machine off its core."""
    with _running([str(subject.folder / "server"), str(port)], subject.cpu_server) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        if realtime:
            os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(10))
        yield process


@contextmanager
def driver(
    subject: Subject, port: int, *, rate_rps: int, requests: int, connections: int = 64
) -> Iterator[subprocess.Popen[bytes]]:
    """The driver, under way at real-time priority, so that its own delays stay small."""
    command = [subject.folder / "drive", port, rate_rps, requests, connections]
    with _running([str(word) for word in command], subject.cpu_rest) as process:
        os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(10))
        yield process


def drive(subject: Subject, port: int, *, rate_rps: int, requests: int) -> int:
    """Drive to the end; returns the answers that came."""
    with driver(subject, port, rate_rps=rate_rps, requests=requests) as process:
        text, _ = process.communicate(timeout=120)
    return int(text)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop of a process that really happened, by the clock of whoever stopped it."""

    start_ns: int
    end_ns: int


def stop_for(process: subprocess.Popen[bytes], length_ns: int) -> Stop:
    """SIGSTOP, sleep for `length_ns`, SIGCONT; call it under `on_time`."""
    process.send_signal(signal.SIGSTOP)
    start_ns = time.monotonic_ns()
    time.sleep(length_ns / 1e9)
    end_ns = time.monotonic_ns()
    process.send_signal(signal.SIGCONT)
    return Stop(start_ns, end_ns)


@contextmanager
def on_time(cpu: int) -> Iterator[None]:
    """Run this thread before all others on `cpu`: whoever injects faults must not be late."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cpus)


@contextmanager
def _running(command: list[str], cpu: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
