"""Multipart uploads (profile mpu): begin, parts, complete, abort, and the limits of each.

Parts but the last have at least 5 MiB, so the tests that complete two of them share one body.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable

import pytest

from tests.contract.conftest import Server
from tests.contract.test_aws_chunked import UNSIGNED_TRAILER
from tests.contract.test_objects import in_contract_order
from tests.contract.uploads import (
    PART_BYTES_MIN,
    Upload,
    begin,
    completion,
    etag,
    etag_of_parts,
)
from tests.contract.wire import Reply

pytestmark = pytest.mark.profile("mpu")

BIG = bytes(range(256)) * (PART_BYTES_MIN // 256)
SMALL = b"the last part"
UNKNOWN = "0" * 32


@pytest.fixture
def upload(server: Server, bucket: str) -> Upload:
    """An open upload of /bucket/k."""
    return begin(server, f"/{bucket}/k")


def told(reply: Reply) -> tuple[int, str | None]:
    """Status and S3 code."""
    return reply.status, reply.code()


def test_an_upload_begins_with_an_id_of_32_hex_digits(server: Server, bucket: str) -> None:
    ids = set()
    for _ in range(10):
        reply = server.ask("POST", f"/{bucket}/a%20key?uploads", [], b"")
        assert (reply.status, reply.header("content-type")) == (200, "application/xml")
        root = reply.xml()
        assert root.tag == "InitiateMultipartUploadResult"
        assert (root.findtext("Bucket"), root.findtext("Key")) == (bucket, "a key")
        ids.add(root.findtext("UploadId") or "")
    assert len(ids) == 10
    assert all(re.fullmatch(r"[0-9a-fA-F]{32}", one) for one in ids)
    assert server.ask("POST", f"/{bucket}/k?uploads=", [], b"").status == 200


def test_where_no_upload_begins(server: Server, bucket: str) -> None:
    missing = server.ask("POST", "/no-such-bucket/k?uploads", [], b"")
    assert told(missing) == (404, "NoSuchBucket")
    long = server.ask("POST", f"/{bucket}/{'k' * 1025}?uploads", [], b"")
    assert told(long) == (400, "KeyTooLongError")
    headers = [(f"x-amz-meta-{letter}", "v" * 480) for letter in "abcde"]
    reply = server.ask("POST", f"/{bucket}/k?uploads", headers, b"")
    assert told(reply) == (400, "MetadataTooLarge")


def test_two_parts_become_one_object(server: Server, bucket: str) -> None:
    headers = [("x-amz-meta-colour", "red"), ("Content-Type", "a/b"), ("Cache-Control", "no-store")]
    upload = begin(server, f"/{bucket}/a%20key", headers)
    for number, body in ((7, SMALL), (2, BIG)):  # in any order, with gaps
        reply = upload.put(number, body)
        assert (reply.status, reply.body, reply.header("etag")) == (200, b"", etag(body))
    assert server.ask("HEAD", upload.target).status == 404
    assert server.ask("GET", f"/{bucket}?list-type=2").xml().findtext("KeyCount") == "0"
    reply = upload.complete()
    assert (reply.status, reply.header("content-type")) == (200, "application/xml")
    root, tag = reply.xml(), etag_of_parts([BIG, SMALL])
    assert root.tag == "CompleteMultipartUploadResult"
    assert (root.findtext("Bucket"), root.findtext("Key")) == (bucket, "a key")
    assert root.findtext("ETag") == tag
    assert root.findtext("Location")
    whole = server.ask("GET", upload.target)
    assert whole.body == BIG + SMALL
    assert (whole.header("etag"), whole.header("content-type")) == (tag, "a/b")
    assert (whole.header("x-amz-meta-colour"), whole.header("cache-control")) == ("red", "no-store")
    listed = server.ask("GET", f"/{bucket}?list-type=2").xml()
    assert listed.findtext("Contents/ETag") == tag
    assert listed.findtext("Contents/Size") == str(len(BIG) + len(SMALL))
    border = ("Range", f"bytes={len(BIG) - 3}-{len(BIG) + 2}")
    assert server.ask("GET", upload.target, [border]).body == BIG[-3:] + SMALL[:3]
    assert server.ask("HEAD", upload.target, [("If-Match", tag)]).status == 200
    assert server.ask("HEAD", upload.target, [("If-None-Match", tag)]).status == 304
    assert upload.gone()
    assert told(upload.complete()) == (404, "NoSuchUpload")


def test_answers_have_the_headers_of_the_contract(server: Server, bucket: str) -> None:
    begun = server.ask("POST", f"/{bucket}/k?uploads", [], b"")
    in_contract_order(server, begun, ["Content-Type", "Content-Length"])
    upload = Upload(server, f"/{bucket}/k", begun.xml().findtext("UploadId") or "")
    in_contract_order(server, upload.put(1, b"x"), ["ETag", "Content-Length"])
    in_contract_order(server, upload.parts(), ["Content-Type", "Content-Length"])
    in_contract_order(server, upload.complete(), ["Content-Type", "Content-Length"])
    in_contract_order(server, begin(server, f"/{bucket}/k").abort(), [])


def test_one_small_part_is_enough_and_replaces_the_object(server: Server, upload: Upload) -> None:
    server.put(upload.target, b"old", X_Amz_Meta_A="1")
    upload.put(1, SMALL)
    assert server.ask("GET", upload.target).body == b"old"
    assert upload.complete().status == 200
    reply = server.ask("GET", upload.target)
    assert (reply.body, reply.header("x-amz-meta-a")) == (SMALL, None)
    assert reply.header("etag") == etag_of_parts([SMALL])


def test_an_empty_part_makes_an_empty_object(server: Server, upload: Upload) -> None:
    upload.put(1, b"")
    assert upload.complete().status == 200
    reply = server.ask("GET", upload.target)
    assert (reply.body, reply.header("etag")) == (b"", etag_of_parts([b""]))


def test_the_same_number_again_replaces(server: Server, upload: Upload) -> None:
    old = upload.put(1, b"first try").header("etag") or ""
    upload.put(1, SMALL)
    assert told(upload.complete([(1, old)])) == (400, "InvalidPart")
    assert upload.complete().status == 200
    assert server.ask("GET", upload.target).body == SMALL


def test_parts_that_are_not_named_are_dropped(server: Server, upload: Upload) -> None:
    for number in (1, 2, 3):
        upload.put(number, b"%d" % number)
    assert upload.complete([(2, upload.tags[2])]).status == 200
    assert server.ask("GET", upload.target).body == b"2"
    assert upload.gone()


@pytest.mark.parametrize("number", ["0", "10001", "-1", "one", "", "1.5", "99999999999999999999"])
def test_bad_part_numbers(upload: Upload, number: str) -> None:
    assert told(upload.put(number, SMALL)) == (400, "InvalidArgument")


def test_the_first_and_the_last_part_number(server: Server, upload: Upload) -> None:
    assert upload.put(10000, SMALL).status == 200
    assert upload.put(1, b"x").status == 200
    assert upload.complete([(10000, upload.tags[10000])]).status == 200
    assert server.ask("GET", upload.target).body == SMALL


@pytest.mark.parametrize("upload_id", [UNKNOWN, "short", "", "%00", "z" * 32, "0" * 200])
def test_an_unknown_upload(server: Server, bucket: str, upload_id: str) -> None:
    upload = Upload(server, f"/{bucket}/k", upload_id)
    upload.tags = {1: etag(b"")}
    for reply in (upload.put(1, SMALL), upload.complete(), upload.abort(), upload.parts()):
        assert told(reply) == (404, "NoSuchUpload")


def test_an_upload_belongs_to_its_key_and_bucket(server: Server, upload: Upload) -> None:
    upload.put(1, SMALL)
    for target in (f"{upload.target}2", f"/{server.new_bucket()}/k"):
        other = Upload(server, target, upload.id, upload.tags)
        for reply in (other.put(1, b"x"), other.complete([(1, etag(SMALL))]), other.abort()):
            assert told(reply) == (404, "NoSuchUpload")
    assert upload.complete([(1, etag(SMALL))]).status == 200


def test_a_missing_bucket_is_named(server: Server) -> None:
    upload = Upload(server, "/no-such-bucket/k", UNKNOWN)
    for reply in (upload.put(1, SMALL), upload.abort(), upload.parts()):
        assert reply.status == 404
        assert reply.code() in {"NoSuchBucket", "NoSuchUpload"}


MD5 = base64.b64encode(hashlib.md5(SMALL).digest()).decode()
CRC32 = base64.b64encode(zlib.crc32(SMALL).to_bytes(4, "big")).decode()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Content-MD5", MD5, (200, None)),
        ("Content-MD5", base64.b64encode(b"0" * 16).decode(), (400, "BadDigest")),
        ("Content-MD5", "short", (400, "InvalidDigest")),
        ("x-amz-checksum-crc32", CRC32, (200, None)),
        ("x-amz-checksum-crc32", "AAAAAA==", (400, "BadDigest")),
    ],
)
def test_a_part_is_checked_like_a_put(
    upload: Upload, name: str, value: str, expected: tuple[int, str | None]
) -> None:
    reply = upload.put(1, SMALL, [(name, value)])
    assert told(reply) == expected
    assert len(upload.parts().xml().findall("Part")) == (expected[0] == 200)
    if name.startswith("x-amz-checksum") and reply.status == 200:
        assert reply.header(name) == value


def test_a_part_needs_a_length(upload: Upload) -> None:
    assert told(upload.put(1, None)) == (411, "MissingContentLength")


def test_a_part_in_aws_chunked_coding(server: Server, upload: Upload) -> None:
    body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(SMALL), SMALL, CRC32.encode())
    headers = [
        ("x-amz-content-sha256", UNSIGNED_TRAILER),
        ("Content-Encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", str(len(SMALL))),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ]
    assert upload.put(1, body, headers).header("etag") == etag(SMALL)
    assert upload.complete().status == 200
    assert server.ask("GET", upload.target).body == SMALL


def test_a_part_but_the_last_under_5_mib_is_too_small(server: Server, upload: Upload) -> None:
    upload.put(1, BIG[:-1])
    upload.put(2, SMALL)
    assert told(upload.complete()) == (400, "EntityTooSmall")
    assert server.ask("HEAD", upload.target).status == 404
    assert upload.complete([(2, upload.tags[2])]).status == 200  # the upload had stayed open


def test_unknown_parts_and_other_tags(server: Server, upload: Upload) -> None:
    upload.put(1, SMALL)
    tag = upload.tags[1]
    for parts in ([(2, tag)], [(1, tag), (2, tag)], [(1, etag(b"other"))], [(1, '"short"')]):
        assert told(upload.complete(parts)) == (400, "InvalidPart"), parts
    assert server.ask("HEAD", upload.target).status == 404
    assert upload.complete().status == 200


def test_parts_must_rise(upload: Upload) -> None:
    for number in (1, 2):
        upload.put(number, SMALL)
    tag = etag(SMALL)
    for parts in ([(2, tag), (1, tag)], [(1, tag), (1, tag)]):
        assert told(upload.complete(parts)) == (400, "InvalidPartOrder"), parts


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        completion([]),
        completion([(1, "x")])[:-1],
        b"<Other><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></Other>",
        completion([(1, "x")]).replace(b"<PartNumber>1</PartNumber>", b""),
        completion([(1, "x")]).replace(b"<ETag>x</ETag>", b""),
        completion([(1, "x")] * 10001),
    ],
    ids=["empty", "text", "no part", "cut", "root", "no number", "no tag", "10001 parts"],
)
def test_malformed_completions(upload: Upload, body: bytes) -> None:
    upload.put(1, SMALL)
    assert told(upload.complete(body)) == (400, "MalformedXML")
    assert upload.complete().status == 200


@pytest.mark.parametrize("quote", ['"', "&quot;", "&#34;", ""])
def test_completions_as_clients_write_them(server: Server, upload: Upload, quote: str) -> None:
    upload.put(1, SMALL)
    tag = quote + etag(SMALL).strip('"') + quote
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUpload xmlns='
        '"http://s3.amazonaws.com/doc/2006-03-01/">\n <Part>\n  <ChecksumCRC32>AAAAAA=='
        f"</ChecksumCRC32><ETag>{tag}</ETag>\n  <PartNumber>1</PartNumber>\n </Part>\n"
        "</CompleteMultipartUpload>\n"
    )
    assert upload.complete(body.encode()).status == 200
    assert server.ask("GET", upload.target).body == SMALL


def test_abort_ends_an_upload(server: Server, upload: Upload) -> None:
    upload.put(1, SMALL)
    reply = upload.abort()
    assert (reply.status, reply.header("content-length")) == (204, None)
    assert upload.gone()
    for reply in (upload.abort(), upload.put(1, SMALL), upload.complete([(1, etag(SMALL))])):
        assert told(reply) == (404, "NoSuchUpload")
    assert server.ask("HEAD", upload.target).status == 404


def test_deleting_the_object_leaves_the_upload(server: Server, upload: Upload) -> None:
    server.put(upload.target)
    upload.put(1, SMALL)
    assert server.ask("DELETE", upload.target).status == 204
    assert upload.complete().status == 200
    assert server.ask("GET", upload.target).body == SMALL


def test_a_bucket_ends_with_its_uploads(server: Server, upload: Upload) -> None:
    upload.put(1, SMALL)
    bucket = upload.target.split("/")[1]
    assert server.ask("DELETE", f"/{bucket}").status == 204
    assert server.ask("PUT", f"/{bucket}", [], b"").status == 200
    assert upload.gone()
    assert server.ask("GET", f"/{bucket}?uploads").xml().find("Upload") is None


def test_the_object_limit_holds_for_parts_and_for_their_sum(
    start_server: Callable[..., Server],
) -> None:
    server = start_server("--object-bytes-max", str(6 << 20))
    upload = begin(server, f"/{server.new_bucket()}/k")
    upload.put(1, BIG)
    assert told(upload.put(2, BIG + BIG[: 1 << 20] + b"x")) == (400, "EntityTooLarge")
    upload.put(2, BIG[: (1 << 20) + 1])
    assert told(upload.complete()) == (400, "EntityTooLarge")
    upload.put(2, BIG[: 1 << 20])
    assert upload.complete().status == 200
    assert server.ask("HEAD", upload.target).header("content-length") == str(6 << 20)


def test_parts_count_as_stored_bytes_until_the_abort(start_server: Callable[..., Server]) -> None:
    server = start_server("--store-bytes-max", str(8 << 20))
    bucket = server.new_bucket()
    for _ in range(3):  # what is not given back is missed in the next round
        upload = begin(server, f"/{bucket}/k")
        number = 1
        while (reply := upload.put(number, BIG[: 1 << 20])).status == 200:
            number += 1
            assert number <= 9
        assert told(reply) == (503, "SlowDown")
        assert number >= 7  # what a pool rounds up is its own affair, within reason
        assert server.ask("PUT", f"/{bucket}/other", [], BIG[: 1 << 20]).status == 503
        assert upload.abort().status == 204
    server.put(f"/{bucket}/other", BIG)


@pytest.mark.parametrize("way", ["replace", "complete", "bucket"])
def test_room_of_parts_is_given_back(start_server: Callable[..., Server], way: str) -> None:
    server = start_server("--store-bytes-max", str(8 << 20))
    bucket = server.new_bucket()
    for round_number in range(6):
        upload = begin(server, f"/{bucket}/k")
        if way == "replace":
            for _ in range(3):
                assert upload.put(1, BIG[: 2 << 20]).status == 200, round_number
            assert upload.abort().status == 204
        elif way == "complete":
            for number in (1, 2):
                assert upload.put(number, BIG[: 2 << 20]).status == 200, round_number
            assert upload.complete([(2, upload.tags[2])]).status == 200
        else:
            assert upload.put(1, BIG).status == 200, round_number
            assert server.ask("DELETE", f"/{bucket}").status == 204
            server.put(f"/{bucket}", b"")


def test_a_thousand_open_uploads_and_no_more(start_server: Callable[..., Server]) -> None:
    server = start_server()
    bucket = server.new_bucket()
    with server.wire() as wire:
        for number in range(1000):
            reply = wire.ask("POST", f"/{bucket}/{number}?uploads", [], b"")
            assert reply.status == 200, number
        last = Upload(server, f"/{bucket}/999", reply.xml().findtext("UploadId") or "")
        assert told(wire.ask("POST", f"/{bucket}/k?uploads", [], b"")) == (503, "SlowDown")
    assert last.abort().status == 204
    begin(server, f"/{bucket}/k")
    listed = server.ask("GET", f"/{bucket}?uploads").xml()
    assert (len(listed.findall("Upload")), listed.findtext("IsTruncated")) == (1000, "false")
