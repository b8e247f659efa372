"""Signed chunks and signed trailers (profile verify): what passes, and every way to tamper."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest

from tests.contract.conftest import Fleet
from tests.contract.servers import Backend
from tests.contract.signing import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    UNSIGNED_TRAILER,
    VERIFYING,
    Client,
    Headers,
    Seal,
)
from tests.contract.wire import Reply, Wire, chunked, request

pytestmark = pytest.mark.profile("verify")

PARTS = [b"a" * 9000, b"second", b"third part"]
BODY = b"".join(PARTS)
CRC32 = base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
MISMATCH = (403, "SignatureDoesNotMatch")
GOOD = (200, None)


@pytest.fixture
def client(backend: Backend, fleet: Fleet) -> Client:
    """The first key's client of the shared server that verifies."""
    return Client(fleet.server(backend, *VERIFYING).port)


@pytest.fixture
def target(client: Client, request: pytest.FixtureRequest) -> str:
    """A key in a bucket of the test's own."""
    name = f"chunk-{hashlib.sha256(request.node.name.encode()).hexdigest()[:32]}"
    assert client.ask("PUT", f"/{name}", [], b"").status == 200
    return f"/{name}/key"


def sealed(
    client: Client, target: str, kind: str = SIGNED_CHUNKS, *extra: tuple[str, str]
) -> tuple[list[tuple[str, str]], Seal]:
    """Signed headers of a streaming PUT, and the seal that its chunks continue."""
    headers = [
        ("x-amz-content-sha256", kind),
        ("Content-Encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", str(len(BODY))),
        *extra,
    ]
    return client.signer.sign("PUT", target, headers)


def judged(
    client: Client, target: str, headers: Headers, framed: bytes, expected: tuple[int, str | None]
) -> Reply:
    """Send it; the answer must be the expected one, and stored is what was accepted, or nothing."""
    reply = client.send("PUT", target, headers, framed)
    assert (reply.status, reply.code()) == expected
    stored = client.ask("GET", target)
    assert (stored.status, stored.body if stored.status == 200 else None) == (
        (200, BODY) if expected == GOOD else (404, None)
    )
    return reply


@pytest.mark.parametrize(
    "parts", [PARTS, [BODY], [BODY[n : n + 1000] for n in range(0, len(BODY), 1000)]]
)
def test_signed_chunks_are_stored(client: Client, target: str, parts: list[bytes]) -> None:
    headers, seal = sealed(client, target)
    judged(client, target, headers, seal.framed(parts), GOOD)


def test_an_empty_body_in_signed_chunks(client: Client, target: str) -> None:
    headers = [("x-amz-content-sha256", SIGNED_CHUNKS), ("x-amz-decoded-content-length", "0")]
    headers, seal = client.signer.sign("PUT", target, headers)
    assert client.send("PUT", target, headers, seal.framed([])).status == 200
    assert client.ask("GET", target).body == b""


def test_signed_chunks_within_http_chunks_that_cut_anywhere(client: Client, target: str) -> None:
    headers, seal = sealed(client, target, SIGNED_CHUNKS, ("Transfer-Encoding", "chunked"))
    framed = seal.framed(PARTS)
    pieces = [framed[n : n + 61] for n in range(0, len(framed), 61)]
    with Wire(client.port) as wire:
        wire.send(request("PUT", target, headers) + chunked(pieces))
        assert wire.answer().status == 200
    assert client.ask("GET", target).body == BODY


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_chunk_signature_with_one_digit_changed(client: Client, target: str, number: int) -> None:
    headers, seal = sealed(client, target)
    pieces = seal.framed(PARTS).split(b";chunk-signature=")
    digit = b"0" if pieces[number + 1][:1] != b"0" else b"1"
    pieces[number + 1] = digit + pieces[number + 1][1:]
    judged(client, target, headers, b";chunk-signature=".join(pieces), MISMATCH)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_chunk_without_a_signature(client: Client, target: str, number: int) -> None:
    headers, seal = sealed(client, target)
    pieces = seal.framed(PARTS).split(b";chunk-signature=")
    joined = pieces[0]
    for index, piece in enumerate(pieces[1:]):
        joined += piece[64:] if index == number else b";chunk-signature=" + piece
    judged(client, target, headers, joined, MISMATCH)


