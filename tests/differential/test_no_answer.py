"""A server that is silent, or answers what is no HTTP, is told by name, with the stream."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.contract.conftest import Server
from tests.contract.servers import Backend, Running, free_port
from tests.differential import connection, rounds
from tests.differential.judge import DifferenceError, Judge, LostServerError
from tests.differential.operations import Operation
from tests.differential.player import Player
from tests.differential.streams import Stream

GOOD = b"HTTP/1.1 204 No Content\r\n\r\n"
BAD = Operation("GET", "/bad")
STREAM = Stream((*[Operation("GET", "/")] * 3, BAD, *[Operation("GET", "/")] * 3), 4)
ANSWERS = {
    "silent": b"",
    "no status line": b"nonsense\r\n\r\n",
    "one Content-Length": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
}
Serve = Callable[[str, bytes], Player]


def serve(listener: socket.socket, bad: bytes) -> None:
    """Answer every request alike, but for the bad one, until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=converse, args=(listener.accept()[0], bad), daemon=True).start()


def converse(accepted: socket.socket, bad: bytes) -> None:
    """One connection; a silent server does not go on after the bad request."""
    with accepted, contextlib.suppress(OSError):
        while data := accepted.recv(1 << 16):
            for line in (line for line in data.split(b"\r\n") if line.endswith(b" HTTP/1.1")):
                accepted.sendall(bad if b" /bad " in line else GOOD)
                if b" /bad " in line and not bad:
                    accepted.recv(1)  # until the client gives up


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Players of such servers, whose silence is noticed soon."""
    monkeypatch.setattr(connection, "_TIMEOUT", struct.pack("ll", 0, 200_000))
    with contextlib.ExitStack() as stack:

        def start(name: str, bad: bytes) -> Player:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=serve, args=(listener, bad), daemon=True).start()
            manifest = {"name": name, "variants": [{"name": "own"}]}
            running = SimpleNamespace(port=listener.getsockname()[1])
            return Player(Server(Backend(Path(), manifest, "own"), cast(Running, running)))

        yield start


@pytest.mark.parametrize("what", ANSWERS)
def test_no_answer_is_a_difference_that_names_the_backend(started: Serve, what: str) -> None:
    judge = Judge([started("good", GOOD), started("bad", ANSWERS[what])])
    with pytest.raises(DifferenceError, match="bad/own: no answer") as told:
        judge.play(STREAM)
    assert what in str(told.value)
    assert not isinstance(told.value, LostServerError)
    judge.play(Stream((Operation("GET", "/"),)))  # and the servers can be asked again
    judge.close()


def test_the_stream_is_shortened_and_told(started: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "stream", lambda _draw, _profiles: STREAM)
    judge = Judge([started("good", GOOD), started("bad", ANSWERS["no status line"])])
    with pytest.raises(DifferenceError) as told:
        rounds.play_round(judge, frozenset(), 1)
    assert told.value.__notes__[1:] == [f"  {BAD!r}"]
    judge.close()


def test_a_server_that_is_gone_leaves_the_stream_as_it_was(
    started: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "stream", lambda _draw, _profiles: STREAM)
    gone = started("gone", GOOD)
    gone.server.running.port = free_port()
    judge = Judge([started("good", GOOD), gone])
    with pytest.raises(LostServerError, match="gone/own: no answer: no connection") as told:
        rounds.play_round(judge, frozenset(), 1)
    assert len(told.value.__notes__) == 1 + len(STREAM.operations)
    judge.close()
