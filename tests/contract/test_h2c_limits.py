"""HTTP/2 from a client that means ill: floods, broken frames, and heads beyond the limit."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
from h2.exceptions import ProtocolError
from hpack import Encoder

from tests.contract.conftest import Server
from tests.contract.h2wire import PREFACE, H2Wire, Pairs, ResetError, frame
from tests.contract.wire import ClosedError

pytestmark = pytest.mark.protocol("h2c")

FLOOD_LIMIT_S = 5.0
FLOOD_PAUSE_S = 0.3
FRAMES_WAIT_S = 1.0
GROWTH_BYTES_MAX = 64 << 20
NO_ERROR, CANCEL = 0, 8
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW, CONTINUATION = (
    range(10)
)
END_STREAM, END_HEADERS, PADDED, PRIORITISED = 1, 4, 8, 32
BEGIN = PREFACE + frame(SETTINGS, 0, 0)


def block(path: str = "/", method: str = "GET", more: Pairs = ()) -> bytes:
    """A request's header block of a fresh encoder, without its table."""
    first = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)]
    encoder = Encoder()
    encoder.header_table_size = 0
    return bytes(encoder.encode([*first, *more]))


def get(stream: int) -> bytes:
    """A whole GET as one frame."""
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, block())


def pour(server: Server, pieces: Iterator[bytes]) -> int:
    """Send without reading until the server closes, stops taking, or the time is over.

    Returns:
        The most memory that the server held, in bytes, while the connection was open: what it
        keeps for the flood is given back with it.
    """
    end_s = time.monotonic() + FLOOD_LIMIT_S
    peak = 0
    with server.wire(timeout_s=1.0) as wire:
        with contextlib.suppress(OSError):
            wire.connection.sendall(BEGIN)
            for piece in pieces:
                wire.connection.sendall(piece)
                peak = max(peak, server.running.memory_bytes())
                if time.monotonic() > end_s:
                    break
        time.sleep(FLOOD_PAUSE_S)  # what was sent last may not have been taken yet
        return max(peak, server.running.memory_bytes())


def resets() -> Iterator[bytes]:
    """Requests that are given up at once."""
    for first in range(1, 400_000, 400):
        streams = range(first, first + 400, 2)
        yield b"".join(get(n) + frame(RST_STREAM, 0, n, bytes([0, 0, 0, CANCEL])) for n in streams)


