"""What one operation of the stream is on the wire, and the small worlds that it is drawn from."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from xml.sax.saxutils import escape

from tests.contract.wire import chunked, request

Headers = tuple[tuple[str, str], ...]
Framing = Literal["length", "chunked", "expect", "raw"]

BUCKETS = ("stream-a", "stream-b")
STRAY_BUCKET = "absent"  # mostly is
# What sorts, escapes, nests and is limited differently, when it is.
KEYS = (
    "a",
    "a/",
    "a/b",
    "a/b/c",
    "a/bb",
    "a//b",
    "a b",
    "a+b",
    "a&<b>\"'",
    "aä",
    "b",
    "%41",
    "~-._!*()",
    "ж/日本",
    "z" * 1024,
)
SIZES_BYTES = (0, 1, 3, 100, 4096, 32768, 32769, 65536, 65537, 200_000)
PART_BYTES = 5 << 20
OLD, FUTURE = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Operation:
    """One request; `{upload:N}` and `{token}` in it stand for what a server named so."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes | None = None
    framing: Framing = "length"

    def __repr__(self) -> str:
        """As a person reads it in a failing example; long bodies by size and digest."""
        body = self.body
        if body is not None and len(body) > 200:
            told = f"<{len(body)} bytes, md5 {hashlib.md5(body).hexdigest()}>"
        else:
            told = repr(body)
        heads = "".join(f" {name}: {value[:80]!r}" for name, value in self.headers)
        return f"{self.method} {self.target}{heads} {self.framing} {told}"

    @property
    def is_named(self) -> bool:
        """Whether it holds names that only earlier answers tell."""
        return "{" in self.target

    def encoded(self) -> bytes:
        """What goes out before anything is answered: without a body that must be asked for."""
        if self.framing == "raw":
            return self.body or b""
        if self.framing == "chunked":
            headers = (*self.headers, ("Transfer-Encoding", "chunked"))
            halves = [part for part in _halves(self.body or b"") if part]
            return request(self.method, self.target, headers) + chunked(halves)
        headers = self.headers
        if self.framing == "expect":
            headers = (*headers, ("Expect", "100-continue"))
        if self.body is not None:
            headers = (*headers, ("Content-Length", str(len(self.body))))
        head = request(self.method, self.target, headers)
        return head if self.framing == "expect" else head + (self.body or b"")


def _halves(body: bytes) -> tuple[bytes, bytes]:
    return body[: len(body) // 2], body[len(body) // 2 :]


@lru_cache(maxsize=32)
def content(size_bytes: int) -> bytes:
    """The one body of this size, so that entity tags can be foretold."""
    pattern = bytes(range(251))  # a prime: no block boundary repeats it
    return (pattern * (size_bytes // len(pattern) + 1))[:size_bytes]


@lru_cache(maxsize=32)
def spoilt(body: bytes) -> bytes:
    """Another body, of which checks that are wrong for this one are taken."""
    return body[-100:] + b"!"


@lru_cache(maxsize=32)
def etag(body: bytes) -> str:
    """The entity tag of a plain object or a part."""
    return f'"{hashlib.md5(body).hexdigest()}"'


@lru_cache(maxsize=32)
def md5_base64(body: bytes) -> str:
    """What Content-MD5 says of a body."""
    return base64.b64encode(hashlib.md5(body).digest()).decode()


@lru_cache(maxsize=32)
def sha256_hex(body: bytes) -> str:
    """What x-amz-content-sha256 says of a body."""
    return hashlib.sha256(body).hexdigest()


@lru_cache(maxsize=32)
def crc32_base64(body: bytes) -> str:
    """What x-amz-checksum-crc32 says of a body."""
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def deletion(bucket: str, keys: Iterable[str] = KEYS) -> Operation:
    """POST ?delete of these keys."""
    listed = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    body = f"<Delete><Quiet>true</Quiet>{listed}</Delete>".encode()
    return Operation("POST", f"/{bucket}?delete", (), body)
