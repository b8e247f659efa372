"""What grows has a limit: descriptors that run out, clients that ask and never read, half heads."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.contract.conftest import Server
from tests.contract.servers import ProcessRunning
from tests.contract.wire import ClosedError, Wire, request

MIB = 1 << 20
DESCRIPTORS, CALLERS = 64, 150
GROWTH_BYTES_MAX = 64 * MIB
HEAD_BYTES, HALF_HEADS = 15_000, 200


def processes(server: Server) -> list[psutil.Process]:
    """The server's process and what it started."""
    assert isinstance(server.running, ProcessRunning)
    first = psutil.Process(server.running.process.pid)
    return [first, *first.children(recursive=True)]


def resident_bytes(server: Server) -> int:
    """Resident set of the whole tree."""
    return sum(int(one.memory_info().rss) for one in processes(server))


def cpu_s(server: Server) -> float:
    """User and system seconds of the whole tree."""
    return sum(sum(one.cpu_times()[:2]) for one in processes(server))


@contextlib.contextmanager
def callers(server: Server, count: int) -> Iterator[list[Wire]]:
    """So many connections, which the kernel takes whether or not the server does."""
    wires: list[Wire] = []
    try:
        wires.extend(Wire(server.port, 2.0) for _ in range(count))
        yield wires
    finally:
        for wire in wires:
            wire.connection.close()


def is_served(wire: Wire) -> bool:
    """Whether the connection gets an answer; closed, and left waiting, are both no."""
    try:
        return wire.ask("GET", "/").status == 200
    except (ClosedError, TimeoutError, ConnectionResetError):
        return False


def served_again(server: Server, within_s: float = 10.0) -> bool:
    """Whether a new connection is served before the time is up."""
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s:
        with server.wire(2.0) as wire:
            if is_served(wire):
                return True
    return False


def test_out_of_descriptors_it_serves_on_and_recovers(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    with server.wire() as early:
        assert is_served(early)
        for process in processes(server):
            process.rlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        with callers(server, CALLERS) as wires:
            served = sum(is_served(wire) for wire in wires[: DESCRIPTORS // 4])
            assert served == DESCRIPTORS // 4
            assert is_served(early)
            before_s = cpu_s(server)
            time.sleep(1)
            assert cpu_s(server) - before_s < 0.6, "it spins on what it cannot accept"
            assert is_served(early)
        assert is_served(early)
        assert served_again(server)


@pytest.mark.parametrize("body_bytes", [100, 64 << 10])
def test_a_client_that_never_reads_does_not_make_it_grow(
    start_server: Callable[..., Server], body_bytes: int
) -> None:
    server = start_server()
    bucket = server.new_bucket()
    server.put(f"/{bucket}/k", b"x" * body_bytes)
    before = resident_bytes(server)
    asked = request("GET", f"/{bucket}/k") * 1000
    with server.wire() as wire:
        wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.connection.settimeout(1.0)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(200):  # 200,000 requests, or as many as it takes in
                wire.connection.sendall(asked)
        assert server.ask("GET", f"/{bucket}/k").status == 200
        assert resident_bytes(server) - before < GROWTH_BYTES_MAX


def test_half_heads_cost_no_more_than_they_are(start_server: Callable[..., Server]) -> None:
    server = start_server()
    before = resident_bytes(server)
    half = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * HEAD_BYTES
    with callers(server, HALF_HEADS) as wires:
        for wire in wires:
            wire.send(half)
        assert served_again(server)
        allowed = HALF_HEADS * 64 * 1024 + 16 * MIB
        assert resident_bytes(server) - before < allowed


def test_promised_bodies_take_no_memory_before_they_come(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    bucket = server.new_bucket()
    before = resident_bytes(server)
    with callers(server, HALF_HEADS) as wires:
        for number, wire in enumerate(wires):
            promise = [("Content-Length", str(8 * MIB))]
            wire.send(request("PUT", f"/{bucket}/{number}", promise) + b"one piece")
        assert served_again(server)
        assert resident_bytes(server) - before < GROWTH_BYTES_MAX
