"""Bodies in aws-chunked coding: signed chunks, trailers, and what must be refused."""

from __future__ import annotations

import base64
import zlib

import pytest

from tests.contract.conftest import Server
from tests.contract.wire import Reply, chunked, request

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
PARTS = [b"first " * 3000, b"second", b"\r\n0;chunk-signature=fake\r\n\r\n"]
BODY = b"".join(PARTS)


def crc32(body: bytes) -> str:
    """The checksum as a trailer writes it."""
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def framed(parts: list[bytes], *, signed: bool, trailers: bytes = b"") -> bytes:
    """The parts in aws-chunked framing with signatures that nobody verifies."""
    signature = b";chunk-signature=" + b"0" * 64 if signed else b""
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(p), signature, p) for p in parts)
    return chunks + b"0" + signature + b"\r\n" + trailers + b"\r\n"


def put(
    server: Server, target: str, kind: str, body: bytes, decoded: str | None, *extra: str
) -> Reply:
    """PUT with the headers that announce the coding."""
    headers = [("x-amz-content-sha256", kind), ("Content-Encoding", "aws-chunked")]
    if decoded is not None:
        headers.append(("x-amz-decoded-content-length", decoded))
    headers += [("x-amz-trailer", name) for name in extra]
    return server.ask("PUT", target, headers, body)


def stored(server: Server, target: str) -> bytes | None:
    """The object's body, or None."""
    reply = server.ask("GET", target)
    return reply.body if reply.status == 200 else None


def test_signed_chunks_are_decoded(server: Server, bucket: str) -> None:
    target = f"/{bucket}/k"
    body = framed(PARTS, signed=True)
    assert put(server, target, SIGNED, body, str(len(BODY))).status == 200
    assert stored(server, target) == BODY
    assert server.ask("HEAD", target).header("content-encoding") is None


@pytest.mark.parametrize("kind", [UNSIGNED_TRAILER, SIGNED_TRAILER])
def test_a_trailing_checksum_is_verified(server: Server, bucket: str, kind: str) -> None:
    target = f"/{bucket}/k"
    signed = kind == SIGNED_TRAILER
    name = "x-amz-checksum-crc32"
    for checksum, status in ((crc32(b"other"), 400), (crc32(BODY), 200)):
        trailer = f"{name}:{checksum}\r\n".encode()
        if signed:
            trailer += b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n"
        body = framed(PARTS, signed=signed, trailers=trailer)
        reply = put(server, target, kind, body, str(len(BODY)), name)
        assert (reply.status, reply.code()) == (status, None if status == 200 else "BadDigest")
        assert stored(server, target) == (BODY if status == 200 else None)
        if status == 200:
            assert reply.header(name) == checksum


def test_aws_chunked_inside_http_chunked(server: Server, bucket: str) -> None:
    trailer = f"x-amz-checksum-crc32:{crc32(BODY)}\r\n".encode()
    inner = framed(PARTS, signed=False, trailers=trailer)
    headers = [
        ("x-amz-content-sha256", UNSIGNED_TRAILER),
        ("Content-Encoding", "gzip,aws-chunked"),
        ("x-amz-decoded-content-length", str(len(BODY))),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("Transfer-Encoding", "chunked"),
    ]
    pieces = [inner[n : n + 777] for n in range(0, len(inner), 777)]
    with server.wire() as wire:
        wire.send(request("PUT", f"/{bucket}/k", headers) + chunked(pieces))
        assert wire.answer().status == 200
        reply = wire.ask("GET", f"/{bucket}/k")
    assert (reply.body, reply.header("content-encoding")) == (BODY, "gzip")


@pytest.mark.parametrize("decoded", [len(BODY) - 1, len(BODY) + 1, 0])
def test_the_decoded_length_is_checked(server: Server, bucket: str, decoded: int) -> None:
    body = framed(PARTS, signed=True)
    assert put(server, f"/{bucket}/k", SIGNED, body, str(decoded)).status == 400
    assert stored(server, f"/{bucket}/k") is None


def test_the_decoded_length_is_required(server: Server, bucket: str) -> None:
    reply = put(server, f"/{bucket}/k", SIGNED, framed(PARTS, signed=True), None)
    assert (reply.status, reply.code()) == (411, "MissingContentLength")


@pytest.mark.parametrize(
    "body", [b"", b"zz\r\nab\r\n0\r\n\r\n", b"2\r\nabX\r\n0\r\n\r\n", b"2\r\nab\r\n", b"5\r\nab"]
)
def test_malformed_framing_stores_nothing(server: Server, bucket: str, body: bytes) -> None:
    assert put(server, f"/{bucket}/k", SIGNED, body, "2").status == 400
    assert stored(server, f"/{bucket}/k") is None
    assert server.ask("GET", "/").status == 200


def test_an_unknown_streaming_kind_is_not_silently_stored(server: Server, bucket: str) -> None:
    body = framed(PARTS, signed=True)
    reply = put(server, f"/{bucket}/k", "STREAMING-UNKNOWN-PAYLOAD", body, str(len(BODY)))
    assert reply.status in {400, 501}
    assert stored(server, f"/{bucket}/k") is None
