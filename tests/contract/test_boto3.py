"""boto3 with its default settings: an unmodified client must find nothing to complain about."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import Server

BODY = b"0123456789" * 1000


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    """An S3 client whose only settings are where the server is and whose keys are made up."""
    made = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        region_name="us-east-1",
        aws_access_key_id="somebody",
        aws_secret_access_key="something",
    )
    yield made
    made.close()


def error_code(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The S3 code (or, for HEAD, the status) that boto3 read from an error."""
    return str(error.value.response["Error"]["Code"])


def test_put_get_head_range_list_delete(client: Any, server: Server) -> None:
    bucket = f"boto3-{server.backend.variant}-{time.monotonic_ns()}"
    client.create_bucket(Bucket=bucket)
    client.put_object(
        Bucket=bucket, Key="a key/€+%", Body=BODY, Metadata={"colour": "red"}, ContentType="t/p"
    )
    got = client.get_object(Bucket=bucket, Key="a key/€+%")
    assert got["Body"].read() == BODY
    assert (got["Metadata"], got["ContentType"]) == ({"colour": "red"}, "t/p")
    head = client.head_object(Bucket=bucket, Key="a key/€+%")
    assert (head["ContentLength"], head["ETag"]) == (len(BODY), got["ETag"])
    part = client.get_object(Bucket=bucket, Key="a key/€+%", Range="bytes=10-19")
    assert (part["Body"].read(), part["ResponseMetadata"]["HTTPStatusCode"]) == (BODY[10:20], 206)
    listed = client.list_objects_v2(Bucket=bucket)
    assert [(o["Key"], o["Size"]) for o in listed["Contents"]] == [("a key/€+%", len(BODY))]
    assert [o["Key"] for o in client.list_objects(Bucket=bucket)["Contents"]] == ["a key/€+%"]
    assert bucket in [b["Name"] for b in client.list_buckets()["Buckets"]]
    with pytest.raises(ClientError) as error:
        client.delete_bucket(Bucket=bucket)
    assert error_code(error) == "BucketNotEmpty"
    client.delete_object(Bucket=bucket, Key="a key/€+%")
    client.delete_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as error:
        client.head_bucket(Bucket=bucket)
    assert error_code(error) == "404"


def test_a_put_does_not_wait_for_its_100_continue(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="warm", Body=BODY)
    started_s = time.monotonic()
    for number in range(5):
        client.put_object(Bucket=bucket, Key=str(number), Body=BODY)
    assert time.monotonic() - started_s < 2.5  # without it each takes a second and more


def test_streams_and_files(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="stream", Body=io.BytesIO(BODY))
    client.upload_fileobj(io.BytesIO(BODY), bucket, "file")
    into = io.BytesIO()
    client.download_fileobj(bucket, "file", into)
    assert into.getvalue() == BODY
    assert client.get_object(Bucket=bucket, Key="stream")["Body"].read() == BODY


def test_paginators_and_delete_objects(client: Any, bucket: str) -> None:
    keys = [f"p {n % 7}/{n:03}" for n in range(60)]
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    for operation in ("list_objects_v2", "list_objects"):
        pages = client.get_paginator(operation).paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 7}
        )
        assert [o["Key"] for page in pages for o in page["Contents"]] == sorted(keys)
        pages = client.get_paginator(operation).paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
        )
        prefixes = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
        assert prefixes == [f"p {n}/" for n in range(7)]
    gone = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert sorted(d["Key"] for d in gone["Deleted"]) == sorted(keys)
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_conditions_and_errors(client: Any, bucket: str) -> None:
    tag = client.put_object(Bucket=bucket, Key="k", Body=BODY)["ETag"]
    for arguments, code in (
        ({"IfNoneMatch": tag}, "304"),
        ({"IfMatch": '"0"'}, "PreconditionFailed"),
        ({"Range": "bytes=999999-"}, "InvalidRange"),
    ):
        with pytest.raises(ClientError) as error:
            client.get_object(Bucket=bucket, Key="k", **arguments)
        assert error_code(error) == code
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*")
    assert error_code(error) == "PreconditionFailed"
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=bucket, Key="missing")
    with pytest.raises(ClientError) as error:
        client.get_object_tagging(Bucket=bucket, Key="k")
    assert error_code(error) == "NotImplemented"
