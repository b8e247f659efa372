"""The process: receipt, exit codes, signals, silence, and the limits that flags set."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.conftest import Server
from tests.contract.servers import (
    READY_TIMEOUT_S,
    Backend,
    build,
    free_port,
    is_ready,
    log_lines,
)
from tests.contract.wire import Wire, chunked, request

END_LIMIT_S = 2.0


def run(
    backend: Backend, tmp_path: Path, port: int, *extra: str
) -> subprocess.CompletedProcess[str]:
    """Run the backend to its end; it is expected to end at once."""
    build(backend)
    command = backend.command(port, tmp_path, extra)
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


def test_version_is_one_line_on_stdout(backend: Backend) -> None:
    build(backend)
    command = [str(backend.artifact), backend.manifest["build"]["version_argument"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(log_lines(done.stdout)) == 1


@pytest.mark.parametrize(
    "extra",
    [
        ["--no-such-flag"],
        ["--port"],
        ["--port", "banana"],
        ["--port", "65536"],
        ["--threads", "0"],
        ["--address", "not-an-address"],
        ["--object-bytes-max", "-1"],
        ["stray"],
    ],
)
def test_bad_flags_exit_2_with_one_line(backend: Backend, tmp_path: Path, extra: list[str]) -> None:
    done = run(backend, tmp_path, free_port(), *extra)
    assert done.returncode == 2, done
    assert (done.stdout, len(log_lines(done.stderr))) == ("", 1)


def test_a_port_in_use_exits_4_and_is_named(
    backend: Backend, tmp_path: Path, server: Server
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        for port in (holder.getsockname()[1], server.port):
            done = run(backend, tmp_path, port)
            assert done.returncode == 4, done
            assert len(log_lines(done.stderr)) == 1
            assert str(port) in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_although_a_connection_idles(
    start_server: Callable[..., Server], number: int
) -> None:
    server = start_server()
    with server.wire() as idle:
        assert idle.ask("GET", "/").status == 200
        server.running.signal(number)
        assert server.running.wait(END_LIMIT_S) == 0
        assert not is_ready(server.port)


def test_what_is_in_flight_is_finished_before_the_end(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    bucket = server.new_bucket()
    with server.wire() as wire:
        headers = [("Expect", "100-continue"), ("Content-Length", "10")]
        wire.send(request("PUT", f"/{bucket}/k", headers))
        assert wire.interim() == 100
        wire.send(b"12345")
        server.running.signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.running.wait(0.3)
        wire.send(b"67890")
        assert wire.answer().status == 200
    assert server.running.wait(END_LIMIT_S) == 0


def test_a_request_that_never_ends_does_not_hold_up_the_end(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    with server.wire() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHo")
        server.running.signal(signal.SIGTERM)
        assert server.running.wait(END_LIMIT_S + 0.5) == 0


def test_it_restarts_at_once_on_its_port(
    backend: Backend, tmp_path: Path, start_server: Callable[..., Server]
) -> None:
    server = start_server()
    with server.wire() as wire:
        assert wire.ask("GET", "/").status == 200
        server.running.signal(signal.SIGTERM)
        assert server.running.wait(END_LIMIT_S) == 0
    process = subprocess.Popen(backend.command(server.port, tmp_path), stderr=subprocess.PIPE)
    try:
        deadline_s = time.monotonic() + READY_TIMEOUT_S  # an interpreter starts more slowly
        while not is_ready(server.port):
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()


def test_the_object_limit_is_an_argument(start_server: Callable[..., Server]) -> None:
    server = start_server("--object-bytes-max", "1000")
    bucket = server.new_bucket()
    server.put(f"/{bucket}/fits", b"x" * 1000)
    reply = server.ask("PUT", f"/{bucket}/k", [], b"x" * 1001)
    assert (reply.status, reply.code()) == (400, "EntityTooLarge")
    with server.wire() as wire:
        head = request("PUT", f"/{bucket}/k", [("Transfer-Encoding", "chunked")])
        wire.send(head + chunked([b"x" * 600, b"x" * 600]))
        reply = wire.answer()
        assert (reply.status, reply.code()) == (400, "EntityTooLarge")
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


def test_a_full_store_answers_slow_down_until_something_is_deleted(
    start_server: Callable[..., Server],
) -> None:
    server = start_server("--store-bytes-max", str(8 << 20))
    bucket = server.new_bucket()
    body = b"x" * (1 << 20)
    stored = 0
    while (reply := server.ask("PUT", f"/{bucket}/{stored}", [], body)).status == 200:
        stored += 1
        assert stored <= 8
    assert (reply.status, reply.code()) == (503, "SlowDown")
    assert stored >= 6  # what a pool rounds up is its own affair, within reason
    assert server.ask("GET", f"/{bucket}/0").body == body
    for number in range(stored):
        assert server.ask("DELETE", f"/{bucket}/{number}").status == 204
    server.put(f"/{bucket}/again", body)


def test_bodies_that_never_came_give_their_room_back(start_server: Callable[..., Server]) -> None:
    server = start_server("--store-bytes-max", str(8 << 20))
    bucket = server.new_bucket()
    for _ in range(20):
        with server.wire() as wire:
            wire.send(request("PUT", f"/{bucket}/k", [("Content-Length", "4000000")]) + b"part")
            wire.connection.shutdown(1)
            wire.closed()
    server.put(f"/{bucket}/k", b"x" * (4 << 20))


def test_the_backlog_is_4096(server: Server) -> None:
    if shutil.which("ss") is None:
        pytest.skip("ss is not installed")
    limit = int(Path("/proc/sys/net/core/somaxconn").read_text())
    command = ["ss", "-Hltn", f"sport = :{server.port}"]
    line = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    assert int(line.split()[2]) == min(4096, limit)


def test_500_connections_at_once_are_served(server: Server) -> None:
    wires = [Wire(server.port) for _ in range(500)]
    try:
        for wire in wires:
            wire.send(request("GET", "/"))
        assert {wire.answer().status for wire in wires} == {200}
    finally:
        for wire in wires:
            wire.connection.close()


def test_it_stays_silent_while_serving(server: Server, bucket: str) -> None:
    before = server.running.output()[1]
    with server.wire() as wire:
        for _ in range(200):
            wire.ask("GET", f"/{bucket}/missing")
    stdout, stderr = server.running.output()
    assert stdout == ""
    assert len(log_lines(stderr)) - len(log_lines(before)) < 5
    assert not re.search(r"panic|Sanitizer", stderr)
