"""Runs a backend's variant, or nginx beside it, on a processor of its own, and reads its bill."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the same discovery as the contract's tests

from tests.contract.servers import Backend, build, discover, free_port  # noqa: E402
from tests.contract.wire import ClosedError, Wire  # noqa: E402

SERVER_CPU, CLIENT_CPU = 0, 1
READY_S = 10.0
BUCKET, KEY, OBJECT_BYTES = "bench", "object", 1024
OBJECT_PATH = f"/{BUCKET}/{KEY}"
NGINX_CONFIG = """
worker_processes 1; daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 1000000000; tcp_nodelay on;
  {settings} default_type binary/octet-stream;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared: a variant with extra arguments, or nginx (no backend).

    For nginx `extra` is what its configuration says of files.
    """

    name: str
    backend: Backend | None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """A server that answers."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """User and system seconds so far, of all its threads and of the front that it started."""
        return sum(sum(one.cpu_times()[:2]) for one in self._tree())

    def resident_bytes(self) -> int:
        """Resident set of the tree."""
        return sum(int(one.memory_info().rss) for one in self._tree())

    def _tree(self) -> list[psutil.Process]:
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]


def fail(what: str, hint: str) -> SystemExit:
    """An error of the environment, in the house's words."""
    return SystemExit(f"error: benchmarks: {what}\nhint: {hint}")


def needed(program: str) -> str:
    """The program's path; ends with a hint when it is not installed."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        raise fail(f"{program}: not found, expected it on PATH", "apt-get install wrk nginx-light")
    return found


def variants(names: Sequence[str]) -> list[Subject]:
    """Every variant of HTTP/1.1 alone, or of a backend; or those that are named in full; built."""
    found = [
        Subject(backend.name, backend)
        for backend in discover([ROOT / "backends"])
        if backend.name in names
        or ("h2c" not in backend.protocols and (not names or backend.name.split("/")[0] in names))
    ]
    if not found:
        raise fail(f"{list(names)}: no such variant", "bench list shows them")
    for subject in found:
        assert subject.backend is not None
        build(subject.backend)
    return found


@contextlib.contextmanager
def running(subject: Subject, folder: Path | None = None) -> Iterator[Started]:
    """The server on SERVER_CPU with the object in it; its data is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pausemark-bench-", dir=folder) as name:
        home, port = Path(name), free_port()
        environment = dict(os.environ)
        if subject.backend is None:
            command = _nginx(home, port, " ".join(subject.extra))
        else:
            command = subject.backend.command(port, home, subject.extra)
            environment.update(subject.backend.environment())
            environment.pop("GOMAXPROCS", None)  # --threads says it, and a synced log adds one
        with _child(command, environment) as process:
            _await_ready(process, port, subject)
            yield Started(process.pid, port)


def _nginx(home: Path, port: int, settings: str) -> list[str]:
    home.chmod(0o755)  # its worker is not root
    (home / BUCKET).mkdir()
    (home / BUCKET / KEY).write_bytes(b"x" * OBJECT_BYTES)
    config = home / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=home, port=port, settings=settings))
    return [needed("nginx"), "-c", str(config), "-p", str(home)]


@contextlib.contextmanager
def _child(
    command: Sequence[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        env=environment,
        preexec_fn=pin(SERVER_CPU),  # noqa: PLW1509
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _await_ready(process: subprocess.Popen[bytes], port: int, subject: Subject) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        with contextlib.suppress(OSError, ClosedError), Wire(port, 1.0) as wire:
            wire.ask("GET", "/")
            break
        if process.poll() is not None or time.monotonic() > deadline:
            said = process.stderr.read() if process.stderr and process.poll() is not None else b""
            raise fail(f"{subject.name}: never ready: {said.decode()[-300:]}", "run it by hand")
        time.sleep(0.02)
    with Wire(port) as wire:
        if subject.backend is not None:
            wire.ask("PUT", f"/{BUCKET}", body=b"")
            wire.ask("PUT", OBJECT_PATH, body=b"x" * OBJECT_BYTES)
        status = wire.ask("GET", OBJECT_PATH).status
    if status != 200:
        raise fail(f"{subject.name}: GET {OBJECT_PATH}: expected 200, got {status}", "see its log")


def pin(cpu: int) -> Callable[[], None]:
    """What a child does before it becomes its program."""
    return lambda: os.sched_setaffinity(0, {cpu})
