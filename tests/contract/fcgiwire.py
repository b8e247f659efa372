"""FastCGI as a web server speaks it to a responder: records out, the answer's records in."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field
from typing import Self

BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
HEAD = struct.Struct(">BBHHBx")  # version, kind, request, content, padding
RESPONDER, KEEP = 1, 1


def record(kind: int, content: bytes = b"", request: int = 1) -> bytes:
    """One record of a request."""
    return HEAD.pack(1, kind, request, len(content), 0) + content


def pair(name: str, value: str) -> bytes:
    """One parameter, of any length."""
    words = (name.encode(), value.encode())
    lengths = [
        struct.pack(">I", len(w) | 1 << 31) if len(w) > 127 else bytes([len(w)]) for w in words
    ]
    return b"".join([*lengths, *words])


def ask(method: str, target: str, body: bytes = b"", request: int = 1, **headers: str) -> bytes:
    """A whole request on a connection that is kept; headers are named as CGI has them."""
    pairs = {"REQUEST_METHOD": method, "REQUEST_URI": target, "HTTP_HOST": "a"}
    if method == "PUT":
        pairs |= {"CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_LENGTH": str(len(body))}
    params = b"".join(pair(name, value) for name, value in {**pairs, **headers}.items())
    begin = struct.pack(">HB5x", RESPONDER, KEEP)
    parts = [(BEGIN, begin), (PARAMS, params), (PARAMS, b"")]
    parts += [(STDIN, body[at : at + 65528]) for at in range(0, len(body), 65528)]
    return b"".join(record(kind, one, request) for kind, one in [*parts, (STDIN, b"")])


@dataclass
class Answer:
    """One request's answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bytes = b""  # END_REQUEST's content


class FcgiWire:
    """One connection to a responder."""

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        """Connects."""
        self.connection = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._stream = self.connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self.connection.close()

    def ask(
        self, method: str, target: str, body: bytes = b"", request: int = 1, **headers: str
    ) -> Answer:
        """One request and its answer."""
        self.connection.sendall(ask(method, target, body, request, **headers))
        return self.answer(request)

    def answer(self, request: int = 1) -> Answer:
        """The next answer, which must be this request's."""
        content = b""
        while True:
            head = self._stream.read(HEAD.size)
            assert len(head) == HEAD.size, "the connection ended"
            version, kind, of, length, padding = HEAD.unpack(head)
            piece = self._stream.read(length + padding)[:length]
            assert (version, of) == (1, request)
            if kind == END:
                break
            assert kind == STDOUT, kind
            content += piece
        lines, _, body = content.partition(b"\r\n\r\n")
        pairs = [line.split(": ", 1) for line in lines.decode().split("\r\n") if line]
        named = {name.lower(): value for name, value in pairs}
        return Answer(int(named.get("status", "0")[:3]), named, body, piece)
