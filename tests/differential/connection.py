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
    """The connection ended, or said nothing for too long, where an answer was expected."""


@dataclass(slots=True)
class Connection:
    """One connection to a server; answers are read one by one."""

    socket: socket.socket
    _buffer: bytes = b""

    @classmethod
    def to(cls, port: int) -> Connection:
        """A fresh one. The kernel keeps its timeouts: Python's own cost a poll() a read."""
        connected = socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S)
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
        """The next answer, also an interim one."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        head = self._buffer[:end]
        assert head.startswith(b"HTTP/1.1 "), head
        status = int(head[9:12])
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
        except (ConnectionResetError, BlockingIOError) as error:
            raise EndedError from error
        if not data:
            raise EndedError
        self._buffer = self._buffer + data if self._buffer else data


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:") + 17
    assert lower.count(b"\r\ncontent-length:") == 1, f"one Content-Length expected: {head!r}"
    return int(head[at:].partition(b"\r\n")[0])
