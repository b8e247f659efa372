"""One client's connection: requests in, answers out in their order, and limits on silence."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator

from .answers import Answer, Failure, error
from .incoming import READ_BYTES_MAX, FramingError, Input, chunked, counted
from .request import Request, read_request
from .routes import route
from .store import Store
from .uploads import drain

STALL_S_MAX = 30  # of a head or a body that has begun; an idle connection may live on
_request_numbers = itertools.count(secrets.randbits(62))


class Connection:
    """A client's socket, from its first byte to its last."""

    def __init__(
        self, store: Store, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._is_idle = False  # between requests: nobody waits for an answer
        self._is_last = False
        self._store = store
        self._reader = reader
        self._writer = writer
        self._source = Input(self._read)

    def finish(self) -> None:
        """Serve what is in flight, and nothing behind it."""
        self._is_last = True
        if self._is_idle:
            self._writer.close()

    def abort(self) -> None:
        """End it, whatever is in flight."""
        self._writer.transport.abort()

    async def serve(self) -> None:
        """Answer requests until one of both sides has enough."""
        try:
            with contextlib.suppress(Failure):  # of a body that nobody wanted: it was answered
                while not self._is_last and await self._exchange():
                    pass
            if not self._is_last:
                await self._linger()
        except OSError:
            pass  # the client left or stalled and took its request back: there is nobody to tell
        finally:
            self._writer.close()

    async def _exchange(self) -> bool:
        """One request and its answer; whether another may follow."""
        request_id = f"{next(_request_numbers):016X}"
        self._is_idle = not self._source.has_buffered
        try:
            request = await read_request(self._source)
        except Failure as failure:  # not HTTP: nothing behind it can be understood
            await self._send(error(failure, "/", request_id), request_id, closes=True)
            return False
        request.body = self._body(request)
        answer, closes = await self._answer(request, request_id)
        closes = closes or self._is_last or not request.keeps_alive
        is_head = request.method == "HEAD"
        await self._send(answer, request_id, closes=closes, without_body=is_head)
        if not closes:
            await drain(request.body)
        return not closes

    async def _answer(self, request: Request, request_id: str) -> tuple[Answer, bool]:
        """The answer, and whether it ends the connection."""
        try:
            answer, closes = await route(self._store, request), False
        except Failure as failure:
            answer, closes = error(failure, request.path, request_id), failure.closes
        # A final status in place of the 100 leaves open whether a body follows.
        return answer, closes or request.awaits_continue

    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        """What is between this head and the next; whoever asks for it has the client continue."""
        if request.awaits_continue:
            request.awaits_continue = False
            if request.is_chunked or request.length:
                self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = request.length or 0
        pieces = chunked(self._source, {}) if request.is_chunked else counted(self._source, length)
        try:
            async for piece in pieces:
                yield piece
        except FramingError:
            raise Failure("BadRequest") from None

    async def _send(
        self, answer: Answer, request_id: str, *, closes: bool, without_body: bool = False
    ) -> None:
        self._writer.write(answer.head(request_id, closes))
        if not without_body:
            self._writer.write(answer.body)
        await self._writer.drain()

    async def _read(self) -> bytes:
        async with asyncio.timeout(None if self._is_idle else STALL_S_MAX):
            data = await self._reader.read(READ_BYTES_MAX)
        self._is_idle = False
        if not data:
            raise ConnectionAbortedError
        return data

    async def _linger(self) -> None:
        """Read past what still comes: a reset would destroy the last answer on its way."""
        self._writer.write_eof()
        self._is_idle = True
        async with asyncio.timeout(STALL_S_MAX):
            while await self._reader.read(READ_BYTES_MAX):
                pass
