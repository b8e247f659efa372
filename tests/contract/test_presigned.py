"""Presigned URLs (profile verify): what must pass, every refusal, and the form in `parse`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config

from tests.contract.conftest import Fleet, Server
from tests.contract.servers import Backend
from tests.contract.signing import FIRST, SECOND, VERIFYING, Client, Key, Signer
from tests.contract.wire import Reply, Wire

pytestmark = pytest.mark.profile("verify")

BODY = b"presigned" * 100
DENIED, SKEWED = (403, "AccessDenied"), (403, "RequestTimeTooSkewed")
MISMATCH = (403, "SignatureDoesNotMatch")
FORM = (400, "AuthorizationQueryParametersError")
PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)


@pytest.fixture
def client(backend: Backend, fleet: Fleet) -> Client:
    """The first key's client of the shared server that verifies."""
    return Client(fleet.server(backend, *VERIFYING).port)


@pytest.fixture
def target(client: Client, request: pytest.FixtureRequest) -> str:
    """An object of the test's own."""
    bucket = f"url-{hashlib.sha256(request.node.name.encode()).hexdigest()[:32]}"
    assert client.ask("PUT", f"/{bucket}", [], b"").status == 200
    assert client.ask("PUT", f"/{bucket}/k", [], BODY).status == 200
    return f"/{bucket}/k"


def told(reply: Reply) -> tuple[int, str | None]:
    """Status and S3 code."""
    return reply.status, reply.code()


def ask(client: Client, url: str, method: str = "GET", body: bytes | None = None) -> Reply:
    """One request without a header of its own."""
    return client.send(method, url, [], body)


def test_a_url_reads_lists_writes_and_deletes(client: Client, target: str) -> None:
    sign = client.signer.presign
    assert ask(client, sign("GET", target)).body == BODY
    assert ask(client, sign("HEAD", target), "HEAD").status == 200
    bucket = target.removesuffix("/k")
    listed = ask(client, sign("GET", f"{bucket}?list-type=2&prefix=k&delimiter=%2F"))
    assert listed.xml().findtext("Contents/Key") == "k"
    assert ask(client, sign("PUT", f"{bucket}/new one"), "PUT", b"new").status == 400  # no URI
    assert ask(client, sign("PUT", f"{bucket}/new%20one"), "PUT", b"new").status == 200
    assert ask(client, sign("GET", f"{bucket}/new%20one")).body == b"new"
    assert ask(client, sign("DELETE", f"{bucket}/new%20one"), "DELETE").status == 204


