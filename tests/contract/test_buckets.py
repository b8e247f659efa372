"""Buckets, both listings, and DeleteObjects."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote, unquote_plus

import pytest

from tests.contract.conftest import Server
from tests.contract.wire import Reply

KEYS = ["a", "a b", "a/1", "a/2", "a/b/3", "b/1", "b/2", "c", "d+e", "z€"]


@pytest.fixture
def filled(server: Server, bucket: str) -> str:
    """A bucket with a key of every kind, put in an order that is not theirs."""
    for key in [*KEYS[::2], *KEYS[1::2]]:
        server.put(f"/{bucket}/{quote(key)}", key.encode())
    return bucket


def listing(server: Server, bucket: str, **query: str) -> tuple[list[str], list[str], Reply]:
    """Keys, common prefixes and the whole answer of one listing."""
    pairs = "&".join(f"{n.replace('_', '-')}={quote(v, safe='')}" for n, v in query.items())
    reply = server.ask("GET", f"/{bucket}?{pairs}")
    assert reply.status == 200, reply
    assert reply.header("content-type") == "application/xml"
    root = reply.xml()
    assert root.tag == "ListBucketResult"
    keys = [e.text or "" for e in root.findall("Contents/Key")]
    return keys, [e.text or "" for e in root.findall("CommonPrefixes/Prefix")], reply


def test_service_and_buckets(server: Server) -> None:
    name = server.new_bucket()
    again = server.ask("PUT", f"/{name}", [], b"")
    assert (again.status, again.header("location")) == (200, f"/{name}")
    assert "Location" in again.names() or server.backend.chooses("header_case")
    assert server.ask("PUT", f"/{name}/", [], b"").status == 200
    for target in (f"/{name}", f"/{name}/"):
        assert server.ask("HEAD", target).status == 200
    root = server.ask("GET", "/").xml()
    assert root.tag == "ListAllMyBucketsResult"
    assert name in [e.text for e in root.findall("Buckets/Bucket/Name")]
    location = server.ask("GET", f"/{name}?location")
    assert (location.status, location.xml().tag) == (200, "LocationConstraint")
    server.put(f"/{name}/k")
    full = server.ask("DELETE", f"/{name}")
    assert (full.status, full.code()) == (409, "BucketNotEmpty")
    assert server.ask("DELETE", f"/{name}/k").status == 204
    gone = server.ask("DELETE", f"/{name}")
    assert (gone.status, gone.header("content-length")) == (204, None)
    assert server.ask("HEAD", f"/{name}").status == 404
    for method, target in (
        ("DELETE", f"/{name}"),
        ("GET", f"/{name}"),
        ("GET", f"/{name}?location"),
        ("GET", f"/{name}?list-type=2"),
    ):
        assert server.ask(method, target).code() == "NoSuchBucket", (method, target)


@pytest.mark.parametrize(
    "name", ["ab", "A" * 5, "a_b", "-abc", "abc-", ".abc", "a" * 64, "a%20b", "%C3%A9abc"]
)
def test_bad_bucket_names(server: Server, name: str) -> None:
    reply = server.ask("PUT", f"/{name}", [], b"")
    assert (reply.status, reply.code()) == (400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["abc.", "a..b", "a.-b", "a-.b", "192.168.5.123"])
def test_bad_labels_of_bucket_names(server: Server, name: str) -> None:
    reply = server.ask("PUT", f"/{name}", [], b"")
    assert (reply.status, reply.code()) == (400, "InvalidBucketName")


@pytest.mark.parametrize(
    "name", ["abc", "a.b-c", "0ab", "a" * 63, "1.2.3", "1.2.3.4.5", "1.2.3.4a", "a--b"]
)
def test_good_bucket_names(server: Server, name: str) -> None:
    assert server.ask("PUT", f"/{name}", [], b"").status == 200
    assert server.ask("DELETE", f"/{name}").status == 204


@pytest.mark.parametrize("version", [{}, {"list_type": "2"}])
def test_both_listings_are_in_byte_order_and_complete(
    server: Server, filled: str, version: dict[str, str]
) -> None:
    keys, prefixes, reply = listing(server, filled, **version)
    assert (keys, prefixes) == (sorted(KEYS, key=str.encode), [])
    root = reply.xml()
    assert root.findtext("Name") == filled
    assert root.findtext("MaxKeys") == "1000"
    assert root.findtext("IsTruncated") == "false"
    assert root.findtext("Contents/Size") == "1"
    assert root.findtext("Contents/ETag") == f'"{hashlib.md5(b"a").hexdigest()}"'
    assert root.findtext("Contents/StorageClass") == "STANDARD"
    assert (root.findtext("Contents/LastModified") or "").endswith("Z")
    if version:
        assert root.findtext("KeyCount") == str(len(KEYS))


@pytest.mark.parametrize("version", [{}, {"list_type": "2"}])
def test_prefix_and_delimiter(server: Server, filled: str, version: dict[str, str]) -> None:
    keys, prefixes, _ = listing(server, filled, delimiter="/", **version)
    assert keys == ["a", "a b", "c", "d+e", "z€"]
    assert prefixes == ["a/", "b/"]
    keys, prefixes, _ = listing(server, filled, delimiter="/", prefix="a/", **version)
    assert (keys, prefixes) == (["a/1", "a/2"], ["a/b/"])
    keys, prefixes, _ = listing(server, filled, prefix="a/b", **version)
    assert (keys, prefixes) == (["a/b/3"], [])
    assert listing(server, filled, prefix="nothing", **version)[:2] == ([], [])


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_v2_pages_join_to_the_whole(server: Server, filled: str, page: int, delimiter: str) -> None:
    query = {"list_type": "2", "max_keys": str(page)}
    if delimiter:
        query["delimiter"] = delimiter
    seen: list[str] = []
    while True:
        keys, prefixes, reply = listing(server, filled, **query)
        assert len(keys) + len(prefixes) <= page
        assert reply.xml().findtext("KeyCount") == str(len(keys) + len(prefixes))
        seen += keys + prefixes
        if reply.xml().findtext("IsTruncated") == "false":
            assert reply.xml().find("NextContinuationToken") is None
            break
        query["continuation_token"] = reply.xml().findtext("NextContinuationToken") or ""
    whole = listing(server, filled, list_type="2", delimiter=delimiter)
    assert sorted(seen) == sorted(whole[0] + whole[1])


@pytest.mark.parametrize("delimiter", ["", "/"])
def test_v1_pages_join_to_the_whole(server: Server, filled: str, delimiter: str) -> None:
    query = {"max_keys": "2", "delimiter": delimiter}
    seen: list[str] = []
    while True:
        keys, prefixes, reply = listing(server, filled, **query)
        seen += keys + prefixes
        if reply.xml().findtext("IsTruncated") == "false":
            break
        if delimiter:
            query["marker"] = reply.xml().findtext("NextMarker") or ""
        else:
            query["marker"] = keys[-1]
    whole = listing(server, filled, delimiter=delimiter)
    assert sorted(seen) == sorted(whole[0] + whole[1])


def test_start_after_marker_owner_and_limits(server: Server, filled: str) -> None:
    assert listing(server, filled, list_type="2", start_after="c")[0] == ["d+e", "z€"]
    assert listing(server, filled, marker="c")[0] == ["d+e", "z€"]
    keys, _, reply = listing(server, filled, list_type="2", max_keys="0")
    assert (keys, reply.xml().findtext("IsTruncated")) == ([], "false")
    reply = listing(server, filled, list_type="2", max_keys="5000")[2]
    assert reply.xml().findtext("MaxKeys") == "1000"
    assert reply.xml().find("Contents/Owner") is None
    reply = listing(server, filled, list_type="2", fetch_owner="true")[2]
    assert reply.xml().findtext("Contents/Owner/ID")
    for bad in ("max-keys=many", "max-keys=-1", "encoding-type=other"):
        reply = server.ask("GET", f"/{filled}?list-type=2&{bad}")
        assert (reply.status, reply.code()) == (400, "InvalidArgument"), bad


@pytest.mark.parametrize("version", [{}, {"list_type": "2"}])
def test_encoding_type_url(server: Server, filled: str, version: dict[str, str]) -> None:
    keys, prefixes, reply = listing(
        server, filled, encoding_type="url", delimiter="/", prefix="", **version
    )
    assert reply.xml().findtext("EncodingType") == "url"
    assert [unquote_plus(key) for key in keys] == ["a", "a b", "c", "d+e", "z€"]
    assert "d%2Be" in keys
    assert "z%E2%82%AC" in keys
    assert [unquote_plus(prefix) for prefix in prefixes] == ["a/", "b/"]


def test_text_that_xml_reserves_is_escaped(server: Server, bucket: str) -> None:
    key = "<a&b>\"'"
    server.put(f"/{bucket}/{quote(key)}")
    assert listing(server, bucket, list_type="2")[0] == [key]
    missing = server.ask("GET", f"/{bucket}/{quote('<&>')}")
    assert missing.xml().findtext("Resource") in {f"/{bucket}/<&>", f"/{bucket}/{quote('<&>')}"}


def test_a_listing_stops_at_1000(server: Server, bucket: str) -> None:
    with server.wire() as wire:
        for number in range(1001):
            assert wire.ask("PUT", f"/{bucket}/{number:04}", [], b"").status == 200
    keys, _, reply = listing(server, bucket, list_type="2")
    assert (len(keys), reply.xml().findtext("IsTruncated")) == (1000, "true")


def delete_many(server: Server, bucket: str, body: str) -> Reply:
    """POST ?delete with the digest that clients send."""
    digest = base64.b64encode(hashlib.md5(body.encode()).digest()).decode()
    return server.ask("POST", f"/{bucket}?delete", [("Content-MD5", digest)], body.encode())


def test_delete_objects(server: Server, filled: str) -> None:
    keys = ["a", "missing", "d+e", "z€"]
    objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    reply = delete_many(server, filled, f"<Delete>{objects}</Delete>")
    root = reply.xml()
    assert (reply.status, root.tag) == (200, "DeleteResult")
    assert [e.text for e in root.findall("Deleted/Key")] == keys
    quiet = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\n'
        "  <Object>\n    <Key>a&#32;b</Key>\n  </Object><Quiet>true</Quiet></Delete>"
    )
    reply = delete_many(server, filled, quiet)
    assert reply.status == 200
    assert reply.xml().findall("Deleted") == []
    left = [k for k in sorted(KEYS, key=str.encode) if k not in {*keys, "a b"}]
    assert listing(server, filled)[0] == left


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not xml",
        "<Delete><Object><Key>a</Key></Object>",
        "<Delete></Delete>",
        "<Other><Object><Key>a</Key></Object></Other>",
        "<Delete><Object></Object></Delete>",
        "<Delete>" + "<Object><Key>a</Key></Object>" * 1001 + "</Delete>",
    ],
)
def test_malformed_delete_objects(server: Server, filled: str, body: str) -> None:
    reply = delete_many(server, filled, body)
    assert (reply.status, reply.code()) == (400, "MalformedXML")
    assert len(listing(server, filled)[0]) == len(KEYS)


@pytest.mark.parametrize(
    "condition",
    ["<ETag>&quot;0&quot;</ETag>", "<Size>1</Size>", "<LastModifiedTime>1</LastModifiedTime>"],
)
def test_a_conditional_deletion_is_refused(server: Server, filled: str, condition: str) -> None:
    before = server.ask("GET", f"/{filled}?list-type=2").xml().findtext("KeyCount")
    reply = delete_many(
        server, filled, f"<Delete><Object><Key>a</Key>{condition}</Object></Delete>"
    )
    assert (reply.status, reply.code()) == (501, "NotImplemented")
    after = server.ask("GET", f"/{filled}?list-type=2").xml().findtext("KeyCount")
    assert before == after


def test_delete_objects_of_a_missing_bucket(server: Server) -> None:
    body = "<Delete><Object><Key>a</Key></Object></Delete>"
    assert delete_many(server, "no-such-bucket", body).code() == "NoSuchBucket"
