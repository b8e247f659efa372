"""Verified signatures (profile verify): every row of the contract's table, and what must pass."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.conftest import Fleet, Server
from tests.contract.servers import AUTH_VERIFY, Backend, build, free_port, log_lines
from tests.contract.signing import (
    FIRST,
    SECOND,
    VERIFYING,
    Client,
    Headers,
    Key,
    Signer,
)
from tests.contract.wire import ClosedError, Reply, Wire, request

pytestmark = pytest.mark.profile("verify")

BODY = b"the body" * 100
DENIED = (403, "AccessDenied")
MISMATCH = (403, "SignatureDoesNotMatch")
SKEWED = (403, "RequestTimeTooSkewed")


@pytest.fixture
def client(backend: Backend, fleet: Fleet) -> Client:
    """The first key's client of the shared server that verifies."""
    return Client(fleet.server(backend, *VERIFYING).port)


@pytest.fixture
def bucket(client: Client, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own, made with a signed request."""
    name = f"auth-{hashlib.sha256(request.node.name.encode()).hexdigest()[:32]}"
    assert client.ask("PUT", f"/{name}", [], b"").status == 200
    return name


def told(reply: Reply) -> tuple[int, str | None]:
    """Status and S3 code."""
    return reply.status, reply.code()


def absent(client: Client, target: str) -> bool:
    """Whether nothing is stored there."""
    return client.ask("GET", target).status == 404


def with_value(headers: Headers, name: str, value: str) -> list[tuple[str, str]]:
    """The headers with one value replaced."""
    assert name in [n for n, _ in headers]
    return [(n, value if n == name else v) for n, v in headers]


def without(headers: Headers, name: str) -> list[tuple[str, str]]:
    """The headers but for one."""
    assert name in [n for n, _ in headers]
    return [(n, v) for n, v in headers if n != name]


def test_a_signed_client_puts_gets_lists_and_deletes(client: Client, bucket: str) -> None:
    assert client.ask("GET", "/").xml().tag == "ListAllMyBucketsResult"
    assert client.ask("PUT", f"/{bucket}/k", [("x-amz-meta-a", "1")], BODY).status == 200
    reply = client.ask("GET", f"/{bucket}/k", [("Range", "bytes=0-9")])
    assert (reply.status, reply.body, reply.header("x-amz-meta-a")) == (206, BODY[:10], "1")
    assert client.ask("HEAD", f"/{bucket}/k").status == 200
    listed = client.ask("GET", f"/{bucket}?list-type=2&prefix=k&delimiter=%2F")
    assert listed.xml().findtext("Contents/Key") == "k"
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    assert client.ask("POST", f"/{bucket}?delete", [], body).status == 200
    assert absent(client, f"/{bucket}/k")
    assert client.ask("DELETE", f"/{bucket}").status == 204


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("rest", ["", "/k", "?list-type=2", "?delete"])
def test_without_authorization_nothing_is_done(
    client: Client, bucket: str, method: str, rest: str
) -> None:
    assert client.ask("PUT", f"/{bucket}/k", [], BODY).status == 200
    body = BODY if method in {"PUT", "POST"} else None
    reply = client.send(method, f"/{bucket}{rest}", [], body)
    assert reply.status == 403
    if method != "HEAD":
        assert reply.code() == "AccessDenied"
        assert reply.xml().findtext("RequestId") == reply.header("x-amz-request-id")
        assert re.fullmatch(r"[0-9A-F]{16}", reply.header("x-amz-request-id") or "")
    assert client.ask("GET", f"/{bucket}/k").body == BODY


def test_the_service_itself_is_closed_too(client: Client) -> None:
    assert told(client.send("GET", "/", [])) == DENIED


def test_both_credentials_work_and_do_not_mix(client: Client, bucket: str) -> None:
    second = Client(client.port, Signer(SECOND))
    assert second.ask("PUT", f"/{bucket}/k", [], BODY).status == 200
    assert client.ask("GET", f"/{bucket}/k").body == BODY
    for key in (Key(FIRST.id, SECOND.secret), Key(SECOND.id, FIRST.secret)):
        mixed = Client(client.port, Signer(key))
        assert told(mixed.ask("GET", f"/{bucket}/k")) == MISMATCH


@pytest.mark.parametrize(
    "key_id", ["UNKNOWN", FIRST.id[:-1], FIRST.id + "0", FIRST.id.lower(), "x" * 200]
)
def test_an_unknown_key_id(client: Client, bucket: str, key_id: str) -> None:
    other = Client(client.port, Signer(Key(key_id, FIRST.secret)))
    assert told(other.ask("GET", f"/{bucket}")) == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize("region", ["eu-central-1", "auto", "somewhere-else"])
def test_any_region(client: Client, bucket: str, region: str) -> None:
    assert Client(client.port, Signer(region=region)).ask("HEAD", f"/{bucket}").status == 200


def test_another_service_is_malformed(client: Client, bucket: str) -> None:
    reply = Client(client.port, Signer(service="ec2")).ask("GET", f"/{bucket}")
    assert told(reply) == (400, "AuthorizationHeaderMalformed")


@pytest.mark.parametrize("value", ["nonsense", "AWS a:b", "AWS4-HMAC-SHA256", "Bearer x"])
def test_a_malformed_authorization(client: Client, bucket: str, value: str) -> None:
    headers = with_value(client.signed("GET", f"/{bucket}"), "Authorization", value)
    reply = client.send("GET", f"/{bucket}", headers)
    assert told(reply) == (400, "AuthorizationHeaderMalformed")


def test_fields_of_authorization_may_stand_without_blanks(client: Client, bucket: str) -> None:
    headers = client.signed("GET", f"/{bucket}")
    squeezed = dict(headers)["Authorization"].replace(", ", ",")
    headers = with_value(headers, "Authorization", squeezed)
    assert client.send("GET", f"/{bucket}", headers).status == 200


@pytest.mark.parametrize("place", [0, 31, 63])
def test_a_signature_with_one_digit_changed(client: Client, bucket: str, place: int) -> None:
    headers = client.signed("GET", f"/{bucket}")
    value = dict(headers)["Authorization"]
    start = len(value) - 64 + place
    digit = "0" if value[start] != "0" else "1"
    headers = with_value(headers, "Authorization", value[:start] + digit + value[start + 1 :])
    assert told(client.send("GET", f"/{bucket}", headers)) == MISMATCH


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/k2"),
        ("GET", "/k?x-id=GetObject"),
        ("GET", "/K"),
        ("DELETE", "/k"),
        ("GET", "?list-type=2"),
    ],
)
def test_a_signature_for_another_request(
    client: Client, bucket: str, method: str, target: str
) -> None:
    for key in ("k", "k2", "K"):
        assert client.ask("PUT", f"/{bucket}/{key}", [], BODY).status == 200
    headers = client.signed("GET", f"/{bucket}/k")
    reply = client.send(method, f"/{bucket}{target}", headers)
    assert told(reply) == MISMATCH
    assert client.ask("GET", f"/{bucket}/k").body == BODY


def test_a_tampered_query(client: Client, bucket: str) -> None:
    headers = client.signed("GET", f"/{bucket}?list-type=2&prefix=a")
    for target in ("list-type=2&prefix=b", "list-type=2", "list-type=2&prefix=a&prefix=a"):
        assert told(client.send("GET", f"/{bucket}?{target}", headers)) == MISMATCH


@pytest.mark.parametrize("name", ["x-amz-meta-colour", "Content-Type", "x-amz-date"])
def test_a_tampered_or_missing_signed_header(client: Client, bucket: str, name: str) -> None:
    target = f"/{bucket}/k"
    sent = [("x-amz-meta-colour", "red"), ("Content-Type", "text/plain")]
    headers = client.signed("PUT", target, sent, BODY)
    one_later = str(int(dict(headers)["x-amz-date"][-2]) ^ 1)
    stamp = dict(headers)["x-amz-date"]
    value = f"{stamp[:-2]}{one_later}Z" if name == "x-amz-date" else "blue"
    assert told(client.send("PUT", target, with_value(headers, name, value), BODY)) == MISMATCH
    if name != "x-amz-date":
        assert told(client.send("PUT", target, without(headers, name), BODY)) == MISMATCH
    assert absent(client, target)


def test_a_header_that_is_not_x_amz_need_not_be_signed(client: Client, bucket: str) -> None:
    headers = client.signed("PUT", f"/{bucket}/k", [], BODY)
    headers.append(("Content-Type", "text/plain"))
    assert client.send("PUT", f"/{bucket}/k", headers, BODY).status == 200


@pytest.mark.parametrize("name", ["x-amz-meta-colour", "x-amz-acl", "X-Amz-Storage-Class"])
def test_an_x_amz_header_that_is_not_signed(client: Client, bucket: str, name: str) -> None:
    target = f"/{bucket}/k"
    headers = [*client.signed("PUT", target, [], BODY), (name, "private")]
    assert told(client.send("PUT", target, headers, BODY)) == DENIED
    assert absent(client, target)


@pytest.mark.parametrize("name", ["host", "x-amz-content-sha256", "x-amz-date"])
def test_what_must_be_signed_and_is_not(client: Client, bucket: str, name: str) -> None:
    signer = Signer(unsigned=frozenset({name}))
    sent = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
    reply = Client(client.port, signer).ask("PUT", f"/{bucket}/k", sent, BODY)
    assert told(reply) == DENIED
    assert absent(client, f"/{bucket}/k")


@pytest.mark.parametrize("value", ["  two   words  ", "a,b", "tab\tinside", "a  b\t c", '"  q "'])
def test_blanks_of_header_values_are_trimmed_and_folded(
    client: Client, bucket: str, value: str
) -> None:
    reply = client.ask("PUT", f"/{bucket}/k", [("x-amz-meta-a", value)], BODY)
    assert reply.status == 200
    assert client.ask("GET", f"/{bucket}/k").status == 200


def test_headers_of_one_name_are_joined(client: Client, bucket: str) -> None:
    sent = [("Accept", "a/b"), ("Accept", " c/d ")]
    assert client.ask("GET", f"/{bucket}", sent).status == 200
    headers = client.signed("GET", f"/{bucket}", sent)
    swapped = [h for h in headers if h[0] != "Accept"] + [("Accept", "c/d"), ("Accept", "a/b")]
    assert told(client.send("GET", f"/{bucket}", swapped)) == MISMATCH


@pytest.mark.parametrize(
    "key",
    [
        "a%20b",
        "a+b",
        "%E2%82%AC",
        "%e2%82%ac",
        "a//b",
        "a/../b",
        "./x",
        "%25",
        "%2525",
        "~-._",
        "(1)!*'",
        "a=b&c",
        "a:b@c,d;e",
        "%7Etilde",
        "trailing/",
    ],
)
def test_keys_in_any_spelling(client: Client, bucket: str, key: str) -> None:
    assert client.ask("PUT", f"/{bucket}/{key}", [], key.encode()).status == 200
    assert client.ask("GET", f"/{bucket}/{key}").body == key.encode()


@pytest.mark.parametrize(
    "query",
    [
        "list-type=2&prefix=a%20b",
        "prefix=a/b&list-type=2",
        "list-type=2&prefix=a%2Fb&delimiter=/",
        "list-type=2&prefix=%e2%82%ac",
        "list-type=2&prefix=",
        "list-type=2&prefix",
        "list-type=2&prefix=a=b",
        "list-type=2&prefix=b&prefix=a",
        "prefix=b&prefix=a&list-type=2&prefix=B",
        "location",
        "location=",
        "list-type=2&start-after=~a-b_c.d",
    ],
)
def test_queries_in_any_spelling_and_order(client: Client, bucket: str, query: str) -> None:
    assert client.ask("GET", f"/{bucket}?{query}").status == 200


def test_query_names_are_sorted_as_names(client: Client, bucket: str) -> None:
    """`a-b=` sorts before `a=` as text and behind it as a name; 501 is as good as 200 here."""
    reply = client.ask("GET", f"/{bucket}?list-type=2&x-id-b=1&x-id=ListObjectsV2")
    assert reply.status in {200, 400, 501}, reply


@pytest.mark.parametrize("minutes", [-14, 14])
def test_fourteen_minutes_are_within_the_skew(client: Client, bucket: str, minutes: int) -> None:
    signer = Signer(at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert Client(client.port, signer).ask("HEAD", f"/{bucket}").status == 200


@pytest.mark.parametrize("minutes", [-16, 16, -24 * 60, 60 * 24 * 365])
def test_more_than_fifteen_minutes_are_not(client: Client, bucket: str, minutes: int) -> None:
    signer = Signer(at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert told(Client(client.port, signer).ask("GET", f"/{bucket}")) == SKEWED


@pytest.mark.parametrize("minutes", [0, 16])
def test_the_date_header_serves_where_x_amz_date_is_missing(
    client: Client, bucket: str, minutes: int
) -> None:
    signer = Signer(at=datetime.now(UTC) - timedelta(minutes=minutes), date_header="Date")
    reply = Client(client.port, signer).ask("GET", f"/{bucket}")
    assert told(reply) == (SKEWED if minutes else (200, None))


def test_x_amz_date_goes_before_date(client: Client, bucket: str) -> None:
    sent = [("Date", "Mon, 01 Jan 2001 00:00:00 GMT")]
    assert client.ask("GET", f"/{bucket}", sent).status == 200


def test_no_date_at_all(client: Client, bucket: str) -> None:
    signer = Signer(date_header="")
    assert told(Client(client.port, signer).ask("GET", f"/{bucket}")) == DENIED


@pytest.mark.parametrize(
    "stamp", ["", "now", "20260101", "20261301T000000Z", "20260101T000000", "20260101T0000:0Z"]
)
def test_a_malformed_date(client: Client, bucket: str, stamp: str) -> None:
    sent = [("x-amz-date", stamp)]
    reply = Client(client.port, Signer(date_header="")).ask("GET", f"/{bucket}", sent)
    assert told(reply) == DENIED


@pytest.mark.parametrize("days", [-1, 1])
def test_the_scope_has_the_day_of_the_date(client: Client, bucket: str, days: int) -> None:
    day = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d")
    reply = Client(client.port, Signer(scope_day=day)).ask("GET", f"/{bucket}")
    assert told(reply) == DENIED


def test_content_sha256_is_required(client: Client, bucket: str) -> None:
    for method, body in (("GET", None), ("PUT", BODY)):
        headers = client.signer.sign(method, f"/{bucket}/k")[0]
        reply = client.send(method, f"/{bucket}/k", headers, body)
        assert told(reply) == (400, "InvalidRequest"), method
    assert absent(client, f"/{bucket}/k")


@pytest.mark.parametrize("kind", ["garbage", "ab" * 31, "STREAMING-UNKNOWN-PAYLOAD"])
def test_an_unknown_payload_kind_stores_nothing(client: Client, bucket: str, kind: str) -> None:
    reply = client.ask("PUT", f"/{bucket}/k", [("x-amz-content-sha256", kind)], BODY)
    assert reply.status in {400, 501}
    assert absent(client, f"/{bucket}/k")


@pytest.mark.parametrize("body", [b"", BODY[:-1] + b"X", b"other", b"x" * (1 << 20)])
def test_a_tampered_body_stores_nothing(client: Client, bucket: str, body: bytes) -> None:
    headers = client.signed("PUT", f"/{bucket}/k", [], BODY)
    reply = client.send("PUT", f"/{bucket}/k", headers, body)
    assert told(reply) == (400, "XAmzContentSHA256Mismatch")
    assert absent(client, f"/{bucket}/k")


def test_a_tampered_body_never_replaces_what_was_there(client: Client, bucket: str) -> None:
    assert client.ask("PUT", f"/{bucket}/k", [], b"kept").status == 200
    headers = client.signed("PUT", f"/{bucket}/k", [], BODY)
    reply = client.send("PUT", f"/{bucket}/k", headers, BODY[::-1])
    assert told(reply) == (400, "XAmzContentSHA256Mismatch")
    assert client.ask("GET", f"/{bucket}/k").body == b"kept"


def test_a_tampered_delete_objects_deletes_nothing(client: Client, bucket: str) -> None:
    for key in ("a", "b"):
        assert client.ask("PUT", f"/{bucket}/{key}", [], BODY).status == 200
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    headers = client.signed("POST", f"/{bucket}?delete", [], body)
    reply = client.send("POST", f"/{bucket}?delete", headers, body.replace(b">a<", b">b<"))
    assert told(reply) == (400, "XAmzContentSHA256Mismatch")
    assert client.ask("HEAD", f"/{bucket}/b").status == 200


def test_a_tampered_configuration_makes_no_bucket(client: Client, bucket: str) -> None:
    body = b"<CreateBucketConfiguration><LocationConstraint>eu-west-3</LocationConstraint>"
    body += b"</CreateBucketConfiguration>"
    other = f"{bucket}-2"
    headers = client.signed("PUT", f"/{other}", [], body)
    reply = client.send("PUT", f"/{other}", headers, body.replace(b"west-3", b"west-1"))
    assert told(reply) == (400, "XAmzContentSHA256Mismatch")
    assert absent(client, f"/{other}")
    assert client.ask("PUT", f"/{other}", [], body).status == 200
    assert client.ask("HEAD", f"/{other}").status == 200


def test_an_unsigned_payload_is_stored_as_it_comes(client: Client, bucket: str) -> None:
    sent = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
    headers = client.signed("PUT", f"/{bucket}/k", sent)
    assert client.send("PUT", f"/{bucket}/k", headers, BODY).status == 200
    assert client.ask("GET", f"/{bucket}/k").body == BODY


def test_a_digest_of_a_chunked_body_is_verified(client: Client, bucket: str) -> None:
    for tampered in (True, False):
        sent = [("Transfer-Encoding", "chunked")]
        sent.append(("x-amz-content-sha256", hashlib.sha256(b"abcdef").hexdigest()))
        headers = client.signed("PUT", f"/{bucket}/k", sent)
        body = b"3\r\nabc\r\n3\r\nde%s\r\n0\r\n\r\n" % (b"X" if tampered else b"f")
        with Wire(client.port) as wire:
            wire.send(request("PUT", f"/{bucket}/k", headers) + body)
            reply = wire.answer()
        assert told(reply) == ((400, "XAmzContentSHA256Mismatch") if tampered else (200, None))
        assert absent(client, f"/{bucket}/k") == tampered


def test_a_refused_body_is_never_read_as_a_request(client: Client, bucket: str) -> None:
    assert client.ask("PUT", f"/{bucket}/k", [], BODY).status == 200
    smuggled = request("DELETE", f"/{bucket}/k", client.signed("DELETE", f"/{bucket}/k"))
    refused = request("PUT", f"/{bucket}/other", [], smuggled)
    with Wire(client.port) as wire:
        wire.send(refused + request("GET", f"/{bucket}", client.signed("GET", f"/{bucket}")))
        assert told(wire.answer()) == DENIED
        try:
            assert wire.answer().status == 200
        except ClosedError:
            assert wire.closed()
    assert client.ask("GET", f"/{bucket}/k").body == BODY


def test_no_100_follows_a_403(client: Client, bucket: str) -> None:
    headers = [("Expect", "100-continue"), ("Content-Length", "5")]
    with Wire(client.port) as wire:
        wire.send(request("PUT", f"/{bucket}/k", headers))
        first = wire.interim()
        if first == 100:
            wire.send(b"12345")
            first = wire.answer().status
        assert first == 403


def test_one_connection_serves_good_and_refused_requests(client: Client, bucket: str) -> None:
    good = request("GET", f"/{bucket}", client.signed("GET", f"/{bucket}"))
    with Wire(client.port) as wire:
        wire.send(good + request("GET", f"/{bucket}") + good)
        assert [wire.answer().status for _ in range(3)] == [200, 403, 200]


@pytest.mark.parametrize(
    "extra",
    [
        [AUTH_VERIFY],
        [AUTH_VERIFY, "--credential=no-colon"],
        [AUTH_VERIFY, "--credential=:secret"],
        [AUTH_VERIFY, "--credential=id:"],
        ["--auth=sometimes"],
    ],
)
def test_bad_credentials_exit_2_with_one_line(
    backend: Backend, tmp_path: Path, extra: list[str]
) -> None:
    build(backend)
    command = backend.command(free_port(), tmp_path, extra)
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2, done
    assert (done.stdout, len(log_lines(done.stderr))) == ("", 1)
    assert "secret" not in done.stderr


def test_parse_is_the_default_and_may_be_named(start_server: Callable[..., Server]) -> None:
    server = start_server("--auth=parse")
    bucket = server.new_bucket()
    wrong = Client(server.port, Signer(Key("anybody", "anything")))
    assert wrong.ask("PUT", f"/{bucket}/k", [], BODY).status == 200
