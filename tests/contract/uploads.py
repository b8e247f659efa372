"""Multipart uploads over the raw wire: the few requests that tests of several files make."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.contract.conftest import Server
from tests.contract.wire import Reply

PART_BYTES_MIN = 5 << 20
COPY_SOURCE = "x-amz-copy-source"


def etag(body: bytes) -> str:
    """The entity tag of a part or of a plain object."""
    return f'"{hashlib.md5(body).hexdigest()}"'


def etag_of_parts(parts: Sequence[bytes]) -> str:
    """The entity tag of an object made of parts."""
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'


def completion(parts: Iterable[tuple[int, str]]) -> bytes:
    """The body of CompleteMultipartUpload: part numbers and entity tags."""
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>" for number, tag in parts
    )
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


@dataclass
class Upload:
    """One open upload, and the tags of its parts."""

    server: Server
    target: str  # /bucket/key, as it is spelled on the wire
    id: str
    tags: dict[int, str] = field(default_factory=dict)

    def put(
        self,
        number: int | str,
        body: bytes | None = b"",
        headers: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """Upload a part; its tag is remembered when it was taken."""
        target = f"{self.target}?partNumber={number}&uploadId={self.id}"
        reply = self.server.ask("PUT", target, headers, body)
        if reply.status == 200 and isinstance(number, int):
            self.tags[number] = reply.header("etag") or ""
        return reply

    def complete(
        self,
        parts: Iterable[tuple[int, str]] | bytes | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """Complete with these parts, with this body, or with all that were uploaded."""
        if parts is None:
            parts = sorted(self.tags.items())
        body = parts if isinstance(parts, bytes) else completion(parts)
        return self.server.ask("POST", f"{self.target}?uploadId={self.id}", headers, body)

    def abort(self) -> Reply:
        """Give the upload up."""
        return self.server.ask("DELETE", f"{self.target}?uploadId={self.id}")

    def parts(self, query: str = "") -> Reply:
        """List its parts."""
        return self.server.ask("GET", f"{self.target}?uploadId={self.id}{query}")

    def gone(self) -> bool:
        """Whether the server no longer knows it."""
        return self.parts().code() == "NoSuchUpload"


def begin(server: Server, target: str, headers: Sequence[tuple[str, str]] = ()) -> Upload:
    """Initiate an upload, which must succeed."""
    reply = server.ask("POST", f"{target}?uploads", headers, b"")
    assert reply.status == 200, reply
    return Upload(server, target, reply.xml().findtext("UploadId") or "")
