"""A FastCGI responder: whether it is ready, what it is started with, and that its run says so."""

from __future__ import annotations

import socketserver
import struct
import threading
from pathlib import Path

import pytest

from harness.drivers.command import compose, protocol_note
from harness.drivers.manifests import find_backends, read_backend
from harness.entrants import choose
from harness.errors import UsageError
from harness.model.plan import FASTCGI, Subject
from harness.system.fastcgi import answers_ready_fastcgi

BACKENDS = Path(__file__).resolve().parents[2] / "backends"
DIRECT = Subject("c", "fastcgi")
VALUES = dict.fromkeys(("artifact", "address", "port", "threads", "data_directory"), "x")
STDOUT, END = 6, 3


def record(kind: int, content: bytes, padding: int = 0) -> bytes:
    """One record of request 1."""
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), padding) + content + bytes(padding)


def answer(*stdout: bytes) -> bytes:
    """A whole answer, in as many records as it is given in."""
    records = [record(STDOUT, piece, padding=3) for piece in stdout]
    return b"".join([*records, record(STDOUT, b""), record(END, bytes(8))])


@pytest.mark.parametrize(
    ("said", "ready"),
    [
        (answer(b"Status: 200 OK\r\n\r\n"), True),
        (answer(b"Status: 403 Forb", b"idden\r\nA: b\r\n\r\nno"), True),
        (answer(b"Content-Type: text/plain\r\n\r\n"), True),
        (answer(b"Status: 503 Slow\r\n\r\n"), False),
        (answer(b"Status: 200 OK\r\n"), False),
        (answer(b""), False),
        (record(STDOUT, b"Status: 200 OK\r\n\r\n"), False),
        (answer(b"Status: 200 OK\r\n\r\n")[:20], False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (b"", False),
    ],
)
def test_ready_is_a_whole_answer_that_says_so(said: bytes, *, ready: bool) -> None:
    class Responder(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(said)

    with socketserver.TCPServer(("127.0.0.1", 0), Responder) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        try:
            assert answers_ready_fastcgi("127.0.0.1", server.server_address[1]) is ready
        finally:
            thread.join()
        assert not answers_ready_fastcgi("127.0.0.1", 1)


def test_asked_directly_it_is_started_without_nginx_and_the_run_says_so() -> None:
    manifest = read_backend(BACKENDS / "c")
    assert "--front=none" in compose(manifest, DIRECT, VALUES, FASTCGI).argv
    assert "--front=none" not in compose(manifest, DIRECT, VALUES, "h1").argv
    note = protocol_note(manifest, DIRECT, FASTCGI)
    assert note is not None
    assert note.startswith("fastcgi: ")
    assert "nginx" in note
    assert protocol_note(manifest, DIRECT, "h1") is None


def test_who_does_not_speak_it_is_told_who_does() -> None:
    with pytest.raises(UsageError) as refused:
        choose(
            ("c/epoll",),
            (),
            folders=find_backends([BACKENDS]),
            protocol=FASTCGI,
            track=None,
            labels=[""],
        )
    assert "c/epoll speaks h1, h1-pipelined, not fastcgi" in refused.value.what
    assert "only c/fastcgi" in (refused.value.hint or "")
