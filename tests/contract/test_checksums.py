"""CRC-32C and CRC-64/NVME beside CRC-32 (profile checksums): verified, kept, told when asked."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

import pytest

from tests.contract.conftest import Server
from tests.contract.test_aws_chunked import SIGNED_TRAILER, UNSIGNED_TRAILER, framed, put
from tests.contract.test_objects import in_contract_order
from tests.contract.wire import Reply

pytestmark = pytest.mark.profile("checksums")

BODY = b"a body of some length, not a multiple of eight" * 7
TOLD = [("x-amz-checksum-mode", "ENABLED")]


def reflected(polynomial: int) -> Callable[[bytes], int]:
    """A table-driven CRC with all bits set before and inverted after, reflected."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    ones = (1 << polynomial.bit_length()) - 1

    def crc(data: bytes) -> int:
        value = ones
        for byte in data:
            value = table[(value ^ byte) & 255] ^ value >> 8
        return value ^ ones

    return crc


crc32c = reflected(0x82F63B78)
crc64nvme = reflected(0x9A6C9329AC4BC9B5)
ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: crc32c(data).to_bytes(4, "big"),
    "crc64nvme": lambda data: crc64nvme(data).to_bytes(8, "big"),
}
names = pytest.mark.parametrize("name", ALGORITHMS)


def header(name: str) -> str:
    """The checksum's header."""
    return f"x-amz-checksum-{name}"


def checksum(name: str, body: bytes = BODY) -> str:
    """The checksum as its header writes it."""
    return base64.b64encode(ALGORITHMS[name](body)).decode()


def told(reply: Reply) -> tuple[int, str | None]:
    """Status and S3 code."""
    return reply.status, reply.code()


def test_the_tests_own_algorithms_have_their_check_values() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc64nvme(b"123456789") == 0xAE8B14860A799888


@names
@pytest.mark.parametrize("body", [BODY, b"", b"x", BODY * 4000], ids=["some", "none", "1", "much"])
def test_a_right_checksum_is_echoed_and_kept(
    server: Server, bucket: str, name: str, body: bytes
) -> None:
    value = checksum(name, body)
    reply = server.ask("PUT", f"/{bucket}/k", [(header(name), value)], body)
    assert (reply.status, reply.header(header(name))) == (200, value)
    assert header(name) in reply.names() or server.backend.chooses("header_case")
    for method in ("GET", "HEAD"):
        assert server.ask(method, f"/{bucket}/k", TOLD).header(header(name)) == value


@names
def test_a_wrong_checksum_stores_nothing(server: Server, bucket: str, name: str) -> None:
    sent = [(header(name), checksum(name, b"other"))]
    assert told(server.ask("PUT", f"/{bucket}/k", sent, BODY)) == (400, "BadDigest")
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


@pytest.mark.parametrize("name", ["crc32c", "crc64nvme"])
@pytest.mark.parametrize("kind", ["short", "long", "not base64", "empty", "no padding"])
def test_what_is_no_checksum_is_an_invalid_request(
    server: Server, bucket: str, name: str, kind: str
) -> None:
    raw = ALGORITHMS[name](BODY)
    value = {
        "short": base64.b64encode(raw[:-1]).decode(),
        "long": base64.b64encode(raw + b"x").decode(),
        "not base64": "*" + checksum(name)[1:],
        "empty": "",
        "no padding": checksum(name).rstrip("="),
    }[kind]
    reply = server.ask("PUT", f"/{bucket}/k", [(header(name), value)], BODY)
    assert told(reply) == (400, "InvalidRequest")
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


@names
@pytest.mark.parametrize("kind", [UNSIGNED_TRAILER, SIGNED_TRAILER])
def test_a_trailing_checksum(server: Server, bucket: str, name: str, kind: str) -> None:
    target, signed = f"/{bucket}/k", kind == SIGNED_TRAILER
    for value, expected in (
        (checksum(name, b"other"), (400, "BadDigest")),
        (checksum(name), (200, None)),
    ):
        trailer = f"{header(name)}:{value}\r\n".encode()
        if signed:
            trailer += b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n"
        body = framed([BODY[:100], BODY[100:]], signed=signed, trailers=trailer)
        reply = put(server, target, kind, body, str(len(BODY)), header(name))
        assert told(reply) == expected
        assert server.ask("HEAD", target).status == (200 if expected[0] == 200 else 404)
    assert reply.header(header(name)) == checksum(name)
    assert server.ask("GET", target, TOLD).header(header(name)) == checksum(name)


@names
def test_it_is_told_only_of_the_whole_object_and_when_asked(
    server: Server, bucket: str, name: str
) -> None:
    target = f"/{bucket}/k"
    assert server.ask("PUT", target, [(header(name), checksum(name))], BODY).status == 200
    for method in ("GET", "HEAD"):
        assert server.ask(method, target).header(header(name)) is None
        part = server.ask(method, target, [*TOLD, ("Range", "bytes=0-9")])
        assert (part.status, part.header(header(name))) == (206, None)
    assert server.ask("GET", target, TOLD).body == BODY


@names
def test_it_stands_before_the_metadata(server: Server, bucket: str, name: str) -> None:
    sent = [(header(name), checksum(name)), ("x-amz-meta-a", "1"), ("Cache-Control", "no-cache")]
    server.ask("PUT", f"/{bucket}/k", sent, BODY)
    reply = server.ask("GET", f"/{bucket}/k", TOLD)
    own = ["ETag", "Last-Modified", "Accept-Ranges", "Content-Type", "Cache-Control"]
    in_contract_order(server, reply, [*own, header(name), "x-amz-meta-a", "Content-Length"])


def test_an_overwrite_forgets_it(server: Server, bucket: str) -> None:
    target = f"/{bucket}/k"
    server.ask("PUT", target, [(header("crc32c"), checksum("crc32c"))], BODY)
    server.ask("PUT", target, [(header("crc64nvme"), checksum("crc64nvme"))], BODY)
    reply = server.ask("HEAD", target, TOLD)
    assert reply.header(header("crc32c")) is None
    assert reply.header(header("crc64nvme")) == checksum("crc64nvme")
    server.put(target, BODY)
    assert server.ask("HEAD", target, TOLD).header(header("crc64nvme")) is None


@pytest.mark.profile("mpu")
@names
def test_a_part_is_checked_like_a_put(server: Server, bucket: str, name: str) -> None:
    begun = server.ask("POST", f"/{bucket}/k?uploads", [], b"").xml().findtext("UploadId")
    target = f"/{bucket}/k?partNumber=1&uploadId={begun}"
    bad = server.ask("PUT", target, [(header(name), checksum(name, b"other"))], BODY)
    assert told(bad) == (400, "BadDigest")
    good = server.ask("PUT", target, [(header(name), checksum(name))], BODY)
    assert (good.status, good.header(header(name))) == (200, checksum(name))


@pytest.mark.profile("mpu")
def test_a_copy_keeps_it(server: Server, bucket: str) -> None:
    server.ask("PUT", f"/{bucket}/k", [(header("crc32c"), checksum("crc32c"))], BODY)
    copy = server.ask("PUT", f"/{bucket}/copy", [("x-amz-copy-source", f"/{bucket}/k")], b"")
    assert copy.status == 200
    reply = server.ask("HEAD", f"/{bucket}/copy", TOLD)
    assert reply.header(header("crc32c")) == checksum("crc32c")
