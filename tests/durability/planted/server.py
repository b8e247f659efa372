"""The planted store's face: as much of S3 over HTTP/1.1 as the durability tests speak."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from tests.durability.log_format import (
    CREATE_BUCKET,
    DELETE,
    DELETE_BUCKET,
    KEPT_HEADERS,
    Record,
    put,
)
from tests.durability.planted.journal import Journal, forgets

NAMES = {404: "NoSuchKey", 409: "BucketNotEmpty", 412: "PreconditionFailed"}
NAMES |= {500: "InternalError", 503: "SlowDown"}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    journal: ClassVar[Journal]

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        if status in NAMES and not body:
            body = f'<?xml version="1.0"?><Error><Code>{NAMES[status]}</Code></Error>'.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)
        self.wfile.flush()

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).strip("/")

    def do_GET(self) -> None:
        """An object, or the keys of a bucket."""
        key = self._key()
        record = self.journal.index.get(key)
        if not key:
            self._answer(200, b"<ListAllMyBucketsResult/>")
        elif "/" not in key:
            found = [k for k in sorted(self.journal.index) if k.startswith(key + "/")]
            names = [k.split("/", 1)[1] for k in found]
            keys = "".join(f"<Contents><Key>{escape(n)}</Key></Contents>" for n in names)
            body = f"<ListBucketResult>{keys}</ListBucketResult>".encode()
            self._answer(200 if record else 404, body if record else b"")
        elif record is None:
            self._answer(404)
        else:
            headers = {
                "ETag": record.etag,
                "Last-Modified": formatdate(record.time_ns // 10**9, usegmt=True),
                "Content-Type": "binary/octet-stream",
            }
            headers.update({name.title(): value for name, value in record.metadata})
            self._answer(200, record.data, headers)

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        """An object or a bucket."""
        key = self._key()
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if "/" not in key:
            self._submit(Record(CREATE_BUCKET, key, time_ns=time.time_ns()), lambda _: 0)
            return
        names = [n for n in KEPT_HEADERS if n in self.headers]
        names += sorted(n.lower() for n in self.headers if n.lower().startswith("x-amz-meta-"))
        metadata = tuple((n, self.headers[n]) for n in names)
        record = put(key, body, metadata, time.time_ns())
        self._submit(record, lambda index: self._refusal(index, key), record.etag)

    def _refusal(self, index: dict[str, Record], key: str) -> int:
        """What the bucket, and the conditions on what stands there now, make of a PUT."""
        match, none_match = (self.headers.get(name) for name in ("If-Match", "If-None-Match"))
        found = index.get(key)
        if key.split("/", 1)[0] not in index or (found is None and match is not None):
            return 404
        if found is None:
            return 0
        fails = match is not None and not lists(match, found.etag)
        return 412 if fails or (none_match is not None and lists(none_match, found.etag)) else 0

    def do_DELETE(self) -> None:
        """An object or a bucket."""
        key = self._key()
        if "/" in key:
            record = Record(DELETE, key, time_ns=time.time_ns())
            if forgets(self.journal.fault, record):
                self.journal.index.pop(key, None)
                self._answer(204)
                return
            self._submit(record, lambda _: 0, good=204)
            return
        held = key + "/"

        def refusal(index: dict[str, Record]) -> int:
            return 409 if any(k.startswith(held) for k in index) else 0

        self._submit(Record(DELETE_BUCKET, key, time_ns=time.time_ns()), refusal, good=204)

    def _submit(
        self,
        record: Record,
        condition: Callable[[dict[str, Record]], int],
        etag: str | None = None,
        good: int = 200,
    ) -> None:
        status = self.journal.submit(record, condition)
        self._answer(good if status == 200 else status, headers={"ETag": etag} if etag else {})

    def log_message(self, format: str, *args: object) -> None:
        """A store is silent."""


def lists(tags: str, etag: str) -> bool:
    """Whether a condition names this entity tag."""
    return bool({tag.strip(' "') for tag in tags.split(",")} & {"*", etag.strip('"')})


def main() -> None:
    """Serve until a signal."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write("planted 1\n")
        return
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("address", "data-directory", "durability", "fault"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--port", type=int)
    parser.add_argument("--segment-bytes", type=int, default=1 << 20)
    parser.add_argument("--log-bytes-max", type=int, default=1 << 30)
    parser.add_argument("--sync-interval-ms", type=int, default=100)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Handler.journal = Journal(
        Path(asked.data_directory),
        asked.durability or "batch",
        asked.fault,
        asked.segment_bytes,
        asked.log_bytes_max,
    )
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer((asked.address, asked.port), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