def test_boto3s_urls_work_with_overrides_and_signed_headers(client: Client, target: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{client.port}",
        region_name="eu-central-1",
        aws_access_key_id=SECOND.id,
        aws_secret_access_key=SECOND.secret,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    bucket = target.split("/")[1]
    host = f"127.0.0.1:{client.port}"

    def send(url: str, method: str, body: bytes | None = None, **headers: str) -> Reply:
        path = url.split(host, 1)[1]
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body is not None else []
        with Wire(client.port) as wire:
            wire.send("\r\n".join([*lines, "", ""]).encode() + (body or b""))
            return wire.answer(method)

    place = {"Bucket": bucket, "Key": "ä b+c"}
    url = s3.generate_presigned_url("put_object", {**place, "Metadata": {"a": "1"}})
    assert told(send(url, "PUT", BODY)) != (200, None)  # x-amz-meta-a is signed, and not sent
    assert send(url, "PUT", BODY, x_amz_meta_a="1").status == 200
    url = s3.generate_presigned_url("get_object", {**place, "ResponseContentType": "a/b"})
    reply = send(url, "GET")
    assert (reply.status, reply.body, reply.header("content-type")) == (200, BODY, "a/b")


@pytest.mark.parametrize("late_s", [-14 * 60, 0, 50])
def test_within_its_time_a_url_works(client: Client, target: str, late_s: int) -> None:
    at = datetime.now(UTC) - timedelta(seconds=late_s)
    assert ask(client, Signer(at=at).presign("GET", target)).body == BODY


def test_a_week_is_allowed_and_the_skew_of_headers_does_not_count(
    client: Client, target: str
) -> None:
    at = datetime.now(UTC) - timedelta(days=6)
    assert ask(client, Signer(at=at).presign("GET", target, expires_s=604800)).body == BODY


@pytest.mark.parametrize(
    ("late_s", "expires_s", "wanted"),
    [(70, 60, DENIED), (8 * 86400, 604800, DENIED), (-16 * 60, 60, SKEWED)],
)
def test_outside_its_time_it_does_not(
    client: Client, target: str, late_s: int, expires_s: int, wanted: tuple[int, str]
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=late_s)
    url = Signer(at=at).presign("GET", target, expires_s=expires_s)
    assert told(ask(client, url)) == wanted


@pytest.mark.parametrize("expires", ["0", "-7", "604801", "x", "", "6e1", "99999999999999999999"])
def test_the_expiry_is_a_number_of_a_week_at_most(
    client: Client, target: str, expires: str
) -> None:
    assert told(ask(client, client.signer.presign("GET", target, expires_s=expires))) == FORM


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_missing_empty_or_twice(client: Client, target: str, name: str) -> None:
    url = client.signer.presign("GET", target)
    path, _, query = url.partition("?")
    pairs = query.split("&")
    mine = next(pair for pair in pairs if pair.startswith(f"{name}="))
    rest = [pair for pair in pairs if pair != mine]
    assert told(ask(client, f"{path}?{'&'.join(rest)}")) == FORM
    assert told(ask(client, f"{path}?{'&'.join([*rest, f'{name}='])}")) == FORM
    assert told(ask(client, f"{path}?{'&'.join([*rest, mine, mine])}")) == FORM


def test_another_algorithm_service_or_date(client: Client, target: str) -> None:
    url = client.signer.presign("GET", target)
    assert told(ask(client, url.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"))) == FORM
    assert told(ask(client, Signer(service="ec2").presign("GET", target))) == FORM
    day = datetime.now(UTC).strftime("%Y%m%dT")
    assert told(ask(client, url.replace(f"X-Amz-Date={day}", "X-Amz-Date=x"))) == FORM
    other_day = Signer(scope_day="20200101").presign("GET", target)
    assert told(ask(client, other_day)) == DENIED


def test_a_signature_is_for_one_key_method_path_and_query(client: Client, target: str) -> None:
    url = client.signer.presign("GET", target)
    assert told(ask(client, url[:-1] + ("0" if url[-1] != "0" else "1"))) == MISMATCH
    assert told(ask(client, url, "DELETE")) == MISMATCH
    assert told(ask(client, url.replace("/k?", "/l?"))) == MISMATCH
    assert told(ask(client, f"{url}&versionId=null")) == MISMATCH
    assert told(ask(client, Signer(Key(FIRST.id, "wrong")).presign("GET", target))) == MISMATCH
    unknown = Signer(Key("NOBODY", FIRST.secret)).presign("GET", target)
    assert told(ask(client, unknown)) == (403, "InvalidAccessKeyId")
    assert client.ask("GET", target).body == BODY


def test_a_header_and_a_query_together_are_refused(client: Client, target: str) -> None:
    url = client.signer.presign("GET", target)
    reply = client.send("GET", url, client.signed("GET", url))
    assert told(reply) == (400, "InvalidArgument")


def test_host_and_sent_amz_headers_must_be_signed(client: Client, target: str) -> None:
    meta = [("x-amz-meta-a", "1")]
    assert told(client.send("PUT", client.signer.presign("PUT", target), meta, b"")) == DENIED
    url = client.signer.presign("PUT", target, meta)
    assert client.send("PUT", url, meta, b"").status == 200
    no_host = Signer(unsigned=frozenset({"host"})).presign("PUT", target, meta)
    assert told(client.send("PUT", no_host, meta, b"")) == DENIED


def test_a_payload_digest_that_is_sent_is_checked(client: Client, target: str) -> None:
    digest = [("x-amz-content-sha256", hashlib.sha256(b"right").hexdigest())]
    url = client.signer.presign("PUT", target, digest)
    assert told(client.send("PUT", url, digest, b"wrong")) == (400, "XAmzContentSHA256Mismatch")
    assert client.send("PUT", url, digest, b"right").status == 200
    streaming = [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")]
    url = client.signer.presign("PUT", target, streaming)
    assert told(client.send("PUT", url, streaming, b"")) == (501, "NotImplemented")
    assert client.ask("GET", target).body == b"right"


def test_parse_reads_the_form_and_no_more(start_server: Callable[..., Server]) -> None:
    server = start_server("--auth=parse")
    bucket = server.new_bucket()
    server.put(f"/{bucket}/k", BODY)
    url = Signer(Key("anybody", "anything")).presign("GET", f"/{bucket}/k")
    assert server.ask("GET", url).body == BODY
    assert told(server.ask("GET", url.replace("X-Amz-Expires=60", "X-Amz-Expires=0"))) == FORM
    assert told(server.ask("GET", f"/{bucket}/k?X-Amz-Signature=0")) == FORM
