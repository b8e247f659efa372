"""A lean HTTP/1.1 client: one read where one is enough, and no header taken apart in vain."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from tests.differential.canonical import Raw, starred

ANSWER_TIMEOUT_S = 10
READ_BYTES = 1 << 18
BODYLESS = {204, 304}
_TIMEOUT = struct.pack("ll", ANSWER_TIMEOUT_S, 0)


class EndedError(Exception):
    """The connection ended where an answer was expected, which may be what is asked of a server."""


class NoAnswerError(Exception):
    """What never is: silence where an answer was expected, bytes that are none, a port closed."""


@dataclass(slots=True)
class Connection:
    """One connection to a server; answers are read one by one."""

    socket: socket.socket
    _buffer: bytes = b""

    @classmethod
    def to(cls, port: int) -> Connection:
        """A fresh one. The kernel keeps its timeouts: Python's own cost a poll() a read."""
        try:
            connected = socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S)
        except OSError as error:
            raise NoAnswerError(f"no connection: {error}") from error
        connected.settimeout(None)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connected.setsockopt(socket.SOL_SOCKET, option, _TIMEOUT)
        return cls(connected)

    def send(self, data: bytes) -> None:
        """Send raw bytes; a server that already closed is noticed when its answer is read."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, BlockingIOError):
            return

    def receive(self, method: str) -> Raw:
        """The next answer, also an interim one.

        Raises:
            EndedError: The server closed the connection instead.
            NoAnswerError: It stayed silent, or what it sent is not HTTP.
        """
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        head = self._buffer[:end]
        status = _status(head)
        body_at = end + 4
        if status < 200 or method == "HEAD" or status in BODYLESS:
            body = b""
        else:
            stop = body_at + _length(head)
            while len(self._buffer) < stop:
                self._fill()
            body = self._buffer[body_at:stop]
            body_at = stop
        self._buffer = self._buffer[body_at:]
        return Raw(status, starred(head), body)

    def close(self) -> None:
        """End it."""
        self.socket.close()

    def _fill(self) -> None:
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError as error:
            told = f"silent for {ANSWER_TIMEOUT_S} s after {self._buffer[:200]!r}"
            raise NoAnswerError(told) from error
        except ConnectionResetError as error:
            raise EndedError from error
        if not data:
            raise EndedError
        self._buffer = self._buffer + data if self._buffer else data


def _status(head: bytes) -> int:
    if not head.startswith(b"HTTP/1.1 ") or not head[9:12].isdigit():
        raise NoAnswerError(f"no status line of HTTP/1.1: {head!r}")
    return int(head[9:12])


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:") + 17
    value = head[at:].partition(b"\r\n")[0].strip()
    if lower.count(b"\r\ncontent-length:") != 1 or not value.isdigit():
        raise NoAnswerError(f"one Content-Length expected: {head!r}")
    return int(value)
