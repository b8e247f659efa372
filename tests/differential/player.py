"""Plays operations to one server, and knows what that server called its uploads and pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.contract.conftest import Server
from tests.contract.wire import ClosedError, Reply, Wire
from tests.differential.canonical import CLOSED, Answer, canonical
from tests.differential.operations import Operation

NO_UPLOAD = "0" * 32
NO_TOKEN = "none"
_UPLOAD = re.compile(rb"<InitiateMultipartUploadResult.*<UploadId>([^<]+)</UploadId>", re.DOTALL)
_TOKEN = re.compile(rb"<NextContinuationToken>([^<]+)</NextContinuationToken>")
_PLACE = re.compile(r"\{(?:upload:(\d+)|token)\}")
HTTP_CONTINUE = 100


@dataclass
class Player:
    """One server, its connection, and the names that it gave."""

    server: Server
    uploads: list[str] = field(default_factory=list)
    token: str = NO_TOKEN
    _wire: Wire | None = None

    def forget(self) -> None:
        """Begin a new stream: names of earlier ones are gone."""
        self.uploads.clear()
        self.token = NO_TOKEN

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._wire is not None:
            self._wire.connection.close()
            self._wire = None

    def send(self, operation: Operation) -> None:
        """Send what may go out before anything is answered."""
        if self._wire is None:
            self._wire = self.server.wire()
        head, body = self._named(operation).head_and_body()
        self._wire.send(head if operation.framing == "expect" else head + body)

    def receive(self, operation: Operation) -> Answer:
        """The answer; the connection goes on unless the server said or showed that it ends."""
        assert self._wire is not None, "send comes first"
        try:
            reply = self._reply(self._wire, operation)
        except (ClosedError, TimeoutError):
            self.close()
            return CLOSED
        if (reply.header("connection") or "").lower() == "close" or operation.framing == "raw":
            self.close()
        self._learn(reply)
        return canonical(reply)

    def _reply(self, wire: Wire, operation: Operation) -> Reply:
        if operation.framing != "expect":
            return wire.answer(operation.method)
        reply = wire.answer_or_interim(operation.method)
        if reply.status != HTTP_CONTINUE:
            self.close()  # the body was refused: what comes next is a new connection's
            return reply
        wire.send(operation.body or b"")
        final = wire.answer(operation.method)
        return Reply(final.status, final.headers, final.body, (HTTP_CONTINUE, *final.interim))

    def _learn(self, reply: Reply) -> None:
        if found := _UPLOAD.search(reply.body):
            self.uploads.append(found[1].decode())
        if found := _TOKEN.search(reply.body):
            self.token = found[1].decode()

    def _named(self, operation: Operation) -> Operation:
        if "{" not in operation.target:
            return operation
        target = _PLACE.sub(self._name, operation.target)
        return Operation(
            operation.method, target, operation.headers, operation.body, operation.framing
        )

    def _name(self, place: re.Match[str]) -> str:
        if place[1] is None:
            return self.token
        number = int(place[1])
        return self.uploads[number] if number < len(self.uploads) else NO_UPLOAD
