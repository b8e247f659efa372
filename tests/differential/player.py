"""Plays operations to one server, and knows what that server called its uploads and pages."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.contract.conftest import Server
from tests.differential.canonical import Raw
from tests.differential.connection import Connection, EndedError, NoAnswerError
from tests.differential.operations import Operation

NO_UPLOAD = "0" * 32
NO_TOKEN = "none"
_UPLOAD = re.compile(rb"<InitiateMultipartUploadResult.*<UploadId>([^<]+)</UploadId>", re.DOTALL)
_TOKEN = re.compile(rb"<NextContinuationToken>([^<]+)</NextContinuationToken>")
_PLACE = re.compile(r"\{(?:upload:(-?\d+)|token)\}")
HTTP_CONTINUE = 100


@dataclass
class Player:
    """One server, its connection, and the names that it gave."""

    server: Server
    uploads: list[str] = field(default_factory=list)
    token: str = NO_TOKEN
    _connection: Connection | None = None
    _pending: deque[bytes] = field(default_factory=deque)  # sent, and not answered yet

    def forget(self) -> None:
        """Begin a new stream: names of earlier ones are gone."""
        self.uploads.clear()
        self.token = NO_TOKEN

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abandon(self) -> None:
        """End the connection, and expect no answer to what was sent on it."""
        self.close()
        self._pending.clear()

    def named(self, operation: Operation) -> Operation:
        """The operation with the names that this server gave."""
        return replace(operation, target=_PLACE.sub(self._name, operation.target))

    def send(self, requests: Iterable[bytes]) -> None:
        """Send requests in one go; the answers to all of them are to be received."""
        assert not self._pending, "answers are still to come"
        self._pending.extend(requests)
        self._push()

    def receive(self, operation: Operation) -> Raw | None:
        """The next answer, None where the connection ended without one.

        The connection goes on unless the server said or showed that it ends; what was sent behind
        that operation is sent again on a new one.

        Raises:
            NoAnswerError: There was neither an answer nor an end; nothing more is to be received.
        """
        try:
            raw = self._answer(self._connection or self._push(), operation)
        except EndedError:
            raw = None
        except NoAnswerError:
            self.abandon()
            raise
        self._pending.popleft()
        if raw is None or raw.closes() or operation.framing == "raw":
            self.close()
        if raw is not None and raw.body.startswith(b"<?xml"):
            self._learn(raw.body)
        return raw

    def _push(self) -> Connection:
        if self._connection is None:
            self._connection = Connection.to(self.server.port)
        self._connection.send(b"".join(self._pending))
        return self._connection

    def _answer(self, connection: Connection, operation: Operation) -> Raw:
        interim: list[int] = []
        awaits = operation.framing == "expect"
        while (raw := connection.receive(operation.method)).status < 200:
            interim.append(raw.status)
            if awaits and raw.status == HTTP_CONTINUE:
                connection.send(operation.body or b"")
                awaits = False
        if awaits:
            self.close()  # the body was refused: what comes next is a new connection's
        raw.interim = tuple(interim)
        return raw

    def _learn(self, body: bytes) -> None:
        if found := _UPLOAD.search(body):
            self.uploads.append(found[1].decode())
        if found := _TOKEN.search(body):
            self.token = found[1].decode()

    def _name(self, place: re.Match[str]) -> str:
        if place[1] is None:
            return self.token
        number = int(place[1])
        is_known = -len(self.uploads) <= number < len(self.uploads)
        return self.uploads[number] if is_known else NO_UPLOAD
