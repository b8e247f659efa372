"""boto3 against a server that verifies: its signatures, its multipart transfers, its copies."""

from __future__ import annotations

import base64
import io
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.contract.conftest import Fleet, Server
from tests.contract.servers import Backend
from tests.contract.signing import FIRST, SECOND, VERIFYING, Key
from tests.contract.uploads import PART_BYTES_MIN

pytestmark = pytest.mark.profile("verify")

BODY = b"0123456789" * 1000
BIG = bytes(range(256)) * ((2 * PART_BYTES_MIN + 1000) // 256)
TRANSFER = TransferConfig(multipart_threshold=PART_BYTES_MIN, multipart_chunksize=PART_BYTES_MIN)
Connect = Callable[..., Any]


@pytest.fixture
def verifying(backend: Backend, fleet: Fleet) -> Server:
    """The shared server that verifies."""
    return fleet.server(backend, *VERIFYING)


@pytest.fixture
def connect(verifying: Server) -> Iterator[Connect]:
    """Makes S3 clients with a key and settings; closed after the test."""
    made: list[Any] = []

    def one(key: Key = FIRST, **settings: Any) -> Any:
        made.append(
            boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{verifying.port}",
                region_name="eu-west-3",
                aws_access_key_id=key.id,
                aws_secret_access_key=key.secret,
                config=Config(retries={"total_max_attempts": 1}, **settings),
            )
        )
        return made[-1]

    yield one
    for client in made:
        client.close()


@pytest.fixture
def filled(connect: Connect) -> tuple[Any, str]:
    """A client with the first key, and a bucket that holds `a key/€+%`."""
    client, name = connect(), f"signed-{time.monotonic_ns()}"
    client.create_bucket(Bucket=name)
    client.put_object(
        Bucket=name, Key="a key/€+%", Body=BODY, Metadata={"a": "two  words"}, ContentType="t/p"
    )
    return client, name


