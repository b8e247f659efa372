"""Objects over raw sockets: headers on the wire, ranges, conditions, digests, limits of names."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pytest

from tests.contract.conftest import Server
from tests.contract.wire import Reply

BODY = bytes(range(256)) * 4
IMF_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


def etag(body: bytes) -> str:
    """The entity tag that the contract wants."""
    return f'"{hashlib.md5(body).hexdigest()}"'


def crc32(body: bytes) -> str:
    """The checksum as `x-amz-checksum-crc32` writes it."""
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def in_contract_order(server: Server, reply: Reply, own: list[str]) -> None:
    """Names and case as written; their order too, where the manifest does not choose another."""
    names = [n for n in reply.names() if n.lower() != "connection"]
    wanted = ["Date", "Server", "x-amz-request-id", *own]
    if server.backend.chooses("header_case"):
        names, wanted = [n.lower() for n in names], [n.lower() for n in wanted]
    if server.backend.chooses("header_order"):
        names, wanted = sorted(names), sorted(wanted)
    assert names == wanted


def test_get_answers_with_the_headers_of_the_contract_in_its_order(
    server: Server, bucket: str
) -> None:
    server.put(f"/{bucket}/k", BODY, Cache_Control="no-cache", X_Amz_Meta_Colour="Dark Red")
    reply = server.ask("GET", f"/{bucket}/k")
    assert (reply.status, reply.body) == (200, BODY)
    assert reply.header("etag") == etag(BODY)
    assert reply.header("server") == "pausemark"
    assert reply.header("accept-ranges") == "bytes"
    assert reply.header("content-type") == "binary/octet-stream"
    assert reply.header("x-amz-meta-colour") == "Dark Red"
    assert IMF_DATE.fullmatch(reply.header("date") or "")
    modified = reply.header("last-modified") or ""
    assert IMF_DATE.fullmatch(modified)
    assert (
        abs(
            (
                parsedate_to_datetime(reply.header("date") or "") - parsedate_to_datetime(modified)
            ).total_seconds()
        )
        < 60
    )
    kept = ["Cache-Control", "x-amz-meta-colour"]
    own = ["ETag", "Last-Modified", "Accept-Ranges", "Content-Type", *kept, "Content-Length"]
    in_contract_order(server, reply, own)


def test_put_answers_etag_and_an_empty_body(server: Server, bucket: str) -> None:
    reply = server.put(f"/{bucket}/k", BODY)
    assert reply.header("etag") == etag(BODY)
    in_contract_order(server, reply, ["ETag", "Content-Length"])
    assert reply.header("content-length") == "0"


def test_the_empty_object_and_a_megabyte_come_back(server: Server, bucket: str) -> None:
    for size in (0, 1, 1 << 20, (5 << 20) + 1):
        body = (BODY * (size // len(BODY) + 1))[:size]
        assert server.put(f"/{bucket}/{size}", body).header("etag") == etag(body)
        assert server.ask("GET", f"/{bucket}/{size}").body == body


def test_request_ids_are_unique_and_an_error_repeats_its_own(server: Server, bucket: str) -> None:
    replies = [server.ask("GET", f"/{bucket}/missing") for _ in range(20)]
    ids = [r.header("x-amz-request-id") or "" for r in replies]
    assert len(set(ids)) == 20
    for reply, request_id in zip(replies, ids, strict=True):
        assert re.fullmatch(r"[0-9A-F]{16}", request_id)
        assert reply.status == 404
        assert reply.header("content-type") == "application/xml"
        assert reply.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>')
        error = reply.xml()
        assert [child.tag for child in error] == ["Code", "Message", "Resource", "RequestId"]
        assert error.findtext("Code") == "NoSuchKey"
        assert error.findtext("Resource") == f"/{bucket}/missing"
        assert error.findtext("RequestId") == request_id
        in_contract_order(server, reply, ["Content-Type", "Content-Length"])


def test_head_has_the_headers_of_get_and_no_body(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", BODY, Content_Type="text/plain", X_Amz_Meta_A="1")
    with server.wire() as wire:
        for target, headers in (
            (f"/{bucket}/k", []),
            (f"/{bucket}/k", [("Range", "bytes=3-9")]),
            (f"/{bucket}/missing", []),
            ("/no-such-bucket/k", []),
        ):
            head = wire.ask("HEAD", target, headers)
            get = wire.ask("GET", target, headers)
            assert head.status == get.status
            changing = {"date", "x-amz-request-id"}
            assert [h for h in head.headers if h[0].lower() not in changing] == [
                h for h in get.headers if h[0].lower() not in changing
            ]


def test_kept_headers_come_back_and_aws_chunked_does_not(server: Server, bucket: str) -> None:
    for sent, kept in (
        ("gzip", "gzip"),
        ("deflate, gzip", "deflate, gzip"),
        ("aws-chunked,gzip", "gzip"),
        ("gzip, AWS-chunked", "gzip"),
        ("aws-chunked", None),
        ("aws-chunked, aws-chunked", None),
    ):
        server.put(f"/{bucket}/k", BODY, Content_Encoding=sent, Content_Type="a/b; c=d")
        reply = server.ask("GET", f"/{bucket}/k")
        assert reply.header("content-encoding") == kept
        assert reply.header("content-type") == "a/b; c=d"


def test_every_kept_header_comes_back_in_order(server: Server, bucket: str) -> None:
    kept = {
        "Content-Type": "text/plain",
        "Cache-Control": "no-cache",
        "Content-Disposition": 'attachment; filename="a b"',
        "Content-Encoding": "gzip",
        "Content-Language": "en, fr",
        "Expires": "not a date, kept as it came",
        "x-amz-meta-a": "1",
    }
    sent = list(reversed(kept.items()))
    assert server.ask("PUT", f"/{bucket}/k", sent, BODY).status == 200
    for method in ("GET", "HEAD"):
        reply = server.ask(method, f"/{bucket}/k")
        assert {name: reply.header(name) for name in kept} == kept
        own = ["ETag", "Last-Modified", "Accept-Ranges", *kept, "Content-Length"]
        in_contract_order(server, reply, own)


OVERRIDES = {
    "response-content-type": ("Content-Type", "text/html; charset=utf-8"),
    "response-cache-control": ("Cache-Control", "no-store"),
    "response-content-disposition": ("Content-Disposition", 'inline; filename="é"'),
    "response-content-encoding": ("Content-Encoding", "identity"),
    "response-content-language": ("Content-Language", "eo"),
    "response-expires": ("Expires", "Thu, 01 Jan 2026 00:00:00 GMT"),
}


def test_the_query_overrides_kept_headers(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", BODY, Cache_Control="no-cache", X_Amz_Meta_A="1")
    query = "&".join(f"{name}={quote(value)}" for name, (_, value) in OVERRIDES.items())
    for method, headers, status in (
        ("GET", [], 200),
        ("HEAD", [], 200),
        ("GET", [("Range", "bytes=0-9")], 206),
    ):
        reply = server.ask(method, f"/{bucket}/k?{query}", headers)
        assert reply.status == status
        for name, value in OVERRIDES.values():
            wire_value = (reply.header(name) or "").encode("latin-1").decode()
            assert wire_value == value
            assert [n.lower() for n in reply.names()].count(name.lower()) == 1
        assert reply.header("x-amz-meta-a") == "1"
    plain = server.ask("GET", f"/{bucket}/k?response-cache-control=")
    assert plain.header("cache-control") == "no-cache"


@pytest.mark.parametrize("value", ["a%0D%0AX-Evil:%201", "%00", "a%7F", "%09"])
@pytest.mark.parametrize("name", list(OVERRIDES))
def test_an_override_cannot_break_out_of_its_header(
    server: Server, bucket: str, name: str, value: str
) -> None:
    server.put(f"/{bucket}/k", BODY)
    reply = server.ask("GET", f"/{bucket}/k?{name}={value}")
    assert (reply.status, reply.code()) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "name",
    [
        "x-amz-tagging",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-legal-hold",
    ],
)
def test_headers_of_features_that_are_not_here_are_refused(
    server: Server, bucket: str, name: str
) -> None:
    reply = server.ask("PUT", f"/{bucket}/k", [(name, "a=b")], BODY)
    assert (reply.status, reply.code()) == (501, "NotImplemented")
    assert server.ask("GET", f"/{bucket}/k").status == 404


def test_an_overwrite_replaces_body_and_headers(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", b"old", X_Amz_Meta_A="1")
    server.put(f"/{bucket}/k", b"newer")
    reply = server.ask("GET", f"/{bucket}/k")
    assert (reply.body, reply.header("x-amz-meta-a")) == (b"newer", None)


@pytest.mark.parametrize(
    ("range_text", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=5-9", 206, 5, 9),
        ("bytes=1000-", 206, 1000, 1023),
        ("bytes=1000-99999", 206, 1000, 1023),
        ("bytes=-24", 206, 1000, 1023),
        ("bytes=-99999", 206, 0, 1023),
        ("bytes=1024-", 416, 0, 0),
        ("bytes=5000-6000", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=9-5", 200, 0, 1023),
        ("bytes=a-b", 200, 0, 1023),
        ("octets=0-5", 200, 0, 1023),
        ("bytes=", 200, 0, 1023),
        ("bytes=-", 200, 0, 1023),
        ("bytes=99999999999999999999999-", 200, 0, 1023),  # beyond 64 bits: malformed
    ],
)
def test_ranges(
    server: Server, bucket: str, range_text: str, status: int, first: int, last: int
) -> None:
    server.put(f"/{bucket}/k", BODY)
    reply = server.ask("GET", f"/{bucket}/k", [("Range", range_text)])
    assert reply.status == status
    if status == 416:
        assert reply.code() == "InvalidRange"
        return
    assert reply.body == BODY[first : last + 1]
    wanted = f"bytes {first}-{last}/1024" if status == 206 else None
    assert reply.header("content-range") == wanted


def test_a_range_of_the_empty_object_is_not_satisfiable(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", b"")
    assert server.ask("GET", f"/{bucket}/k", [("Range", "bytes=0-")]).status == 416


OLD, FUTURE = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
TAG, OTHER = etag(BODY), '"00000000000000000000000000000000"'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("If-Match", TAG)], 200),
        ([("If-Match", TAG.strip('"'))], 200),
        ([("If-Match", "*")], 200),
        ([("If-Match", f"{OTHER}, {TAG}")], 200),
        ([("If-Match", OTHER)], 412),
        ([("If-None-Match", OTHER)], 200),
        ([("If-None-Match", TAG)], 304),
        ([("If-None-Match", "*")], 304),
        ([("If-None-Match", f"{OTHER}, {TAG}")], 304),
        ([("If-Modified-Since", OLD)], 200),
        ([("If-Modified-Since", FUTURE)], 304),
        ([("If-Modified-Since", "not a date")], 200),
        ([("If-Unmodified-Since", OLD)], 412),
        ([("If-Unmodified-Since", FUTURE)], 200),
        ([("If-Match", TAG), ("If-Unmodified-Since", OLD)], 200),
        ([("If-None-Match", OTHER), ("If-Modified-Since", FUTURE)], 200),
        ([("If-Match", OTHER), ("If-None-Match", TAG)], 412),
    ],
)
def test_conditions(
    server: Server, bucket: str, headers: list[tuple[str, str]], status: int
) -> None:
    server.put(f"/{bucket}/k", BODY)
    for method in ("GET", "HEAD"):
        reply = server.ask(method, f"/{bucket}/k", headers)
        assert reply.status == status
        if status == 304:
            assert reply.header("content-length") is None
            assert reply.header("etag") == TAG
        if status == 412 and method == "GET":
            assert reply.code() == "PreconditionFailed"


def test_if_modified_since_with_the_objects_own_date_is_304(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", BODY)
    modified = server.ask("HEAD", f"/{bucket}/k").header("last-modified") or ""
    reply = server.ask("GET", f"/{bucket}/k", [("If-Modified-Since", modified)])
    assert reply.status == 304


def test_put_if_none_match_star_refuses_to_overwrite(server: Server, bucket: str) -> None:
    condition = [("If-None-Match", "*")]
    assert server.ask("PUT", f"/{bucket}/k", condition, b"first").status == 200
    reply = server.ask("PUT", f"/{bucket}/k", condition, b"second")
    assert (reply.status, reply.code()) == (412, "PreconditionFailed")
    assert server.ask("GET", f"/{bucket}/k").body == b"first"


@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("Content-MD5", base64.b64encode(hashlib.md5(BODY).digest()).decode(), 200, None),
        ("Content-MD5", base64.b64encode(hashlib.md5(b"x").digest()).decode(), 400, "BadDigest"),
        ("Content-MD5", "short", 400, "InvalidDigest"),
        ("Content-MD5", base64.b64encode(b"15 bytes only..").decode(), 400, "InvalidDigest"),
        ("x-amz-checksum-crc32", crc32(BODY), 200, None),
        ("x-amz-checksum-crc32", crc32(b"x"), 400, "BadDigest"),
        ("x-amz-content-sha256", hashlib.sha256(BODY).hexdigest(), 200, None),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD", 200, None),
    ],
)
def test_digests_of_a_put(
    server: Server, bucket: str, name: str, value: str, status: int, code: str | None
) -> None:
    reply = server.ask("PUT", f"/{bucket}/k", [(name, value)], BODY)
    assert (reply.status, reply.code()) == (status, code)
    assert server.ask("HEAD", f"/{bucket}/k").status == (200 if status == 200 else 404)
    if name == "x-amz-checksum-crc32" and status == 200:
        assert reply.header(name) == value
        assert name in reply.names()


def test_delete_is_204_without_a_length_whether_or_not_the_key_was_there(
    server: Server, bucket: str
) -> None:
    server.put(f"/{bucket}/k", BODY)
    for _ in range(2):
        reply = server.ask("DELETE", f"/{bucket}/k")
        assert (reply.status, reply.header("content-length")) == (204, None)
    assert server.ask("GET", f"/{bucket}/k").code() == "NoSuchKey"


def test_a_missing_bucket_is_named_by_every_object_operation(server: Server) -> None:
    for method, body in (("GET", None), ("PUT", b"x"), ("DELETE", None)):
        reply = server.ask(method, "/no-such-bucket/k", [], body)
        assert (reply.status, reply.code()) == (404, "NoSuchBucket"), method


@pytest.mark.parametrize(
    "key", ["a%20b", "a+b", "%E2%82%AC", "a//b", "/lead", "a/../b", "./x", "%25", "a%2Fb", "~-._"]
)
def test_keys_are_percent_decoded_and_never_normalised(
    server: Server, bucket: str, key: str
) -> None:
    server.put(f"/{bucket}/{key}", key.encode())
    assert server.ask("GET", f"/{bucket}/{key}").body == key.encode()
    listed = server.ask("GET", f"/{bucket}?list-type=2").xml().findtext("Contents/Key")
    expected = {"a%20b": "a b", "%E2%82%AC": "€", "%25": "%", "a%2Fb": "a/b"}.get(key, key)
    assert listed == expected


def test_key_length_is_limited_after_decoding(server: Server, bucket: str) -> None:
    assert server.ask("PUT", f"/{bucket}/{'k' * 1024}", [], b"x").status == 200
    assert server.ask("PUT", f"/{bucket}/{'%6b' * 1024}", [], b"x").status == 200
    reply = server.ask("PUT", f"/{bucket}/{'k' * 1025}", [], b"x")
    assert (reply.status, reply.code()) == (400, "KeyTooLongError")


def test_metadata_is_limited_to_2_kib(server: Server, bucket: str) -> None:
    headers = [(f"x-amz-meta-{letter}", "v" * 480) for letter in "abcd"]
    assert server.ask("PUT", f"/{bucket}/k", headers, b"x").status == 200
    headers.append(("x-amz-meta-e", "v" * 480))
    reply = server.ask("PUT", f"/{bucket}/k", headers, b"x")
    assert (reply.status, reply.code()) == (400, "MetadataTooLarge")


LEFT_OUT = [
    (None, "GET", "?acl"),
    (None, "GET", "?policy"),
    (None, "GET", "?tagging"),
    (None, "GET", "?lifecycle"),
    ("versions", "GET", "?versioning"),
    ("versions", "GET", "?versions"),
    ("mpu", "GET", "?uploads"),
    (None, "GET", "/k?acl"),
    (None, "GET", "/k?tagging"),
    ("mpu", "POST", "/k?uploads"),
    ("mpu", "PUT", "/k?partNumber=1&uploadId=a"),
    ("mpu", "DELETE", "/k?uploadId=a"),
    (None, "PUT", "?versioning"),
    (None, "DELETE", "?policy"),
]


def test_what_the_subset_leaves_out_is_refused_by_name(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", BODY)
    for profile, method, rest in LEFT_OUT:
        if profile in server.backend.profiles:
            continue
        body = b"" if method in {"PUT", "POST"} else None
        reply = server.ask(method, f"/{bucket}{rest}", [], body)
        assert (reply.status, reply.code()) == (501, "NotImplemented"), (method, rest)
    assert server.ask("GET", f"/{bucket}/k").body == BODY


def test_a_copy_is_refused_where_it_is_not_declared(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", BODY)
    copy = server.ask("PUT", f"/{bucket}/copy", [("x-amz-copy-source", f"/{bucket}/k")], b"")
    copies = "mpu" in server.backend.profiles
    assert copy.status == (200 if copies else 501)
    assert server.ask("HEAD", f"/{bucket}/copy").status == (200 if copies else 404)


def test_wrong_methods_are_405(server: Server, bucket: str) -> None:
    for method, target in (("PATCH", f"/{bucket}/k"), ("DELETE", "/"), ("PATCH", f"/{bucket}")):
        reply = server.ask(method, target)
        assert (reply.status, reply.code()) == (405, "MethodNotAllowed"), (method, target)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (
            "AWS4-HMAC-SHA256 Credential=a/20260101/r/s3/aws4_request, SignedHeaders=host, "
            "Signature=" + "0" * 64,
            200,
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260101/r/s3/aws4_request,SignedHeaders=host,"
            "Signature=" + "0" * 64,
            200,
        ),
        ("AWS4-HMAC-SHA256 Credential=a/20260101/r/s3/aws4_request, SignedHeaders=host", 400),
        ("AWS a:b", 400),
        ("AWS4-HMAC-SHA256", 400),
        ("nonsense", 400),
    ],
)
def test_authorization_must_be_well_formed(
    server: Server, bucket: str, value: str, status: int
) -> None:
    server.put(f"/{bucket}/k", BODY)
    reply = server.ask("GET", f"/{bucket}/k", [("Authorization", value)])
    assert reply.status == status
    if status == 400:
        assert reply.code() == "AuthorizationHeaderMalformed"
