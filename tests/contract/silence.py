"""Clients of HTTP/2 that fall silent in a head or body, each watched by a thread of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tests.contract.h2wire import H2Wire, ResetError, frame
from tests.contract.wire import ClosedError, Reply

WAIT_S = 60.0
HEADERS = 1
METHOD_GET = b"\x82"  # the first byte of a head, from HPACK's static table


@dataclass
class Silence:
    """One of them: when it began, when it ended and with what answer, if any."""

    begin: Callable[[H2Wire], int]
    port: int
    since_s: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    lasted_s: float = 0.0
    reply: Reply | None = None

    def start(self) -> Self:
        """Fall silent, in the background: PINGs are answered where HTTP/2 allows it."""
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def _watch(self) -> None:
        # Out of time: it stays without an end, and the test says so.
        with contextlib.suppress(TimeoutError), H2Wire(self.port, timeout_s=WAIT_S) as h2:
            h2.settled()
            with contextlib.suppress(ClosedError, ResetError, ConnectionResetError):
                self.reply = h2.answer(self.begin(h2))
            self.lasted_s = time.monotonic() - self.since_s
            self.ended.set()


@dataclass
class Silences:
    """What one server ends in time."""

    head: Silence
    body: Silence
    body_of_nothing: Silence

    @classmethod
    def begin(cls, port: int, bucket: str) -> Self:
        """Begin them all; they are looked at much later."""
        all_of_them = (_half_head, _body_to(bucket), _body_to("no-such-bucket"))
        return cls(*(Silence(one, port).start() for one in all_of_them))


def _half_head(h2: H2Wire) -> int:
    """HEADERS without END_HEADERS; the library must not answer a PING in between."""
    stream = h2.h2.get_next_available_stream_id()
    h2.send(frame(HEADERS, 0, stream, METHOD_GET))
    while True:  # until ClosedError
        if not h2.connection.recv(65536):
            raise ClosedError


def _body_to(bucket: str) -> Callable[[H2Wire], int]:
    return lambda h2: h2.head("PUT", f"/{bucket}/silent", [("content-length", "100")])