def error_code(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The S3 code (or, for HEAD, the status) that boto3 read from an error."""
    return str(error.value.response["Error"]["Code"])


def test_everyday_operations_pass(filled: tuple[Any, str]) -> None:
    client, bucket = filled
    got = client.get_object(Bucket=bucket, Key="a key/€+%", Range="bytes=10-19")
    assert got["Body"].read() == BODY[10:20]
    assert client.head_object(Bucket=bucket, Key="a key/€+%")["ContentType"] == "t/p"
    listed = client.list_objects_v2(Bucket=bucket, Prefix="a key/", Delimiter="+")
    assert [p["Prefix"] for p in listed["CommonPrefixes"]] == ["a key/€+"]
    client.put_object(Bucket=bucket, Key="stream", Body=io.BytesIO(BODY))
    gone = {"Objects": [{"Key": "a key/€+%"}, {"Key": "stream"}]}
    assert len(client.delete_objects(Bucket=bucket, Delete=gone)["Deleted"]) == 2
    client.delete_bucket(Bucket=bucket)
    assert bucket not in [b["Name"] for b in client.list_buckets()["Buckets"]]


@pytest.mark.parametrize("signed_payload", [True, False])
def test_signed_and_unsigned_payloads(
    connect: Connect, filled: tuple[Any, str], signed_payload: bool
) -> None:
    _, bucket = filled
    client = connect(
        SECOND,
        s3={"payload_signing_enabled": signed_payload},
        request_checksum_calculation="when_required",
    )
    client.put_object(Bucket=bucket, Key="k", Body=BODY)
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (Key(FIRST.id, "wrong"), "SignatureDoesNotMatch"),
        (Key("NOBODY", FIRST.secret), "InvalidAccessKeyId"),
    ],
    ids=["secret", "id"],
)
def test_a_wrong_key_is_told(
    connect: Connect, filled: tuple[Any, str], key: Key, code: str
) -> None:
    client, bucket = connect(key), filled[1]
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=bucket, Key="k", Body=BODY)
    assert error_code(error) == code
    with pytest.raises(ClientError) as error:
        client.head_bucket(Bucket=bucket)
    assert error_code(error) == "403"


@pytest.mark.profile("mpu")
def test_a_transfer_in_parts_and_a_copy_of_it(filled: tuple[Any, str]) -> None:
    client, bucket = filled
    extra = {"Metadata": {"colour": "red"}, "ContentType": "a/b"}
    client.upload_fileobj(io.BytesIO(BIG), bucket, "a big one", ExtraArgs=extra, Config=TRANSFER)
    head = client.head_object(Bucket=bucket, Key="a big one")
    assert (head["ContentLength"], head["ETag"][-3:]) == (len(BIG), '-3"')
    assert (head["Metadata"], head["ContentType"]) == ({"colour": "red"}, "a/b")
    into = io.BytesIO()
    client.download_fileobj(bucket, "a big one", into, Config=TRANSFER)
    assert into.getvalue() == BIG
    # Above the threshold a managed copy is made of UploadPartCopy.
    client.copy({"Bucket": bucket, "Key": "a big one"}, bucket, "copy/€", Config=TRANSFER)
    assert client.get_object(Bucket=bucket, Key="copy/€")["Body"].read() == BIG
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


@pytest.mark.profile("mpu")
def test_copies_and_their_conditions(filled: tuple[Any, str]) -> None:
    client, bucket = filled
    source = {"Bucket": bucket, "Key": "a key/€+%"}
    tag = client.copy_object(Bucket=bucket, Key="c", CopySource=source)["CopyObjectResult"]["ETag"]
    got = client.get_object(Bucket=bucket, Key="c")
    assert (got["Body"].read(), got["ETag"]) == (BODY, tag)
    assert (got["Metadata"], got["ContentType"]) == ({"a": "two  words"}, "t/p")
    client.copy_object(
        Bucket=bucket, Key="c", CopySource=source, Metadata={"b": "2"}, MetadataDirective="REPLACE"
    )
    assert client.head_object(Bucket=bucket, Key="c")["Metadata"] == {"b": "2"}
    with pytest.raises(ClientError) as error:
        client.copy_object(Bucket=bucket, Key="d", CopySource=source, CopySourceIfNoneMatch=tag)
    assert error_code(error) == "PreconditionFailed"


@pytest.mark.profile("mpu")
def test_uploads_parts_and_aborts(filled: tuple[Any, str]) -> None:
    client, bucket = filled
    ids = {
        key: client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        for key in ("b €", "a", "c")
    }
    part = client.upload_part(
        Bucket=bucket, Key="a", PartNumber=1, UploadId=ids["a"], Body=io.BytesIO(BODY)
    )
    pages = client.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 2}
    )
    uploads = [(u["Key"], u["UploadId"]) for page in pages for u in page["Uploads"]]
    assert uploads == [(key, ids[key]) for key in ("a", "b €", "c")]
    parts = client.list_parts(Bucket=bucket, Key="a", UploadId=ids["a"])["Parts"]
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in parts] == [
        (1, len(BODY), part["ETag"])
    ]
    client.complete_multipart_upload(
        Bucket=bucket,
        Key="a",
        UploadId=ids["a"],
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == BODY
    for key in ("b €", "c"):
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=ids[key])
    with pytest.raises(ClientError) as error:
        client.list_parts(Bucket=bucket, Key="c", UploadId=ids["c"])
    assert error_code(error) == "NoSuchUpload"


@pytest.mark.profile("versions")
def test_versions_are_stubs(filled: tuple[Any, str]) -> None:
    client, bucket = filled
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)
    versions = client.list_object_versions(Bucket=bucket)["Versions"]
    assert [(v["Key"], v["VersionId"], v["IsLatest"]) for v in versions] == [
        ("a key/€+%", "null", True)
    ]


@pytest.mark.profile("checksums")
def test_a_checksum_is_told_to_who_asks(filled: tuple[Any, str]) -> None:
    """CRC-32 is what botocore computes without more packages; its default since 2025."""
    client, bucket = filled
    client.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm="CRC32")
    got = client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == BODY
    assert got["ChecksumCRC32"] == base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
