"""Copies of objects and of ranges into parts (profile mpu)."""

from __future__ import annotations

import pytest

from tests.contract.conftest import Server
from tests.contract.test_objects import in_contract_order
from tests.contract.uploads import COPY_SOURCE, begin, etag, etag_of_parts
from tests.contract.wire import Reply

pytestmark = pytest.mark.profile("mpu")

BODY = bytes(range(256)) * 4
OLD, FUTURE = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
OTHER = '"00000000000000000000000000000000"'


@pytest.fixture
def source(server: Server, bucket: str) -> str:
    """/bucket/k with kept headers of every kind."""
    headers = {"Content_Type": "a/b", "Cache_Control": "no-cache", "X_Amz_Meta_Colour": "red"}
    server.put(f"/{bucket}/k", BODY, **headers)
    return f"/{bucket}/k"


def copy(server: Server, source: str, target: str, *headers: tuple[str, str]) -> Reply:
    """One CopyObject."""
    return server.ask("PUT", target, [(COPY_SOURCE, source), *headers], b"")


def told(reply: Reply) -> tuple[int, str | None]:
    """Status and S3 code."""
    return reply.status, reply.code()


def test_a_copy_has_body_tag_and_kept_headers(server: Server, source: str) -> None:
    target = f"{source}-copy"
    reply = copy(server, source, target, ("Content-Type", "c/d"), ("x-amz-meta-b", "2"))
    assert (reply.status, reply.header("content-type")) == (200, "application/xml")
    in_contract_order(server, reply, ["Content-Type", "Content-Length"])
    root = reply.xml()
    assert (root.tag, root.findtext("ETag")) == ("CopyObjectResult", etag(BODY))
    assert (root.findtext("LastModified") or "").endswith("Z")
    made = server.ask("GET", target)
    assert (made.body, made.header("etag")) == (BODY, etag(BODY))
    assert (made.header("content-type"), made.header("cache-control")) == ("a/b", "no-cache")
    assert (made.header("x-amz-meta-colour"), made.header("x-amz-meta-b")) == ("red", None)
    named = copy(server, source, f"{target}2", ("x-amz-metadata-directive", "COPY"))
    assert named.status == 200
    assert server.ask("HEAD", f"{target}2").header("x-amz-meta-colour") == "red"


def test_replace_takes_the_headers_of_the_request(server: Server, source: str) -> None:
    directive = ("x-amz-metadata-directive", "REPLACE")
    for target in (f"{source}-copy", source):
        sent = [directive, ("x-amz-meta-b", "2"), ("Content-Encoding", "gzip")]
        assert copy(server, source, target, *sent).xml().findtext("ETag") == etag(BODY)
        made = server.ask("GET", target)
        assert (made.body, made.header("content-type")) == (BODY, "binary/octet-stream")
        assert (made.header("x-amz-meta-b"), made.header("content-encoding")) == ("2", "gzip")
        assert (made.header("x-amz-meta-colour"), made.header("cache-control")) == (None, None)


def test_a_copy_to_itself_needs_replace(server: Server, source: str) -> None:
    assert told(copy(server, source, source)) == (400, "InvalidRequest")
    explicit = ("x-amz-metadata-directive", "COPY")
    assert told(copy(server, source, source, explicit)) == (400, "InvalidRequest")
    assert server.ask("GET", source).body == BODY


def test_an_unknown_directive(server: Server, source: str) -> None:
    reply = copy(server, source, f"{source}2", ("x-amz-metadata-directive", "MERGE"))
    assert told(reply) == (400, "InvalidArgument")
    assert server.ask("HEAD", f"{source}2").status == 404


@pytest.mark.parametrize(
    ("spelled", "named"),
    [
        ("a%20b", "a%20b"),
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("%E2%82%AC", "%E2%82%AC"),
        ("a//b", "a//b"),
        ("a/../b", "a/../b"),
        ("a%2Fb", "a/b"),
        ("%25", "%25"),
        ("a%3Fb", "a%3Fb"),
    ],
)
def test_sources_are_percent_decoded(server: Server, bucket: str, spelled: str, named: str) -> None:
    server.put(f"/{bucket}/{named}", named.encode())
    for slash in ("/", ""):
        assert copy(server, f"{slash}{bucket}/{spelled}", f"/{bucket}/copy").status == 200
        assert server.ask("GET", f"/{bucket}/copy").body == named.encode()


def test_a_copy_lives_on_its_own(server: Server, source: str) -> None:
    other = f"/{server.new_bucket()}/copy"
    assert copy(server, source, other).status == 200
    server.put(source, b"changed")
    assert server.ask("GET", other).body == BODY
    assert copy(server, other, f"{other}2").status == 200
    assert server.ask("DELETE", other).status == 204
    assert server.ask("GET", f"{other}2").body == BODY


