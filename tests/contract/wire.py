"""A raw HTTP/1.1 client that keeps what libraries hide: header case, order, 1xx answers, closes."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from xml.etree import ElementTree

ANSWER_TIMEOUT_S = 10.0
XML_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class ClosedError(Exception):
    """The server closed the connection where an answer was expected."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as it stood on the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...] = ()

    def names(self) -> list[str]:
        """Header names in the order and case of the wire."""
        return [name for name, _ in self.headers]

    def header(self, name: str) -> str | None:
        """Value of a header, its name compared without case; None when it is absent."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def xml(self) -> ElementTree.Element:
        """The body as XML, its namespace removed from every tag."""
        root = ElementTree.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.removeprefix(XML_NAMESPACE)
        return root

    def code(self) -> str | None:
        """The S3 error code of the body; None when the body is not an error."""
        return self.xml().findtext("Code") if self.body.startswith(b"<?xml") else None


@dataclass
class Connected:
    """A connection to a server's port, which ends with its block; what is spoken on it is open."""

    port: int
    timeout_s: float = ANSWER_TIMEOUT_S
    connection: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.connection = socket.create_connection(("127.0.0.1", self.port), self.timeout_s)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        """Send raw bytes; a server that already closed is noticed when its answer is read."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.sendall(data)


@dataclass
class Wire(Connected):
    """One connection; requests are bytes or built from parts, answers are read one by one."""

    _buffer: bytes = field(init=False, default=b"")

    def ask(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Reply:
        """One request and its answer on this connection."""
        self.send(request(method, target, headers, body))
        return self.answer(method)

    def answer(self, method: str = "GET") -> Reply:
        """The next answer; interim (1xx) statuses that stood before it are listed in it."""
        interim: list[int] = []
        while (reply := self.answer_or_interim(method)).status < 200:
            interim.append(reply.status)
        return Reply(reply.status, reply.headers, reply.body, tuple(interim))

    def answer_or_interim(self, method: str = "GET") -> Reply:
        """The next answer, also when it is an interim one, which has no body."""
        status, headers = self._head()
        bodyless = method == "HEAD" or status < 200 or status in {204, 304}
        return Reply(status, tuple(headers), b"" if bodyless else self._body(headers))

    def interim(self) -> int:
        """The status of the next head, which has no body: for the 100 of an expectation."""
        return self._head()[0]

    def pending(self, wait_s: float) -> bytes:
        """Bytes that came without being asked for within the wait (empty: silence or a close)."""
        self.connection.settimeout(wait_s)
        try:
            self._buffer += self.connection.recv(65536)
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            self.connection.settimeout(self.timeout_s)
        return self._buffer

    def closed(self, wait_s: float = 5.0) -> bool:
        """True when the server ends the connection within the wait and sends nothing more."""
        deadline = time.monotonic() + wait_s
        while (left_s := deadline - time.monotonic()) > 0:
            self.connection.settimeout(left_s)
            try:
                data = self.connection.recv(65536)
            except ConnectionResetError:
                return not self._buffer
            except TimeoutError:
                return False
            if not data:
                return not self._buffer
            self._buffer += data
        return False

    def _fill(self) -> None:
        try:
            data = self.connection.recv(1 << 20)
        except ConnectionResetError as error:
            raise ClosedError from error
        if not data:
            raise ClosedError(f"closed with {self._buffer[:200]!r} unparsed")
        self._buffer += data

    def _head(self) -> tuple[int, list[tuple[str, str]]]:
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        pairs = [line.split(":", 1) for line in lines]
        return int(first[9:12]), [(name, value.strip()) for name, value in pairs]

    def _body(self, headers: list[tuple[str, str]]) -> bytes:
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        assert len(lengths) == 1, f"one Content-Length expected: {headers}"
        parts = [self._buffer]
        missing = int(lengths[0]) - len(self._buffer)
        while missing > 0:
            data = self.connection.recv(1 << 20)
            if not data:
                raise ClosedError(f"closed {missing} bytes before the end of a body")
            parts.append(data)
            missing -= len(data)
        whole = b"".join(parts)
        self._buffer = whole[int(lengths[0]) :]
        return whole[: int(lengths[0])]


def request(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
) -> bytes:
    """The bytes of a request; Host always, Content-Length when there is a body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def chunked(parts: Iterable[bytes]) -> bytes:
    """The parts in HTTP chunked coding, ended by the empty chunk."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return framed + b"0\r\n\r\n"
