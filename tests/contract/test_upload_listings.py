"""Listings of parts and of uploads (profile mpu): order, pages, prefixes, bad arguments."""

from __future__ import annotations

from urllib.parse import quote, unquote_plus

import pytest

from tests.contract.conftest import Server
from tests.contract.uploads import Upload, begin, etag
from tests.contract.wire import Reply

pytestmark = pytest.mark.profile("mpu")

KEYS = ["a", "a b", "a/1", "a/1", "a/1", "a/2", "b/1", "c", "d+e", "z€"]
NUMBERS = [1, 2, 9, 10, 11, 100, 9999, 10000]


def pairs_of(reply: Reply) -> list[tuple[str, str]]:
    """Key and id of each upload in the order of the answer."""
    return [
        (e.findtext("Key") or "", e.findtext("UploadId") or "")
        for e in reply.xml().findall("Upload")
    ]


def prefixes_of(reply: Reply) -> list[str]:
    """Common prefixes in the order of the answer."""
    return [e.text or "" for e in reply.xml().findall("CommonPrefixes/Prefix")]


@pytest.fixture
def parts(server: Server, bucket: str) -> Upload:
    """An upload with parts whose numbers sort otherwise as text."""
    upload = begin(server, f"/{bucket}/a%20key")
    for number in reversed(NUMBERS):
        assert upload.put(number, b"%d" % number).status == 200
    return upload


@pytest.fixture
def uploads(server: Server, bucket: str) -> list[tuple[str, str]]:
    """Open uploads, three of one key; the pairs in the order that the contract wants."""
    begun = [(key, begin(server, f"/{bucket}/{quote(key)}").id) for key in reversed(KEYS)]
    return sorted(begun, key=lambda pair: (pair[0].encode(), pair[1]))


def test_parts_are_listed_by_number(parts: Upload) -> None:
    reply = parts.parts()
    assert (reply.status, reply.header("content-type")) == (200, "application/xml")
    root = reply.xml()
    assert root.tag == "ListPartsResult"
    assert root.findtext("Bucket") == parts.target.split("/")[1]
    assert (root.findtext("Key"), root.findtext("UploadId")) == ("a key", parts.id)
    assert (root.findtext("MaxParts"), root.findtext("IsTruncated")) == ("1000", "false")
    assert [int(e.text or "") for e in root.findall("Part/PartNumber")] == NUMBERS
    assert [e.text for e in root.findall("Part/ETag")] == [etag(b"%d" % n) for n in NUMBERS]
    assert [int(e.text or "") for e in root.findall("Part/Size")] == [len(str(n)) for n in NUMBERS]
    assert all((e.text or "").endswith("Z") for e in root.findall("Part/LastModified"))


@pytest.mark.parametrize("page", [1, 3, 8])
def test_pages_of_parts(parts: Upload, page: int) -> None:
    seen: list[int] = []
    marker = "0"
    for _ in range(len(NUMBERS) + 1):
        root = parts.parts(f"&max-parts={page}&part-number-marker={marker}").xml()
        assert root.findtext("PartNumberMarker") == marker
        assert root.findtext("MaxParts") == str(page)
        numbers = [int(e.text or "") for e in root.findall("Part/PartNumber")]
        assert 0 < len(numbers) <= page
        seen += numbers
        if root.findtext("IsTruncated") == "false":
            break
        marker = root.findtext("NextPartNumberMarker") or ""
        assert marker == str(numbers[-1])
    assert seen == NUMBERS


def test_a_marker_that_is_no_part_and_one_behind_all(parts: Upload) -> None:
    numbers = parts.parts("&part-number-marker=50").xml().findall("Part/PartNumber")
    assert [e.text for e in numbers] == ["100", "9999", "10000"]
    root = parts.parts("&part-number-marker=10000").xml()
    assert (root.find("Part"), root.findtext("IsTruncated")) == (None, "false")


def test_an_upload_without_parts(server: Server, bucket: str) -> None:
    root = begin(server, f"/{bucket}/k").parts().xml()
    assert (root.find("Part"), root.findtext("IsTruncated")) == (None, "false")


@pytest.mark.parametrize(
    "bad", ["max-parts=many", "max-parts=-1", "part-number-marker=x", "part-number-marker=-1"]
)
def test_bad_arguments_of_list_parts(parts: Upload, bad: str) -> None:
    reply = parts.parts(f"&{bad}")
    assert (reply.status, reply.code()) == (400, "InvalidArgument")


def test_more_than_1000_parts_are_not_told_at_once(parts: Upload) -> None:
    assert parts.parts("&max-parts=5000").xml().findtext("MaxParts") == "1000"


