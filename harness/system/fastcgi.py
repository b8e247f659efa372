"""Asks a FastCGI responder whether it is ready, as a web server would ask it."""

from __future__ import annotations

import re
import socket
import struct

from harness.system.network import READY_STATUSES

_BEGIN, _END, _PARAMS, _STDIN, _STDOUT = 1, 3, 4, 5, 6
_HEAD = struct.Struct(">BBHHBx")  # version, kind, request, content, padding
_RESPONDER = struct.pack(">HB5x", 1, 0)
_STATUS = re.compile(rb"(?im)^status:[ \t]*(\d{3})\b")
_ANSWER_BYTES_MAX = 1 << 20


def answers_ready_fastcgi(address: str, port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether `GET /` is answered by a responder that is ready (backends/CONTRACT.md)."""
    try:
        with socket.create_connection((address, port), timeout=timeout_s) as connection:
            connection.sendall(_get(f"{address}:{port}"))
            with connection.makefile("rb") as stream:
                return _status(_stdout(stream.read(_ANSWER_BYTES_MAX))) in READY_STATUSES
    except OSError:
        return False


def _get(host: str) -> bytes:
    """GET / on a connection that ends with the answer."""
    pairs = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/", "HTTP_HOST": host}
    params = b"".join(_pair(name, value) for name, value in pairs.items())
    parts = [(_BEGIN, _RESPONDER), (_PARAMS, params), (_PARAMS, b""), (_STDIN, b"")]
    return b"".join(_HEAD.pack(1, kind, 1, len(one), 0) + one for kind, one in parts)


def _pair(name: str, value: str) -> bytes:
    return bytes([len(name), len(value)]) + name.encode() + value.encode()


def _stdout(answer: bytes) -> bytes:
    """What the records of an answer hold, up to its end; b"" for one that has none."""
    content, at = b"", 0
    while len(answer) - at >= _HEAD.size:
        version, kind, _, length, padding = _HEAD.unpack_from(answer, at)
        at += _HEAD.size
        if version != 1 or len(answer) - at < length:
            return b""
        if kind == _END:
            return content
        content += answer[at : at + length] if kind == _STDOUT else b""
        at += length + padding
    return b""


def _status(content: bytes) -> int:
    """CGI's: 200 where the head names none; 0 without a head."""
    head, found, _ = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    named = _STATUS.search(head)
    if not found:
        return 0
    return int(named[1]) if named else 200