@pytest.mark.parametrize("place", [b"aaa", b"second", b"third"])
def test_tampered_data_of_a_chunk(client: Client, target: str, place: bytes) -> None:
    headers, seal = sealed(client, target)
    framed = seal.framed(PARTS)
    start = framed.rindex(place)
    judged(client, target, headers, framed[:start] + b"X" + framed[start + 1 :], MISMATCH)


def by_hand(pairs: list[tuple[bytes, str]]) -> bytes:
    """Chunks with the signatures that are given, the empty last one among them."""
    framed = b""
    for data, signature in pairs:
        framed += b"%x;chunk-signature=%s\r\n" % (len(data), signature.encode())
        framed += data + b"\r\n"
    return framed


def test_chunks_in_another_order(client: Client, target: str) -> None:
    headers, seal = sealed(client, target)
    first, second = BODY[:4000], BODY[4000:]
    one = seal.chunk(seal.signature, first)
    two = seal.chunk(one, second)
    end = seal.chunk(two, b"")
    swapped = by_hand([(second, two), (first, one), (b"", end)])
    judged(client, target, headers, swapped, MISMATCH)


def test_chunks_that_continue_another_request(client: Client, target: str) -> None:
    """A body recorded elsewhere: every signature is genuine, the seed is not this request's."""
    headers, _ = sealed(client, target)
    _, other = sealed(client, f"{target}2")
    judged(client, target, headers, other.framed(PARTS), MISMATCH)


def trailer_kind(client: Client, target: str, kind: str) -> tuple[Headers, Seal]:
    """Headers and seal of a PUT whose trailer is a CRC-32."""
    return sealed(client, target, kind, ("x-amz-trailer", "x-amz-checksum-crc32"))


def test_a_signed_trailer_is_verified_and_echoed(client: Client, target: str) -> None:
    headers, seal = trailer_kind(client, target, SIGNED_CHUNKS_TRAILER)
    framed = seal.framed(PARTS, [("x-amz-checksum-crc32", CRC32)])
    reply = judged(client, target, headers, framed, GOOD)
    assert reply.header("x-amz-checksum-crc32") == CRC32


def test_a_trailer_signature_with_one_digit_changed(client: Client, target: str) -> None:
    headers, seal = trailer_kind(client, target, SIGNED_CHUNKS_TRAILER)
    framed = seal.framed(PARTS, [("x-amz-checksum-crc32", CRC32)])
    place = framed.index(b"x-amz-trailer-signature:") + 24
    digit = b"0" if framed[place : place + 1] != b"0" else b"1"
    judged(client, target, headers, framed[:place] + digit + framed[place + 1 :], MISMATCH)


def test_a_missing_trailer_signature(client: Client, target: str) -> None:
    headers, seal = trailer_kind(client, target, SIGNED_CHUNKS_TRAILER)
    framed = seal.framed(PARTS, [("x-amz-checksum-crc32", CRC32)])
    bare = framed[: framed.index(b"x-amz-trailer-signature:")] + b"\r\n"
    judged(client, target, headers, bare, MISMATCH)


def test_a_signed_trailer_with_another_checksum(client: Client, target: str) -> None:
    headers, seal = trailer_kind(client, target, SIGNED_CHUNKS_TRAILER)
    framed = seal.framed(PARTS, [("x-amz-checksum-crc32", "AAAAAA==")])
    judged(client, target, headers, framed, (400, "BadDigest"))


def test_signed_chunks_are_verified_before_the_trailer(client: Client, target: str) -> None:
    headers, seal = trailer_kind(client, target, SIGNED_CHUNKS_TRAILER)
    framed = seal.framed(PARTS, [("x-amz-checksum-crc32", CRC32)])
    place = framed.index(b"second")
    judged(client, target, headers, framed[:place] + b"X" + framed[place + 1 :], MISMATCH)


def test_unsigned_chunks_with_a_trailer_pass_by_their_checksum(client: Client, target: str) -> None:
    headers, _ = trailer_kind(client, target, UNSIGNED_TRAILER)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in PARTS)
    for checksum, expected in (("AAAAAA==", (400, "BadDigest")), (CRC32, GOOD)):
        trailer = f"0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n".encode()
        judged(client, target, headers, chunks + trailer, expected)


def test_unsigned_chunks_still_need_a_signed_request(client: Client, target: str) -> None:
    headers, _ = trailer_kind(client, f"{target}2", UNSIGNED_TRAILER)
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    judged(client, target, headers, framed, MISMATCH)
