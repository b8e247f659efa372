"""The server that generators ask, on a processor of its own, and the tuning of this machine."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import generators as gen

from harness.system.journal import owned_machine
from harness.system.tuning import tuned_machine

ROOT = Path(__file__).resolve().parents[2]
SERVER_CPU = 1
OBJECT_PATH = "/bench/object-1"
OBJECT_BYTES = 1024
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def command(port: int, build: Path) -> list[str]:
    """The C backend if it is built, else the freeze server that never freezes."""
    backend = build / "process/c/pausemark-c"
    if backend.is_file():
        return [str(backend), "--address", "127.0.0.1", "--port", str(port), "--threads", "1"]
    freeze = build / "loadgen/pausemark-freeze"
    return [str(freeze), "--port", str(port), "--freeze-us", "0", "--body-bytes", "1024"]


@contextlib.contextmanager
def running(what: list[str], port: int) -> Iterator[str]:
    """Runs the server on its own processor; the URL of one object of 1 KiB."""
    process = subprocess.Popen(gen.pinned(SERVER_CPU, what), stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}{put_object(port)}"
    finally:
        process.terminate()
        process.wait(10)


def put_object(port: int) -> str:
    """Stores the object that every generator asks for; the path to ask for."""
    deadline = time.monotonic() + 10
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            name = connection.getresponse().getheader("Server") or ""
            connection.close()
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    if name == "pausemark-freeze":
        return "/"
    for path, body in (("/bench", b""), (OBJECT_PATH, b"x" * OBJECT_BYTES)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("PUT", path, body=body)
        connection.getresponse().read()
        connection.close()
    return OBJECT_PATH


def steal_ticks() -> int:
    """Stolen time of the engine's processor so far."""
    for line in Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields[0] == f"cpu{gen.ENGINE_CPU}":
            return int(fields[8])
    return 0


@contextlib.contextmanager
def tuned() -> Iterator[str]:
    """The machine as a run's, alone and tuned, undone at every exit; says what was set."""
    with owned_machine("bench-engine") as journal, tuned_machine(journal, apply=True) as settings:
        held = [one.operation for one in settings if one.state in {"applied", "already"}]
        yield ", ".join(held) or "nothing could be set"