def test_uploads_are_listed_by_key_then_id(
    server: Server, bucket: str, uploads: list[tuple[str, str]]
) -> None:
    reply = server.ask("GET", f"/{bucket}?uploads")
    assert (reply.status, reply.header("content-type")) == (200, "application/xml")
    root = reply.xml()
    assert root.tag == "ListMultipartUploadsResult"
    assert (root.findtext("Bucket"), root.findtext("MaxUploads")) == (bucket, "1000")
    assert root.findtext("IsTruncated") == "false"
    assert pairs_of(reply) == uploads
    assert all((e.text or "").endswith("Z") for e in root.findall("Upload/Initiated"))


def test_objects_are_no_uploads_and_uploads_no_objects(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/object")
    begun = begin(server, f"/{bucket}/upload")
    assert pairs_of(server.ask("GET", f"/{bucket}?uploads")) == [("upload", begun.id)]
    listed = server.ask("GET", f"/{bucket}?list-type=2").xml()
    assert [e.text for e in listed.findall("Contents/Key")] == ["object"]


def test_prefix_and_delimiter_of_uploads(
    server: Server, bucket: str, uploads: list[tuple[str, str]]
) -> None:
    reply = server.ask("GET", f"/{bucket}?uploads&delimiter=%2F")
    assert [key for key, _ in pairs_of(reply)] == ["a", "a b", "c", "d+e", "z€"]
    assert prefixes_of(reply) == ["a/", "b/"]
    reply = server.ask("GET", f"/{bucket}?uploads&prefix=a%2F1")
    assert pairs_of(reply) == [pair for pair in uploads if pair[0] == "a/1"]
    assert pairs_of(server.ask("GET", f"/{bucket}?uploads&prefix=none")) == []


def test_encoding_type_url_of_uploads(
    server: Server, bucket: str, uploads: list[tuple[str, str]]
) -> None:
    reply = server.ask("GET", f"/{bucket}?uploads&encoding-type=url")
    assert reply.xml().findtext("EncodingType") == "url"
    assert "z%E2%82%AC" in [key for key, _ in pairs_of(reply)]
    assert [(unquote_plus(key), one) for key, one in pairs_of(reply)] == uploads


@pytest.mark.parametrize("page", [1, 2, 4])
def test_pages_of_uploads(
    server: Server, bucket: str, uploads: list[tuple[str, str]], page: int
) -> None:
    seen: list[tuple[str, str]] = []
    query = ""
    for _ in range(len(KEYS) + 1):
        reply = server.ask("GET", f"/{bucket}?uploads&max-uploads={page}{query}")
        found, root = pairs_of(reply), reply.xml()
        assert 0 < len(found) <= page
        seen += found
        if root.findtext("IsTruncated") == "false":
            break
        key, one = root.findtext("NextKeyMarker") or "", root.findtext("NextUploadIdMarker")
        assert (key, one) == found[-1]
        query = f"&key-marker={quote(key, safe='')}&upload-id-marker={one}"
    assert seen == uploads


@pytest.mark.parametrize("page", [1, 2])
def test_pages_of_uploads_with_a_delimiter(
    server: Server, bucket: str, uploads: list[tuple[str, str]], page: int
) -> None:
    seen: list[str] = []
    query = ""
    for _ in range(len(KEYS) + 1):
        reply = server.ask("GET", f"/{bucket}?uploads&delimiter=/&max-uploads={page}{query}")
        found = [key for key, _ in pairs_of(reply)] + prefixes_of(reply)
        assert 0 < len(found) <= page
        seen += found
        root = reply.xml()
        if root.findtext("IsTruncated") == "false":
            break
        query = f"&key-marker={quote(root.findtext('NextKeyMarker') or '', safe='')}"
        if one := root.findtext("NextUploadIdMarker"):
            query += f"&upload-id-marker={one}"
    assert sorted(seen) == sorted({"a", "a b", "a/", "b/", "c", "d+e", "z€"})
    assert len(seen) == 7


def test_a_key_marker_alone_is_behind_every_upload_of_its_key(
    server: Server, bucket: str, uploads: list[tuple[str, str]]
) -> None:
    reply = server.ask("GET", f"/{bucket}?uploads&key-marker=a%2F1")
    assert pairs_of(reply) == [pair for pair in uploads if pair[0].encode() > b"a/1"]


@pytest.mark.parametrize("bad", ["max-uploads=many", "max-uploads=-1", "encoding-type=other"])
def test_bad_arguments_of_list_uploads(server: Server, bucket: str, bad: str) -> None:
    reply = server.ask("GET", f"/{bucket}?uploads&{bad}")
    assert (reply.status, reply.code()) == (400, "InvalidArgument")


def test_uploads_of_a_missing_bucket(server: Server) -> None:
    reply = server.ask("GET", "/no-such-bucket?uploads")
    assert (reply.status, reply.code()) == (404, "NoSuchBucket")
