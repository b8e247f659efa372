"""HTTP/1.1 as bytes: keep-alive, pipelining, 100-continue, chunked bodies, smuggling, limits."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.contract.conftest import STALL_LIMIT_S, Server
from tests.contract.wire import ClosedError, Reply, chunked, request


def refused_and_closed(server: Server, data: bytes, status: int = 400) -> Reply:
    """Send the bytes; the first answer must be the status, and then the connection ends."""
    with server.wire() as wire:
        wire.send(data)
        reply = wire.answer()
        assert reply.status == status
        assert wire.closed(), "the connection stayed open"
    if not server.backend.chooses("parser_errors"):
        assert reply.header("x-amz-request-id") == reply.xml().findtext("RequestId")
    return reply


def test_a_connection_serves_many_requests(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        for number in range(50):
            body = b"%d" % number
            assert wire.ask("PUT", f"/{bucket}/k", [], body).status == 200
            assert wire.ask("GET", f"/{bucket}/k").body == body


def test_connection_close_is_honoured(server: Server) -> None:
    with server.wire() as wire:
        reply = wire.ask("GET", "/", [("Connection", "close")])
        assert reply.status == 200
        assert (reply.header("connection") or "").lower() == "close"
        assert wire.closed()


def test_pipelined_requests_are_answered_in_order(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        requests = [request("PUT", f"/{bucket}/{n}", [], b"%d" % n) for n in range(20)]
        requests += [request("GET", f"/{bucket}/{n}") for n in range(20)]
        requests += [request("HEAD", f"/{bucket}/0"), request("DELETE", f"/{bucket}/0")]
        requests += [request("GET", f"/{bucket}/0")]
        wire.send(b"".join(requests))
        assert [wire.answer().status for _ in range(20)] == [200] * 20
        assert [wire.answer().body for _ in range(20)] == [b"%d" % n for n in range(20)]
        assert wire.answer("HEAD").header("content-length") == "1"
        assert wire.answer("DELETE").status == 204
        assert wire.answer().status == 404


def test_a_request_may_come_byte_by_byte(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        for byte in request("PUT", f"/{bucket}/k", [("Content-Type", "a/b")], b"slow"):
            wire.send(bytes([byte]))
        assert wire.answer().status == 200
        assert wire.ask("GET", f"/{bucket}/k").body == b"slow"


def test_expect_100_is_answered_exactly_once_before_the_body(server: Server, bucket: str) -> None:
    head = request("PUT", f"/{bucket}/k", [("Expect", "100-continue"), ("Content-Length", "5")])
    with server.wire() as wire:
        for _ in range(3):
            wire.send(head)
            assert wire.interim() == 100
            assert wire.pending(0.05) == b""
            wire.send(b"12345")
            reply = wire.answer()
            assert (reply.status, reply.interim) == (200, ())
        assert wire.pending(0.05) == b""


def test_expect_100_with_the_body_in_the_same_segment(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        wire.send(request("PUT", f"/{bucket}/k", [("Expect", "100-continue")], b"12345"))
        reply = wire.answer()
        assert reply.status == 200
        assert reply.interim in {(), (100,)}
        assert wire.pending(0.05) == b""


def test_expect_100_of_an_empty_body_and_of_a_chunked_one(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        wire.send(request("PUT", f"/{bucket}/k", [("Expect", "100-continue")], b""))
        reply = wire.answer()
        assert reply.status == 200
        assert reply.interim in server.interims_unasked
        headers = [("Expect", "100-continue"), ("Transfer-Encoding", "chunked")]
        wire.send(request("PUT", f"/{bucket}/k", headers))
        assert wire.interim() == 100
        wire.send(chunked([b"abc"]))
        assert wire.answer().interim == ()


@pytest.mark.parametrize("value", ["200", "", "something-else"])
def test_another_expect_is_ignored(server: Server, bucket: str, value: str) -> None:
    with server.wire() as wire:
        wire.send(request("PUT", f"/{bucket}/k", [("Expect", value)], b"12345"))
        reply = wire.answer()
        assert (reply.status, reply.interim) == (200, ())
        assert wire.ask("GET", f"/{bucket}/k").body == b"12345"


def test_no_100_follows_a_final_status(server: Server) -> None:
    headers = [("Expect", "100-continue"), ("Content-Length", "5")]
    with server.wire() as wire:
        wire.send(request("PUT", "/no-such-bucket/k", headers))
        first = wire.interim()
        if first == 100:
            wire.send(b"12345")
            first = wire.answer().status
        assert first == 404


def test_an_early_error_never_desynchronises_the_connection(server: Server, bucket: str) -> None:
    smuggled = request("DELETE", f"/{bucket}")
    with server.wire() as wire:
        wire.send(request("PUT", "/no-such-bucket/k", [], smuggled) + request("GET", "/"))
        assert wire.answer().status == 404
        try:
            assert wire.answer().status == 200
        except ClosedError:
            assert wire.closed()
    assert server.ask("HEAD", f"/{bucket}").status == 200


@pytest.mark.parametrize("parts", [[b"one"], [b"a" * 70000, b"b"], [b"x"] * 300, []])
def test_chunked_bodies_are_stored_whole(server: Server, bucket: str, parts: list[bytes]) -> None:
    with server.wire() as wire:
        head = request("PUT", f"/{bucket}/k", [("Transfer-Encoding", "chunked")])
        wire.send(head + chunked(parts))
        assert wire.answer().status == 200
        assert wire.ask("GET", f"/{bucket}/k").body == b"".join(parts)


def test_chunk_extensions_and_trailers_are_skipped(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        head = request("PUT", f"/{bucket}/k", [("Transfer-Encoding", "chunked")])
        wire.send(head + b"3;a=b\r\nabc\r\n02\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert wire.answer().status == 200
        assert wire.ask("GET", f"/{bucket}/k").body == b"abcde"


@pytest.mark.parametrize(
    "body", [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"-1\r\n\r\n", b"3\nabc\n0\n\n"]
)
def test_malformed_chunks_store_nothing_and_close(server: Server, bucket: str, body: bytes) -> None:
    with server.wire() as wire:
        wire.send(request("PUT", f"/{bucket}/k", [("Transfer-Encoding", "chunked")]) + body)
        if server.takes(body):
            assert wire.answer().status == 200
            return
        with contextlib.suppress(ClosedError):
            assert wire.answer().status == 400
        assert wire.closed()
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


HEAD = b"PUT /%s/k HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("lines", "rest"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"),
        (b"Content-Length: 5, 6\r\n", b"hello"),
        (b"Content-Length: +5\r\n", b"hello"),
        (b"Content-Length: -5\r\n", b"hello"),
        (b"Content-Length: 0x5\r\n", b"hello"),
        (b"Content-Length: 99999999999999999999999\r\n", b"hello"),
        (b"Content-Length: \r\n", b""),
        (b"Transfer-Encoding: identity\r\n", b""),
        (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
        (b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        (b"Content-Length : 5\r\n", b"hello"),
        (b"Content-Length: 0\r\nX-A: b\rc\r\n", b""),
        (b"Content-Length: 0\r\nX-A: b\nX-B: c\r\n", b""),
        (b"Content-Length: 0\r\nX-A: b\x00c\r\n", b""),
        (b"Content-Length: 0\r\n folded: b\r\n", b""),
        (b"Content-Length: 0\r\n: no name\r\n", b""),
        (b"Content-Length: 0\r\nno colon\r\n", b""),
    ],
)
def test_ambiguous_framing_is_refused_and_closed(
    server: Server, bucket: str, lines: bytes, rest: bytes
) -> None:
    if server.takes(lines):
        with server.wire() as wire:
            wire.send(HEAD % bucket.encode() + lines + b"\r\n" + rest)
            assert wire.answer().status == 200
        return
    refused_and_closed(server, HEAD % bucket.encode() + lines + b"\r\n" + rest)
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_malformed_heads_are_refused_and_closed(server: Server, head: bytes) -> None:
    without_version = head.startswith(b"GET /\r\n") and server.backend.chooses("http_0_9")
    if without_version or server.takes(head):
        with server.wire() as wire:
            wire.send(head)
            wanted = b"<?xml" if without_version else b"HTTP/1.1 200 OK\r\n"
            assert wire.pending(5.0).startswith(wanted)
        return
    refused_and_closed(server, head)


def test_a_refusal_comes_after_the_answers_before_it(server: Server) -> None:
    with server.wire() as wire:
        wire.send(request("GET", "/") * 3 + b"GET / HTTP/1.1\r\n\r\n")
        assert [wire.answer().status for _ in range(4)] == [200, 200, 200, 400]
        assert wire.closed()


def test_the_head_is_limited_to_16_kib(server: Server) -> None:
    fill = [(f"X-{n}", "v" * 1000) for n in range(15)]
    with server.wire() as wire:
        assert wire.ask("GET", "/", fill).status == 200
    too_long = request("GET", "/", [*fill, ("X-A", "v" * 1000), ("X-B", "v" * 1000)])
    refused_and_closed(server, too_long, 431)
    refused_and_closed(server, b"GET /" + b"a" * 20000, 431)


def test_many_small_headers_are_not_too_many(server: Server) -> None:
    assert server.ask("GET", "/", [(f"X-{n}", "v") for n in range(60)]).status == 200


def test_a_short_body_stores_nothing(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        wire.send(request("PUT", f"/{bucket}/k", [("Content-Length", "10")]) + b"short")
        wire.connection.shutdown(1)
        with contextlib.suppress(ClosedError):
            assert wire.answer().status == 400
        assert wire.closed()
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


def test_a_client_that_stops_sending_still_gets_its_answer(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        wire.send(request("PUT", f"/{bucket}/k", [], b"all of it"))
        wire.connection.shutdown(1)
        assert wire.answer().status == 200


def test_a_length_is_required(server: Server, bucket: str) -> None:
    reply = server.ask("PUT", f"/{bucket}/k")
    assert (reply.status, reply.code()) == (411, "MissingContentLength")


def test_an_object_beyond_the_default_limit_is_refused_before_its_body(
    server: Server, bucket: str
) -> None:
    length = ("Content-Length", str((64 << 20) + 1))
    with server.wire() as wire:
        wire.send(request("PUT", f"/{bucket}/k", [length, ("Expect", "100-continue")]))
        reply = wire.answer()
        assert (reply.status, reply.code()) == (400, "EntityTooLarge")
        assert reply.interim in server.interims_unasked


@pytest.mark.last
def test_no_progress_for_30_s_closes_and_idleness_does_not(server: Server) -> None:
    assert server.stalled is not None
    limit_s = server.stalled.since_s + STALL_LIMIT_S + 4
    for wire in (server.stalled.head, server.stalled.body):
        wire.connection.settimeout(max(limit_s - time.monotonic(), 0.1))
        while wire.connection.recv(65536):  # an answer before the close (400, 408) is allowed
            pass
        assert time.monotonic() > server.stalled.since_s + STALL_LIMIT_S - 1.5
    assert server.stalled.idle.ask("GET", "/").status == 200
