"""Bytes as they come: lines, counted bytes, and bodies in both chunked codings."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable

HEAD_BYTES_MAX = 16 * 1024  # also of the trailers of a chunked body
LINE_BYTES_MAX = 1024  # of a chunk's size with its extensions, or of one trailer
READ_BYTES_MAX = 64 * 1024

TOKEN = "([A-Za-z0-9!#$%&'*+.^_`|~-]+)"
_FIELD = re.compile(TOKEN + r":[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;.*)?")


class FramingError(Exception):
    """What came is neither a line nor a chunk."""


class LineTooLongError(FramingError):
    """No line ends within the limit."""


class Input:
    """Lines and counted bytes, from whatever gives more of them; EOFError where there are none."""

    def __init__(self, more: Callable[[], Awaitable[bytes]]) -> None:
        self._more = more
        self._buffer = bytearray()

    async def line(self, bytes_max: int) -> bytes:
        """The next line without its CRLF; CR and LF stand nowhere else."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) >= bytes_max:
                raise LineTooLongError
            await self._fill()
        if end >= bytes_max:
            raise LineTooLongError
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise FramingError
        return line[:-2]

    async def some(self, bytes_max: int) -> bytes:
        """Between one byte and so many."""
        if not self._buffer:
            await self._fill()
        taken = bytes(self._buffer[: min(bytes_max, READ_BYTES_MAX)])
        del self._buffer[: len(taken)]
        return taken

    @property
    def has_buffered(self) -> bool:
        """Whether something came that nobody has asked for yet."""
        return len(self._buffer) > 0

    async def has_more(self) -> bool:
        """Whether something came, or comes."""
        try:
            if not self._buffer:
                await self._fill()
        except EOFError:
            return False
        return True

    async def _fill(self) -> None:
        data = await self._more()
        if not data:
            raise EOFError
        self._buffer += data


async def counted(source: Input, length: int) -> AsyncIterator[bytes]:
    """A body of a known length, piece by piece."""
    while length > 0:
        piece = await source.some(length)
        length -= len(piece)
        yield piece


async def chunked(source: Input, trailers: dict[str, str]) -> AsyncIterator[bytes]:
    """A body in chunked coding, HTTP's or S3's, whose signatures are extensions like any other."""
    while size := _chunk_size(await source.line(LINE_BYTES_MAX)):
        async for piece in counted(source, size):
            yield piece
        if await source.line(LINE_BYTES_MAX):
            raise FramingError
    left = HEAD_BYTES_MAX
    while line := await source.line(min(left, LINE_BYTES_MAX)):
        left -= len(line) + 2
        name, value = read_field(line)
        trailers[name] = value


def _chunk_size(line: bytes) -> int:
    match = _CHUNK_SIZE.fullmatch(line)
    if match is None:
        raise FramingError
    return int(match[1], 16)


def read_field(line: bytes) -> tuple[str, str]:
    """Name, in lower case, and value of a header or a trailer.

    >>> read_field(b"Content-Type:  text/plain ")
    ('content-type', 'text/plain')
    """
    match = _FIELD.fullmatch(line.decode("latin-1"))
    if match is None:
        raise FramingError
    return match[1].lower(), match[2].rstrip(" \t")
