"""Receives a body: what its headers promise, and whether it kept the promise."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from .answers import Failure
from .incoming import FramingError, Input, chunked
from .request import Request, number
from .store import Store

CHECKSUM = "x-amz-checksum-crc32"  # the one of the core
UNSIGNED = "UNSIGNED-PAYLOAD"
AWS_CHUNKED = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
}


@dataclass(slots=True)
class Upload:
    """A body on its way into the store; its methods are called in the order they stand here."""

    request: Request
    bytes_max: int
    too_large: str  # the error of a longer one
    md5: bytes | None = None
    crc32: bytes | None = None
    is_aws_chunked: bool = False
    has_trailer: bool = False
    length: int | None = None  # of the content; None where a chunked body ends when it ends
    content: bytearray = field(default_factory=bytearray)
    charged_bytes: int = 0

    def read_checks(self) -> None:
        """What the content must match."""
        headers = self.request.headers
        if "content-md5" in headers:
            self.md5 = _from_base64(headers["content-md5"], 16, "InvalidDigest")
        if CHECKSUM in headers:
            self.crc32 = _from_base64(headers[CHECKSUM], 4, "BadDigest")
        kind = headers.get("x-amz-content-sha256", UNSIGNED)
        self.is_aws_chunked = kind in AWS_CHUNKED
        if kind.startswith("STREAMING-") and not self.is_aws_chunked:
            raise Failure("NotImplemented")
        if not (self.is_aws_chunked or kind == UNSIGNED or re.fullmatch("[0-9A-Fa-f]{64}", kind)):
            raise Failure("InvalidArgument")
        announced = [name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")]
        self.has_trailer = self.is_aws_chunked and CHECKSUM in announced

    def read_length(self) -> None:
        """How long the content will be, where that is known."""
        request = self.request
        self.length = request.length
        if request.length is None and not request.is_chunked:
            raise Failure("MissingContentLength")
        if self.is_aws_chunked:
            self.length = number(request.headers.get("x-amz-decoded-content-length", ""))
            if self.length is None:
                raise Failure("MissingContentLength")
        if self.length is not None and self.length > self.bytes_max:
            raise Failure(self.too_large)

    def charge(self, store: Store, count: int) -> None:
        """Take room in the store; whoever fails later gives it back."""
        store.charge(count)
        self.charged_bytes += count

    async def receive(self, store: Store) -> None:
        """Collect and verify the content; a body that fails is still read to its end."""
        trailers: dict[str, str] = {}
        try:
            await self._collect(store, trailers)
            self._verify(trailers)
        except Failure as failure:
            if not failure.closes:
                await drain(self.request.body)
            raise

    @property
    def digest(self) -> bytes:
        """The content's MD5, the entity tag."""
        return hashlib.md5(self.content, usedforsecurity=False).digest()

    @property
    def checksum(self) -> str:
        """The content's CRC-32 as headers write it."""
        return base64.b64encode(_crc32(self.content)).decode()

    async def _collect(self, store: Store, trailers: dict[str, str]) -> None:
        if not self.is_aws_chunked:
            await self._append(store, self.request.body)
            return
        source = Input(lambda: anext(self.request.body, b""))
        try:
            await self._append(store, chunked(source, trailers))
            if await source.has_more():
                raise FramingError
        except (FramingError, EOFError):
            raise Failure("IncompleteBody") from None

    async def _append(self, store: Store, pieces: AsyncIterator[bytes]) -> None:
        bytes_max = self.bytes_max if self.length is None else self.length
        async for piece in pieces:
            if len(self.content) + len(piece) > bytes_max:
                raise Failure("IncompleteBody" if self.is_aws_chunked else self.too_large)
            if self.length is None:
                self.charge(store, len(piece))
            self.content += piece

    def _verify(self, trailers: dict[str, str]) -> None:
        if self.length is not None and len(self.content) != self.length:
            raise Failure("IncompleteBody")
        if self.md5 not in {None, self.digest}:
            raise Failure("BadDigest")
        if self.crc32 not in {None, _crc32(self.content)}:
            raise Failure("BadDigest")
        if self.has_trailer and CHECKSUM not in trailers:
            raise Failure("MalformedTrailerError")
        if self.has_trailer and trailers[CHECKSUM] != self.checksum:
            raise Failure("BadDigest")


async def drain(body: AsyncIterator[bytes]) -> None:
    """Read past what is left of a body."""
    async for _ in body:
        pass


def _crc32(content: bytearray) -> bytes:
    return zlib.crc32(content).to_bytes(4, "big")


def _from_base64(text: str, length: int, code: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Failure(code) from None
    if len(decoded) != length:
        raise Failure(code)
    return decoded
