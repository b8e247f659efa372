"""Requests that no client library sends: each is refused, and by every backend alike."""

from __future__ import annotations

_HOST = b"Host: 127.0.0.1\r\n"


def _with(lines: bytes, method: bytes = b"GET", target: bytes = b"/stream-a/a") -> bytes:
    return b"%s %s HTTP/1.1\r\n%s%s\r\n" % (method, target, _HOST, lines)


MALFORMED: tuple[bytes, ...] = (
    b"GET / HTTP/1.1\r\n\r\n",  # no host
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET  / HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET / HTTP/3.0\r\n" + _HOST + b"\r\n",
    b"GET /\r\n" + _HOST + b"\r\n",
    b"G\x00T / HTTP/1.1\r\n" + _HOST + b"\r\n",
    _with(b"", target=b"/stream-a/%zz"),
    _with(b"", target=b"/stream-a/%ff"),
    _with(b"", target=b"/stream-a/" + b"k" * 1025),
    _with(b"Bad Name: x\r\n"),
    _with(b"Name : x\r\n"),
    _with(b"x-a: 1\n"),
    _with(b"x-a: 1\r2\r\n"),
    _with(b"x-a: 1\r\n folded\r\n"),
    _with(b"x-a: \x00\r\n"),
    _with(b": no name\r\n"),
    _with(b"x-long: " + b"v" * 16384 + b"\r\n"),
    _with(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"PUT"),
    _with(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"PUT"),
    _with(b"Content-Length: -1\r\n", b"PUT"),
    _with(b"Content-Length: +1\r\n", b"PUT"),
    _with(b"Content-Length: 1 1\r\n", b"PUT"),
    _with(b"Content-Length: 99999999999999999999\r\n", b"PUT"),
    _with(b"Content-Length: 68719476736\r\n", b"PUT"),
    _with(b"Transfer-Encoding: gzip\r\n", b"PUT"),
    _with(b"Transfer-Encoding: chunked, chunked\r\n", b"PUT"),
    _with(b"Transfer-Encoding: identity\r\n", b"PUT"),
    _with(b"Transfer-Encoding: chunked\r\n", b"PUT") + b"xyz\r\n",
    _with(b"Transfer-Encoding: chunked\r\n", b"PUT") + b"1\nx\r\n0\r\n\r\n",
    _with(b"Transfer-Encoding: chunked\r\n", b"PUT") + b"1\r\nxy\r\n0\r\n\r\n",
    _with(b"", b"PUT"),  # neither length nor chunks
    _with(b"Authorization: Basic abc\r\n"),
    _with(b"Authorization: AWS4-HMAC-SHA256 Credential=a\r\n"),
)
