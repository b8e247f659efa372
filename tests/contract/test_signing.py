"""The signer that judges backends, judged: by the specification's examples, and by botocore."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.contract.signing import (
    EMPTY_SHA256,
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    Headers,
    Key,
    Signer,
    canonical_path,
    canonical_query,
)

# The examples of "Signature Calculations for the Authorization Header" in the S3 API reference.
EXAMPLE = Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
AT = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "examplebucket.s3.amazonaws.com"
CHUNKED_HEADERS = [
    ("content-encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "66560"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
]


@pytest.mark.parametrize(
    ("method", "target", "headers", "signature"),
    [
        (
            "GET",
            "/test.txt",
            [("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY_SHA256)],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            [
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ("x-amz-content-sha256", hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()),
            ],
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/?lifecycle",
            [("x-amz-content-sha256", EMPTY_SHA256)],
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/?max-keys=2&prefix=J",
            [("x-amz-content-sha256", EMPTY_SHA256)],
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["range", "put", "lifecycle", "list"],
)
def test_examples_of_the_specification(
    method: str, target: str, headers: Headers, signature: str
) -> None:
    assert Signer(EXAMPLE, at=AT).sign(method, target, headers, HOST)[1].signature == signature


def test_the_example_of_signed_chunks() -> None:
    headers = [("x-amz-content-sha256", SIGNED_CHUNKS), ("content-length", "66824")]
    target = "/examplebucket/chunkObject.txt"
    signer = Signer(EXAMPLE, at=AT)
    seal = signer.sign("PUT", target, [*headers, *CHUNKED_HEADERS], "s3.amazonaws.com")[1]
    assert seal.signature == "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    framed = seal.framed([b"a" * 65536, b"a" * 1024])
    assert len(framed) == 66824
    for signature in (
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ):
        assert f";chunk-signature={signature}\r\n".encode() in framed


def test_the_example_of_a_signed_trailer() -> None:
    headers = [
        ("x-amz-content-sha256", SIGNED_CHUNKS_TRAILER),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
    ]
    target = "/examplebucket/chunkObject.txt"
    signer = Signer(EXAMPLE, at=AT)
    seal = signer.sign("PUT", target, [*headers, *CHUNKED_HEADERS], "s3.amazonaws.com")[1]
    assert seal.signature == "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    trailers = [("x-amz-checksum-crc32c", "sOO8/Q==")]
    framed = seal.framed([b"a" * 65536, b"a" * 1024], trailers)
    for signature in (
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ):
        assert f";chunk-signature={signature}\r\n".encode() in framed
    signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
    assert framed.endswith(f"\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/bucket/key",
        "/bucket/a%20key/%E2%82%AC%2B%25",
        "/bucket/a//b/../c",
        "/bucket?list-type=2&prefix=a%2Fb&delimiter=%2F",
        "/bucket?uploads=",
        "/bucket/k?partNumber=1&uploadId=0123456789abcdef0123456789abcdef",
    ],
)
@pytest.mark.parametrize("payload", [EMPTY_SHA256, "UNSIGNED-PAYLOAD"])
def test_botocore_signs_alike(target: str, payload: str) -> None:
    headers = [("x-amz-content-sha256", payload), ("x-amz-meta-a", "  two   words "), ("a", "b")]
    asked = AWSRequest("GET", f"http://{HOST}{target}", headers=dict(headers))
    asked.context.update(payload_signing_enabled=True, client_config=None)
    auth = S3SigV4Auth(Credentials(EXAMPLE.id, EXAMPLE.secret), "s3", "us-east-1")
    asked.context["timestamp"] = stamp = AT.strftime("%Y%m%dT%H%M%SZ")
    asked.headers["x-amz-date"] = stamp
    canonical = auth.canonical_request(asked)
    signature = auth.signature(auth.string_to_sign(asked, canonical), asked)
    assert Signer(EXAMPLE, at=AT).sign("GET", target, headers, HOST)[1].signature == signature


def test_what_came_encoded_is_not_encoded_twice() -> None:
    assert (
        canonical_path("/b/a%20b+c(d)*€~%e2%82%ac") == "/b/a%20b%2Bc%28d%29%2A%E2%82%AC~%E2%82%AC"
    )
    assert canonical_query("b=2&uploads&a-b=1&a=c%2fd&a=A") == "a=A&a=c%2Fd&a-b=1&b=2&uploads="