@pytest.mark.parametrize("size", [0, 1, 3 << 20])
def test_sizes_of_copies(server: Server, bucket: str, size: int) -> None:
    body = (BODY * (size // len(BODY) + 1))[:size]
    server.put(f"/{bucket}/k", body)
    assert copy(server, f"/{bucket}/k", f"/{bucket}/c").xml().findtext("ETag") == etag(body)
    assert server.ask("GET", f"/{bucket}/c").body == body


def test_a_multipart_object_can_be_copied(server: Server, bucket: str) -> None:
    upload = begin(server, f"/{bucket}/k", [("x-amz-meta-a", "1")])
    upload.put(1, BODY)
    assert upload.complete().status == 200
    reply = copy(server, f"/{bucket}/k", f"/{bucket}/c")
    made = server.ask("GET", f"/{bucket}/c")
    assert (made.body, made.header("x-amz-meta-a")) == (BODY, "1")
    assert reply.xml().findtext("ETag") == made.header("etag")


CONDITIONS = [
    ("x-amz-copy-source-if-match", etag(BODY), 200),
    ("x-amz-copy-source-if-match", etag(BODY).strip('"'), 200),
    ("x-amz-copy-source-if-match", OTHER, 412),
    ("x-amz-copy-source-if-none-match", OTHER, 200),
    ("x-amz-copy-source-if-none-match", etag(BODY), 412),
    ("x-amz-copy-source-if-modified-since", OLD, 200),
    ("x-amz-copy-source-if-modified-since", FUTURE, 412),
    ("x-amz-copy-source-if-unmodified-since", FUTURE, 200),
    ("x-amz-copy-source-if-unmodified-since", OLD, 412),
]


@pytest.mark.parametrize(("name", "value", "status"), CONDITIONS)
def test_conditions_of_a_copy(
    server: Server, source: str, name: str, value: str, status: int
) -> None:
    reply = copy(server, source, f"{source}-copy", (name, value))
    assert told(reply) == (status, None if status == 200 else "PreconditionFailed")
    assert server.ask("HEAD", f"{source}-copy").status == (200 if status == 200 else 404)


@pytest.mark.parametrize(("name", "value", "status"), CONDITIONS)
def test_conditions_of_a_part_copy(
    server: Server, source: str, name: str, value: str, status: int
) -> None:
    upload = begin(server, f"{source}-copy")
    reply = upload.put(1, b"", [(COPY_SOURCE, source), (name, value)])
    assert told(reply) == (status, None if status == 200 else "PreconditionFailed")


def test_versions_of_a_source(server: Server, source: str) -> None:
    assert copy(server, f"{source}?versionId=null", f"{source}-copy").status == 200
    assert server.ask("GET", f"{source}-copy").body == BODY
    reply = copy(server, f"{source}?versionId=abc", f"{source}-2")
    assert told(reply) == (501, "NotImplemented")
    assert server.ask("HEAD", f"{source}-2").status == 404


@pytest.mark.parametrize("malformed", ["", "/", "no-slash", "/bucket", "bucket/", "//key"])
def test_malformed_sources(server: Server, bucket: str, malformed: str) -> None:
    reply = copy(server, malformed, f"/{bucket}/k")
    assert told(reply) == (400, "InvalidArgument")
    part = begin(server, f"/{bucket}/k").put(1, b"", [(COPY_SOURCE, malformed)])
    assert told(part) == (400, "InvalidArgument")
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


def test_what_is_missing_is_named(server: Server, source: str) -> None:
    bucket = source.split("/")[1]
    assert told(copy(server, f"/{bucket}/missing", f"{source}2")) == (404, "NoSuchKey")
    assert told(copy(server, "/no-such-bucket/k", f"{source}2")) == (404, "NoSuchBucket")
    assert told(copy(server, source, "/no-such-bucket/k")) == (404, "NoSuchBucket")
    upload = begin(server, f"{source}2")
    part = upload.put(1, b"", [(COPY_SOURCE, f"/{bucket}/missing")])
    assert told(part) == (404, "NoSuchKey")
    assert upload.abort().status == 204
    part = upload.put(1, b"", [(COPY_SOURCE, source)])
    assert told(part) == (404, "NoSuchUpload")


def test_parts_copied_whole_and_by_range(server: Server, source: str) -> None:
    upload = begin(server, f"{source}-copy")
    reply = upload.put(1, b"", [(COPY_SOURCE, source)])
    assert (reply.status, reply.header("content-type")) == (200, "application/xml")
    root = reply.xml()
    assert (root.tag, root.findtext("ETag")) == ("CopyPartResult", etag(BODY))
    assert (root.findtext("LastModified") or "").endswith("Z")
    for text, first, last in (("0-0", 0, 0), ("5-9", 5, 9), ("1000-1023", 1000, 1023)):
        sent = [(COPY_SOURCE, source), ("x-amz-copy-source-range", f"bytes={text}")]
        part = BODY[first : last + 1]
        assert upload.put(2, b"", sent).xml().findtext("ETag") == etag(part), text
    assert upload.complete([(2, etag(part))]).status == 200
    made = server.ask("GET", upload.target)
    assert (made.body, made.header("etag")) == (part, etag_of_parts([part]))
    assert made.header("x-amz-meta-colour") is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("bytes=0-1024", "InvalidRange"),
        ("bytes=1024-1024", "InvalidRange"),
        ("bytes=5000-6000", "InvalidRange"),
        ("bytes=9-5", "InvalidArgument"),
        ("bytes=5-", "InvalidArgument"),
        ("bytes=-5", "InvalidArgument"),
        ("bytes=a-b", "InvalidArgument"),
        ("bytes=0-1,3-4", "InvalidArgument"),
        ("0-5", "InvalidArgument"),
        ("", "InvalidArgument"),
    ],
)
def test_bad_ranges_of_a_part_copy(server: Server, source: str, text: str, code: str) -> None:
    upload = begin(server, f"{source}-copy")
    reply = upload.put(1, b"", [(COPY_SOURCE, source), ("x-amz-copy-source-range", text)])
    assert told(reply) == (400, code)
    assert upload.parts().xml().find("Part") is None
