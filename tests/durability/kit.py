"""Durable backends as these tests start, end, trace and look at them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.contract.conftest import Server
from tests.contract.servers import (
    Backend,
    ProcessLauncher,
    ProcessRunning,
    build,
    free_port,
)

MODES = ("buffered", "interval", "batch", "sync")
SEGMENT_BYTES = 1 << 16
RUN_LIMIT_S = 10.0
BUCKET = "bucket"


def is_durable(backend: Backend) -> bool:
    """Whether the manifest declares the profile."""
    return "durable" in backend.manifest.get("profiles", [])


def arguments(
    backend: Backend, mode: str, folder: Path, extra: Sequence[str], segment_bytes: int
) -> list[str]:
    """What follows the manifest's command: the mode and small segments."""
    option = backend.manifest["options"]["durability"]
    found = [option["argument"].format(value=mode), "--segment-bytes", str(segment_bytes), *extra]
    if not any("{data_directory}" in part for part in backend.manifest["run"]["command"]):
        found += ["--data-directory", str(folder)]
    return found


@dataclass
class Fleet:
    """The servers that a test started; all are ended with it."""

    backend: Backend
    started: list[Server] = field(default_factory=list)

    def start(
        self,
        folder: Path,
        mode: str = "batch",
        *extra: str,
        backend: Backend | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Server:
        """A server on this data folder; ready on return."""
        chosen = backend or self.backend
        build(chosen)
        wanted = arguments(chosen, mode, folder, extra, segment_bytes)
        server = Server(chosen, ProcessLauncher(folder).start(chosen, wanted))
        self.started.append(server)
        return server

    def run_to_end(
        self, folder: Path, mode: str = "batch", *extra: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a backend that is expected to refuse its start."""
        build(self.backend)
        wanted = arguments(self.backend, mode, folder, extra, SEGMENT_BYTES)
        command = self.backend.command(free_port(), folder, wanted)
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
            env={**os.environ, **self.backend.environment()},
        )

    def stop_all(self) -> None:
        """End what still runs."""
        for server in self.started:
            server.running.stop()
        self.started.clear()


def end(server: Server) -> None:
    """End a server in good order."""
    server.running.signal(signal.SIGTERM)
    assert server.running.wait(5.0) == 0, server.running.output()


def kill(server: Server) -> None:
    """End a server as a crash does."""
    server.running.signal(signal.SIGKILL)
    server.running.wait(5.0)


def keys_of(server: Server, bucket: str = BUCKET) -> list[str]:
    """The keys of a bucket as the first page of its list tells them."""
    reply = server.ask("GET", f"/{bucket}?list-type=2")
    assert reply.status == 200, reply
    return [element.text or "" for element in reply.xml().iter("Key")]


def contents(server: Server, bucket: str = BUCKET) -> dict[str, tuple[object, ...]]:
    """Every object of a bucket: status, body, and the headers that belong to the object."""
    own = {"date", "server", "x-amz-request-id", "connection"}
    found: dict[str, tuple[object, ...]] = {}
    with server.wire() as wire:
        for key in keys_of(server, bucket):
            reply = wire.ask("GET", f"/{bucket}/{key}")
            headers = sorted((n.lower(), v) for n, v in reply.headers if n.lower() not in own)
            found[key] = (reply.status, reply.body, tuple(headers))
    return found


def can_trace() -> bool:
    """Whether strace is there and may attach to a process that is not its child."""
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    open_to_all = not scope.exists() or scope.read_text().strip() == "0"
    return shutil.which("strace") is not None and (os.geteuid() == 0 or open_to_all)


def process_of(server: Server) -> int:
    """The server's process."""
    assert isinstance(server.running, ProcessRunning)
    return server.running.process.pid


@contextmanager
def strace(server: Server, *options: str) -> Iterator[None]:
    """Trace every thread of the server, from the entry on until the exit."""
    command = ["strace", "-f", "-p", str(process_of(server)), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_traced(process_of(server))
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _wait_until_traced(process: int) -> None:
    """Return when the tracer holds every thread."""
    deadline = time.monotonic() + RUN_LIMIT_S
    while True:
        states = [_tracer(path) for path in Path(f"/proc/{process}/task").iterdir()]
        if states and all(states):
            return
        assert time.monotonic() < deadline, "strace never attached"
        time.sleep(0.01)


def _tracer(task: Path) -> int:
    try:
        text = (task / "status").read_text()
    except OSError:
        return 1  # a thread that has ended escapes nobody
    for line in text.splitlines():
        if line.startswith("TracerPid:"):
            return int(line.split()[1])
    return 0
