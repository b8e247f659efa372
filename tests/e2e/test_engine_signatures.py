"""What the engine signs, computed once more by botocore and by the contract's own signer."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ENGINE = Path(__file__).resolve().parents[2] / "build" / "loadgen" / "pausemark-engine"
KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1"
SIGNED = ("Host", "x-amz-content-sha256", "x-amz-date")
SIZE = 10_000  # more than the engine hashes at once


@dataclass
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Store:
    """Answers 200 to everything, and keeps what was asked."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def a_store() -> Iterator[Store]:
    store = Store()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = dict(self.headers.items())
            store.asked.append(Asked(self.command, self.path, headers, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_PUT = do_HEAD = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _plan(port: int, payload: str) -> dict[str, Any]:
    operations: list[dict[str, Any]] = [
        {"name": name, "weight": 1, "status": 200} for name in ("get", "put", "head", "delete")
    ]
    operations.append({"name": "list", "weight": 1, "status": 200, "prefix": "a/b"})
    operations.append({"name": "range", "weight": 1, "status": 200, "length_bytes": 10})
    return {
        "schema": 1,
        "target": {
            "address": "127.0.0.1",
            "port": port,
            "credentials": {"access_key": KEY, "secret_key": SECRET, "region": REGION},
            "payload": payload,
        },
        "scenario": {
            "schema": 1,
            "name": "all",
            "objects": {
                **{"bucket": "bench", "count": 9, "churn": 4, "size_bytes": SIZE},
                "key": "a/b~{index}.c",
            },
            "operations": operations,
            "check": {"digest_one_in": 0},
        },
        "rate_rps": 100,
        "warmup_s": 0,
        "duration_s": 1,
        "connections": 4,
        "seed": 1,
    }


def _signature(asked: Asked, port: int) -> str:
    request = AWSRequest(
        method=asked.method,
        url=f"http://127.0.0.1:{port}{asked.target}",
        headers={name: asked.headers[name] for name in SIGNED},
    )
    request.context["timestamp"] = asked.headers["x-amz-date"]
    request.context["signing"] = {"payload_signing_enabled": True}
    auth = S3SigV4Auth(Credentials(KEY, SECRET), "s3", REGION)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return str(auth.signature(text, request))


@pytest.mark.parametrize("payload", ["unsigned", "hex"])
def test_botocore_signs_the_same(payload: str) -> None:
    with a_store() as store:
        plan = json.dumps(_plan(store.port, payload))
        for verb in ("bucket", "run", "cleanup"):
            subprocess.run(
                [ENGINE, verb], input=plan, text=True, timeout=60, capture_output=True, check=False
            )
        assert {asked.method for asked in store.asked} == {"GET", "PUT", "HEAD", "DELETE"}
        assert any("list-type=2" in asked.target for asked in store.asked)
        assert any("Range" in asked.headers for asked in store.asked)
        assert any(asked.target == "/bench" for asked in store.asked)
        for asked in store.asked:
            told = asked.headers["Authorization"].rsplit("Signature=", 1)[1]
            assert told == _signature(asked, store.port), asked
            content = asked.headers["x-amz-content-sha256"]
            digest = hashlib.sha256(asked.body).hexdigest()
            assert content == ("UNSIGNED-PAYLOAD" if payload == "unsigned" else digest)
