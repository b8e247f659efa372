"""An HTTP/2 client over plain TCP with prior knowledge; flow control is in the test's hands."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from h2 import events
from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from tests.contract.wire import ClosedError, Connected, Reply

Pairs = Iterable[tuple[str, str]]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD_BYTES = 9
READ_BYTES = 1 << 18
WINDOW_BYTES_MAX = (1 << 31) - 1
WINDOW_BYTES_FIRST = 65_535


class ResetError(Exception):
    """The server reset the stream where an answer was expected."""


@dataclass
class Stream:
    """What has come on one stream so far."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytearray = field(default_factory=bytearray)
    interim: tuple[int, ...] = ()
    ended: bool = False
    reset: int | None = None

    def reply(self) -> Reply:
        """The answer, in the words of the HTTP/1.1 client."""
        return Reply(self.status, self.headers, bytes(self.body), self.interim)


@dataclass
class H2Wire(Connected):
    """One connection; received data is acknowledged at once unless `grants` is turned off."""

    settings: dict[SettingCodes, int] = field(default_factory=dict)
    strict: bool = True  # off: what HTTP/2 forbids may be sent
    grants: bool = True
    h2: H2Connection = field(init=False)
    streams: dict[int, Stream] = field(init=False, default_factory=dict)
    goaway: int | None = field(init=False, default=None)
    acknowledged: int = field(init=False, default=0)  # pings and settings
    ended: bool = field(init=False, default=False)
    _held: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        super().__post_init__()
        config = H2Configuration(
            header_encoding="latin-1",
            validate_outbound_headers=self.strict,
            normalize_outbound_headers=self.strict,
        )
        self.h2 = H2Connection(config)
        values = {SettingCodes.ENABLE_PUSH: 0, **self.settings}
        self.h2.local_settings = Settings(client=True, initial_values=values)
        self.h2.decoder.max_allowed_table_size = self.h2.local_settings.header_table_size
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what the library wants to send; a closed connection is noticed when reading."""
        self.send(self.h2.data_to_send())

    def ask(
        self, method: str, target: str, headers: Pairs = (), body: bytes | None = None
    ) -> Reply:
        """One request and its answer, on a stream of its own."""
        return self.answer(self.start(method, target, headers, body))

    def start(
        self, method: str, target: str, headers: Pairs = (), body: bytes | None = None
    ) -> int:
        """A whole request, sent; its stream. A body has its content-length."""
        if body is None:
            return self.head(method, target, headers, end=True)
        stream = self.head(method, target, [*headers, ("content-length", str(len(body)))])
        self.body(stream, body)
        return stream

    def head(
        self,
        method: str,
        target: str,
        headers: Pairs = (),
        *,
        end: bool = False,
        pseudo: Sequence[tuple[str, str]] | None = None,
    ) -> int:
        """The HEADERS of a request; its stream."""
        stream = self.h2.get_next_available_stream_id()
        first = pseudo
        if first is None:
            first = [(":method", method), (":scheme", "http")]
            first += [(":authority", "127.0.0.1"), (":path", target)]
        lower = [(name.lower() if self.strict else name, value) for name, value in headers]
        self.streams[stream] = Stream()
        self.h2.send_headers(stream, [*first, *lower], end_stream=end)
        self.flush()
        return stream

    def body(self, stream: int, data: bytes, *, end: bool = True) -> None:
        """DATA as far as the windows allow, waiting for them; stops where an answer ended it."""
        at = 0
        one = self.streams[stream]
        while at < len(data) and not one.ended and one.reset is None:
            room = self.room(stream)
            if room <= 0:
                self.receive()
                continue
            piece = data[at : at + min(room, self.h2.max_outbound_frame_size)]
            at += len(piece)
            self.h2.send_data(stream, piece)
            self.flush()
        if end and not one.ended and one.reset is None:
            self.h2.end_stream(stream)
            self.flush()

    def room(self, stream: int) -> int:
        """How much the server lets us send on the stream now."""
        return self.h2.local_flow_control_window(stream)

    def answer(self, stream: int) -> Reply:
        """The whole answer of a stream."""
        one = self.streams[stream]
        while not one.ended:
            if one.reset is not None:
                raise ResetError(f"stream {stream}: error {one.reset}, {one}")
            self.receive()
        return one.reply()

    def receive(self) -> None:
        """Read once and take what came; ClosedError at the end of the connection."""
        if self.ended:
            raise ClosedError(f"goaway {self.goaway}")
        try:
            data = self.connection.recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            raise ClosedError(f"goaway {self.goaway}")
        self._held += data
        while (one := self._frame()) is not None:
            for event in self.h2.receive_data(one):
                self._take(event)
        with contextlib.suppress(ProtocolError):
            self.flush()

    def settled(self) -> None:
        """Wait for the server's settings and for the acknowledgement of ours."""
        while self.acknowledged == 0 or not self.h2.remote_settings.max_concurrent_streams:
            self.receive()

    def pause(self, wait_s: float) -> None:
        """Take whatever comes within the wait."""
        deadline_s = time.monotonic() + wait_s
        try:
            while (left_s := deadline_s - time.monotonic()) > 0 and not self.ended:
                self.connection.settimeout(left_s)
                self.receive()
        except (TimeoutError, ClosedError):
            pass
        finally:
            self.connection.settimeout(self.timeout_s)

    def comes(self, stream: int, count: int, wait_s: float = 5.0) -> bytes:
        """The stream's body, once `count` bytes of it are there, and whatever follows too soon."""
        deadline_s = time.monotonic() + wait_s
        while len(self.streams[stream].body) < count and time.monotonic() < deadline_s:
            self.pause(0.05)
        self.pause(0.2)
        return bytes(self.streams[stream].body)

    def ends(self, wait_s: float = 5.0) -> bool:
        """Whether the server gives the connection up: GOAWAY, or the end of the stream."""
        deadline_s = time.monotonic() + wait_s
        while not self.ended and self.goaway is None and time.monotonic() < deadline_s:
            self.pause(0.1)
        return self.ended or self.goaway is not None

    def frames(self, wait_s: float) -> Iterator[tuple[int, int]]:
        """Kind and stream of each frame within the wait, none of which the library sees."""
        deadline_s = time.monotonic() + wait_s
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while (left_s := deadline_s - time.monotonic()) > 0:
                self.connection.settimeout(left_s)
                if not (data := self.connection.recv(READ_BYTES)):
                    return
                self._held += data
                while (one := self._frame()) is not None:
                    yield one[3], int.from_bytes(one[5:FRAME_HEAD_BYTES], "big")

    def grant(self, amount: int, stream: int | None = None) -> None:
        """Widen the connection's window, or a stream's."""
        self.h2.increment_flow_control_window(amount, stream)
        self.flush()

    def _frame(self) -> bytes | None:
        size = FRAME_HEAD_BYTES + int.from_bytes(self._held[:3], "big")
        if len(self._held) < FRAME_HEAD_BYTES or len(self._held) < size:
            return None
        one, self._held = self._held[:size], self._held[size:]
        return one

    def _take(self, event: events.Event) -> None:
        number = getattr(event, "stream_id", None)
        one = self.streams.get(number, Stream()) if number else Stream()
        match event:
            case events.InformationalResponseReceived():
                one.interim += (_status(event.headers),)
            case events.ResponseReceived():
                one.status = _status(event.headers)
                one.headers = tuple(_text(event.headers)[1:])
            case events.DataReceived():
                one.body += event.data
                if self.grants and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case events.StreamEnded():
                one.ended = True
            case events.StreamReset():
                one.reset = int(event.error_code or 0)
            case events.ConnectionTerminated():
                self.goaway = int(event.error_code or 0)
                if self.goaway == 0:  # the library would end what a graceful end lets finish
                    self.h2.state_machine.state = ConnectionState.CLIENT_OPEN
            case events.SettingsAcknowledged() | events.PingAckReceived():
                self.acknowledged += 1
            case _:
                pass


def _text(headers: Iterable[tuple[str | bytes, str | bytes]] | None) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in headers or ()]


def _status(headers: Iterable[tuple[str | bytes, str | bytes]] | None) -> int:
    return int(dict(_text(headers))[":status"])


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame, whatever it says."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload
