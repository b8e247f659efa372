"""The stubs for clients that ask for versions (profile versions)."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote, unquote_plus

import pytest

from tests.contract.conftest import Server
from tests.contract.wire import Reply

pytestmark = pytest.mark.profile("versions")

KEYS = ["a", "a b", "a/1", "a/2", "b/1", "c", "d+e", "z€"]
IN_ORDER = sorted(KEYS, key=str.encode)


@pytest.fixture
def filled(server: Server, bucket: str) -> str:
    """A bucket with a few keys, put in an order that is not theirs."""
    for key in [*KEYS[::2], *KEYS[1::2]]:
        server.put(f"/{bucket}/{quote(key)}", key.encode())
    return bucket


def versions(server: Server, bucket: str, query: str = "") -> tuple[list[str], list[str], Reply]:
    """Keys, common prefixes and the whole answer of one ?versions."""
    reply = server.ask("GET", f"/{bucket}?versions{query}")
    assert reply.status == 200, reply
    assert reply.header("content-type") == "application/xml"
    root = reply.xml()
    assert root.tag == "ListVersionsResult"
    keys = [e.text or "" for e in root.findall("Version/Key")]
    return keys, [e.text or "" for e in root.findall("CommonPrefixes/Prefix")], reply


def test_versioning_was_never_configured(server: Server, bucket: str) -> None:
    reply = server.ask("GET", f"/{bucket}?versioning")
    assert (reply.status, reply.xml().tag, len(reply.xml())) == (200, "VersioningConfiguration", 0)
    assert reply.header("content-type") == "application/xml"
    assert b"http://s3.amazonaws.com/doc/2006-03-01/" in reply.body
    assert server.ask("GET", "/no-such-bucket?versioning").code() == "NoSuchBucket"


def test_versioning_cannot_be_configured(server: Server, bucket: str) -> None:
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert server.ask("PUT", f"/{bucket}?versioning", [], body).status == 501


def test_each_object_stands_once_with_the_null_version(server: Server, filled: str) -> None:
    server.put(f"/{filled}/a", b"again")
    keys, prefixes, reply = versions(server, filled)
    assert (keys, prefixes) == (IN_ORDER, [])
    root = reply.xml()
    assert root.findtext("Name") == filled
    assert (root.findtext("MaxKeys"), root.findtext("IsTruncated")) == ("1000", "false")
    assert {e.text for e in root.findall("Version/VersionId")} == {"null"}
    assert {e.text for e in root.findall("Version/IsLatest")} == {"true"}
    assert root.findtext("Version/Size") == "5"
    assert root.findtext("Version/ETag") == f'"{hashlib.md5(b"again").hexdigest()}"'
    assert (root.findtext("Version/LastModified") or "").endswith("Z")
    assert root.findtext("Version/StorageClass") == "STANDARD"
    assert root.find("DeleteMarker") is None


def test_a_deleted_object_leaves_no_version(server: Server, filled: str) -> None:
    assert server.ask("DELETE", f"/{filled}/a").status == 204
    assert versions(server, filled)[0] == IN_ORDER[1:]


def test_prefix_and_delimiter(server: Server, filled: str) -> None:
    keys, prefixes, _ = versions(server, filled, "&delimiter=/")
    assert (keys, prefixes) == (["a", "a b", "c", "d+e", "z€"], ["a/", "b/"])
    assert versions(server, filled, "&prefix=a%2F")[0] == ["a/1", "a/2"]
    assert versions(server, filled, "&prefix=none")[0] == []


def test_encoding_type_url(server: Server, filled: str) -> None:
    keys, _, reply = versions(server, filled, "&encoding-type=url")
    assert reply.xml().findtext("EncodingType") == "url"
    assert "z%E2%82%AC" in keys
    assert [unquote_plus(key) for key in keys] == IN_ORDER


@pytest.mark.parametrize("delimiter", ["", "&delimiter=/"])
@pytest.mark.parametrize("page", [1, 3])
def test_pages_join_to_the_whole(server: Server, filled: str, page: int, delimiter: str) -> None:
    seen: list[str] = []
    marker = ""
    for _ in range(len(KEYS) + 1):
        keys, prefixes, reply = versions(
            server, filled, f"&max-keys={page}{delimiter}&encoding-type=url{marker}"
        )
        assert 0 < len(keys) + len(prefixes) <= page
        seen += [unquote_plus(name) for name in keys + prefixes]
        root = reply.xml()
        if root.findtext("IsTruncated") == "false":
            assert root.find("NextKeyMarker") is None
            break
        # A key marker comes back as it was told; with encoding-type=url it is encoded already.
        marker = f"&key-marker={root.findtext('NextKeyMarker')}"
        if (version := root.findtext("NextVersionIdMarker")) is not None:
            marker += f"&version-id-marker={version}"
    whole = versions(server, filled, delimiter)
    assert sorted(seen) == sorted(whole[0] + whole[1])
    assert len(seen) == len(set(seen))


def test_a_page_that_ends_on_a_key_names_its_version(server: Server, filled: str) -> None:
    root = versions(server, filled, "&max-keys=2")[2].xml()
    assert root.findtext("IsTruncated") == "true"
    assert root.findtext("NextKeyMarker") == "a b"
    assert root.findtext("NextVersionIdMarker") == "null"


def test_a_key_marker_is_exclusive(server: Server, filled: str) -> None:
    assert versions(server, filled, "&key-marker=c")[0] == ["d+e", "z€"]
    assert versions(server, filled, "&key-marker=c&version-id-marker=null")[0] == ["d+e", "z€"]


@pytest.mark.parametrize("bad", ["max-keys=many", "max-keys=-1", "encoding-type=other"])
def test_bad_arguments(server: Server, filled: str, bad: str) -> None:
    reply = server.ask("GET", f"/{filled}?versions&{bad}")
    assert (reply.status, reply.code()) == (400, "InvalidArgument")


def test_limits_of_max_keys(server: Server, filled: str) -> None:
    assert versions(server, filled, "&max-keys=5000")[2].xml().findtext("MaxKeys") == "1000"
    keys, _, reply = versions(server, filled, "&max-keys=0")
    assert (keys, reply.xml().findtext("IsTruncated")) == ([], "false")


def test_a_missing_bucket(server: Server) -> None:
    assert server.ask("GET", "/no-such-bucket?versions").code() == "NoSuchBucket"


def delete_versions(server: Server, bucket: str, *objects: tuple[str, str]) -> Reply:
    """One POST ?delete of keys and their versions; an empty version is not named."""
    named = "".join(
        f"<Object><Key>{key}</Key>{version and f'<VersionId>{version}</VersionId>'}</Object>"
        for key, version in objects
    )
    body = f"<Delete>{named}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    return server.ask("POST", f"/{bucket}?delete", [("Content-MD5", digest)], body)


def test_the_null_version_can_be_deleted_by_its_name(server: Server, filled: str) -> None:
    root = delete_versions(server, filled, ("a", "null"), ("b/1", ""), ("c", "null")).xml()
    assert [e.findtext("Key") for e in root.findall("Deleted")] == ["a", "b/1", "c"]
    assert [e.findtext("VersionId") for e in root.findall("Deleted")] == ["null", None, "null"]
    assert versions(server, filled)[0] == ["a b", "a/1", "a/2", "d+e", "z€"]


def test_another_version_cannot_be_deleted(server: Server, filled: str) -> None:
    reply = delete_versions(server, filled, ("a", "null"), ("c", "L4kqtJlcpXroDTDmpUMLUo"))
    assert (reply.status, reply.code()) == (501, "NotImplemented")
    assert versions(server, filled)[0] == IN_ORDER
