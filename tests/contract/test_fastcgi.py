"""A FastCGI responder that is asked directly: nobody stands before it, and it needs nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.fcgiwire import FcgiWire
from tests.contract.servers import READY_TIMEOUT_S, Backend, ProcessRunning, build, free_port

pytestmark = pytest.mark.protocol("fastcgi")

COMPLETE = bytes(8)


def _is_ready(port: int) -> bool:
    try:
        with FcgiWire(port, timeout_s=1.0) as wire:
            return wire.ask("GET", "/").status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def responders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ProcessRunning]]:
    """Responders by their backends' names, ended with the module."""
    started: dict[str, ProcessRunning] = {}
    yield started
    for running in started.values():
        running.stop()


@pytest.fixture
def responder(
    backend: Backend, responders: dict[str, ProcessRunning], tmp_path: Path
) -> ProcessRunning:
    """The backend as it is started for this protocol."""
    if backend.name not in responders:
        build(backend)
        port = free_port()
        command = backend.command(port, tmp_path, backend.arguments_of("fastcgi"))
        responders[backend.name] = ProcessRunning(command, backend.environment(), port)
        end_s = time.monotonic() + READY_TIMEOUT_S
        while not _is_ready(port):
            assert responders[backend.name].process.poll() is None
            assert time.monotonic() < end_s
            time.sleep(0.01)
    return responders[backend.name]


def test_objects_are_kept_and_come_back(responder: ProcessRunning) -> None:
    body = bytes(range(256)) * 700  # more than two records
    with FcgiWire(responder.port) as wire:
        assert wire.ask("PUT", "/direct", request=1).status == 200
        assert wire.ask("PUT", "/direct/key", body, request=2).status == 200
        got = wire.ask("GET", "/direct/key", request=3)
        assert (got.status, got.body, got.ended) == (200, body, COMPLETE)
        assert got.headers["content-length"] == str(len(body))
        part = wire.ask("GET", "/direct/key", request=4, HTTP_RANGE="bytes=3-9")
        assert (part.status, part.body) == (206, body[3:10])
        head = wire.ask("HEAD", "/direct/key", request=65535)
        assert (head.status, head.body) == (200, b"")
        assert wire.ask("DELETE", "/direct/key", request=1).status == 204
        assert wire.ask("GET", "/direct/key", request=2).status == 404


def test_what_is_refused_is_told_and_the_connection_goes_on(responder: ProcessRunning) -> None:
    with FcgiWire(responder.port) as wire:
        for request, (value, status) in enumerate([("a\r\nb", 400), ("v" * 20_000, 431)], 1):
            refused = wire.ask("GET", "/", request=request, HTTP_X_ANY=value)
            assert (refused.status, refused.ended) == (status, COMPLETE)
            assert b"<Error>" in refused.body
            assert wire.ask("GET", "/", request=9).status == 200


def test_nobody_speaks_http_before_it(responder: ProcessRunning) -> None:
    with FcgiWire(responder.port) as wire:
        wire.connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.connection.recv(4096) == b""