def repeated(one: bytes, count: int = 400_000) -> Callable[[], Iterator[bytes]]:
    """The same frame again and again."""

    def pieces() -> Iterator[bytes]:
        for _ in range(count // 1000):
            yield one * 1000

    return pieces


def requests() -> Iterator[bytes]:
    """More requests than anybody may have open, none of whose answers is read."""
    for first in range(1, 400_000, 400):
        yield b"".join(get(n) for n in range(first, first + 400, 2))


def endless_head() -> Iterator[bytes]:
    """A head that never ends."""
    yield frame(HEADERS, 0, 1, block())
    line = Encoder().encode([("x-fill", "v" * 16000)], huffman=False)
    for _ in range(16_000):
        yield frame(CONTINUATION, 0, 1, bytes(line))


def empty_continuations() -> Iterator[bytes]:
    """A head that never ends and never grows."""
    yield frame(HEADERS, 0, 1, block())
    yield from repeated(frame(CONTINUATION, 0, 1))()


def empty_data() -> Iterator[bytes]:
    """A body of nothing, for ever."""
    yield frame(HEADERS, END_HEADERS, 1, block("/no-bucket/k", "PUT"))
    yield from repeated(frame(DATA, 0, 1))()


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "resets": resets,
    "pings": repeated(frame(PING, 0, 0, b"12345678")),
    "settings": repeated(frame(SETTINGS, 0, 0, b"\x00\x04\x00\x00\xff\xff")),
    "priorities": repeated(frame(PRIORITY, 0, 1, b"\x00\x00\x00\x03\x10")),
    "requests": requests,
    "endless-head": endless_head,
    "empty-continuations": empty_continuations,
    "empty-data": empty_data,
    "unknown-frames": repeated(frame(0xBE, 0, 0, b"x")),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_neither_ends_nor_grows_the_server(
    start_server: Callable[..., Server], flood: str
) -> None:
    server = start_server()
    with H2Wire(server.port) as h2:
        assert h2.ask("GET", "/").status == 200
    before = server.running.memory_bytes()
    assert pour(server, FLOODS[flood]()) - before < GROWTH_BYTES_MAX
    with H2Wire(server.port) as h2:
        assert h2.ask("GET", "/").status == 200
    assert server.ask("GET", "/").status == 200


BROKEN = {
    "data on stream 0": frame(DATA, 0, 0, b"x"),
    "data on an idle stream": frame(DATA, 0, 1, b"x"),
    "headers on stream 0": frame(HEADERS, END_STREAM | END_HEADERS, 0, block()),
    "headers on an even stream": get(2),
    "a stream's number that goes back": get(5) + get(3),
    "settings on a stream": frame(SETTINGS, 0, 1),
    "settings of five bytes": frame(SETTINGS, 0, 0, b"12345"),
    "settings acknowledged with a payload": frame(SETTINGS, 1, 0, b"\x00\x04\x00\x00\xff\xff"),
    "a window beyond 31 bits in settings": frame(SETTINGS, 0, 0, b"\x00\x04\xff\xff\xff\xff"),
    "a frame size below the least": frame(SETTINGS, 0, 0, b"\x00\x05\x00\x00\x00\x01"),
    "push allowed with 2": frame(SETTINGS, 0, 0, b"\x00\x02\x00\x00\x00\x02"),
    "a ping of seven bytes": frame(PING, 0, 0, b"1234567"),
    "a ping on a stream": frame(PING, 0, 1, b"12345678"),
    "a reset of an idle stream": frame(RST_STREAM, 0, 1, b"\x00\x00\x00\x08"),
    "a reset on stream 0": frame(RST_STREAM, 0, 0, b"\x00\x00\x00\x08"),
    "a window update of nothing": frame(WINDOW, 0, 0, b"\x00\x00\x00\x00"),
    "a window that overflows": frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2,
    "a window update of three bytes": frame(WINDOW, 0, 0, b"\x00\x00\x01"),
    "a promise from a client": frame(PUSH_PROMISE, END_HEADERS, 1, b"\x00\x00\x00\x02" + block()),
    "a continuation of nothing": frame(CONTINUATION, END_HEADERS, 1, block()),
    "another frame inside a head": frame(HEADERS, 0, 1, block()) + frame(PING, 0, 0, b"12345678"),
    "another stream inside a head": frame(HEADERS, 0, 1, block())
    + frame(CONTINUATION, END_HEADERS, 3),
    "a frame over the size": frame(DATA, 0, 1, b"x" * 16_385),
    "padding longer than the frame": frame(HEADERS, END_HEADERS, 1, block("/no-bucket/k", "PUT"))
    + frame(DATA, PADDED, 1, b"\xff123"),
    "a priority of four bytes": frame(HEADERS, PRIORITISED | END_HEADERS, 1, b"\x00\x00\x00\x00"),
    "an index that no table has": frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\xff\xff\x7f"),
    "index 0": frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x80"),
    "a block that ends early": frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x00\x05ab"),
    "an integer without end": frame(
        HEADERS, END_STREAM | END_HEADERS, 1, b"\x00\x7f" + b"\xff" * 20
    ),
    "a table beyond the settings": frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x3f\xff\xff\x7f"),
    "huffman padding of zeros": frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x00\x81\x00\x00"),
    "a preface that is none": b"",
}
# Go's library takes a frame that ends inside its own fields for the end of the client; the RFC
# says no more than that an endpoint should tell why it closes.
MAY_JUST_CLOSE = {"a priority of four bytes"}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_frame_ends_its_connection_and_no_other(server: Server, what: str) -> None:
    with H2Wire(server.port) as other, H2Wire(server.port) as h2:
        h2.settled()
        h2.send(BROKEN[what] or frame(0xBE, 0, 0)[:5] + PREFACE * 3)
        assert h2.ends(), "the connection goes on"
        assert h2.goaway not in {None, NO_ERROR} or (what in MAY_JUST_CLOSE and h2.ended)
        assert other.ask("GET", "/").status == 200


MALFORMED: dict[str, list[tuple[str, str]]] = {
    "no method": [(":scheme", "http"), (":path", "/")],
    "no path": [(":method", "GET"), (":scheme", "http"), (":authority", "a")],
    "an empty path": [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "")],
    "two paths": [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":path", "/a")],
    "an unknown one": [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":other", "a")],
    "a status": [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":status", "200")],
}
HEADERS_MALFORMED = {
    "a pseudo-header after others": [("x-a", "1"), (":authority", "b")],
    "upper case": [("X-Upper", "1")],
    "connection": [("connection", "keep-alive")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "te": [("te", "gzip")],
    "a line feed in a value": [("x-a", "1\nx-b: 2")],
    "a NUL in a value": [("x-a", "1\x002")],
    "a space in a name": [("x a", "1")],
}


def refused(server: Server, pseudo: list[tuple[str, str]] | None, headers: Pairs) -> None:
    """The request is reset, or answered 400, or its connection ended; the server goes on."""
    with H2Wire(server.port, strict=False) as h2, contextlib.suppress(ResetError, ClosedError):
        stream = h2.head("GET", "/", headers, end=True, pseudo=pseudo)
        assert h2.answer(stream).status == 400
    assert server.ask("GET", "/").status == 200


@pytest.mark.parametrize("what", MALFORMED)
def test_pseudo_headers_must_be_right(server: Server, what: str) -> None:
    refused(server, MALFORMED[what], [])


@pytest.mark.parametrize("what", HEADERS_MALFORMED)
def test_headers_that_http_2_forbids_are_refused(server: Server, what: str) -> None:
    refused(server, None, HEADERS_MALFORMED[what])


@pytest.mark.parametrize("lengths", [["5", "6"], ["6", "5"], ["+5"], ["5, 6"], ["5x"], ["-5"]])
def test_a_length_that_is_none_stores_nothing(
    server: Server, bucket: str, lengths: list[str]
) -> None:
    with H2Wire(server.port, strict=False) as h2, contextlib.suppress(ResetError, ClosedError):
        pairs = [("content-length", length) for length in lengths]
        stream = h2.head("PUT", f"/{bucket}/k", pairs)
        h2.body(stream, b"hello")
        assert h2.answer(stream).status == 400
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


def test_the_head_is_limited_to_16_kib(server: Server) -> None:
    fill = [(f"x-{n}", "v" * 1000) for n in range(14)]
    with H2Wire(server.port) as h2:
        assert h2.ask("GET", "/", fill).status == 200
    for more in (6, 100):
        with H2Wire(server.port) as h2:
            long = [*fill, *((f"x-more-{n}", "v" * 1000) for n in range(more))]
            with contextlib.suppress(ResetError, ClosedError):
                assert h2.ask("GET", "/", long).status == 431
    assert server.ask("GET", "/").status == 200


def test_a_head_that_unpacks_beyond_the_limit_is_refused(server: Server) -> None:
    with H2Wire(server.port) as h2:
        once = [("x-bomb", "v" * 3000)]
        assert h2.ask("GET", "/", once).status == 200
        before = server.running.memory_bytes()
        with contextlib.suppress(ResetError, ClosedError, ProtocolError):
            for _ in range(20):  # 16 kB that say 48 MB
                assert h2.ask("GET", "/", once * 16_000).status == 431
        assert server.running.memory_bytes() - before < GROWTH_BYTES_MAX
    assert server.ask("GET", "/").status == 200


def test_streams_beyond_the_limit_are_refused_one_by_one(server: Server, bucket: str) -> None:
    with H2Wire(server.port) as h2:
        h2.settled()
        limit = h2.h2.remote_settings.max_concurrent_streams or 0
        assert 100 <= limit <= 10_000
        for _ in range(limit):
            h2.head("PUT", f"/{bucket}/k", [("content-length", "1")])
        excess = 2 * limit + 1
        h2.send(get(excess))
        came = set(h2.frames(FRAMES_WAIT_S))
        assert (HEADERS, excess) not in came
        assert (RST_STREAM, excess) in came or (GOAWAY, 0) in came
    assert server.ask("GET", "/").status == 200


def test_more_than_the_window_is_refused(server: Server, bucket: str) -> None:
    with H2Wire(server.port) as h2:
        h2.settled()
        h2.pause(0.2)
        room = 0
        # A server that takes bytes as they come widens its window as fast: then the length ends it.
        stream = h2.head("PUT", f"/{bucket}/k", [("content-length", str(32 << 20))])
        room = h2.room(stream)
        data = frame(DATA, 0, stream, b"x" * 16_384)
        h2.connection.settimeout(2.0)
        with contextlib.suppress(OSError):
            for _ in range(room // 16_384 + 4000):  # more than any update allows
                h2.connection.sendall(data)
        with contextlib.suppress(ProtocolError):
            h2.pause(1.0)
        refused_it = h2.ends() or h2.streams[stream].reset is not None
        assert refused_it, "a window is no limit"
    assert server.ask("HEAD", f"/{bucket}/k").status == 404
