"""AWS Signature Version 4 for S3, written from its specification: requests, chunks and trailers.

It is independent of botocore, against which (and against the examples of the specification)
`test_signing.py` checks it, so that a backend is judged by two readings of one text.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, unquote_to_bytes

from tests.contract.servers import AUTH_VERIFY
from tests.contract.wire import Reply, Wire

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Key:
    """An access key and its secret."""

    id: str
    secret: str


FIRST = Key("PAUSEMARKFIRST000001", "first/secret+with/all=signs")
SECOND = Key("PAUSEMARKSECOND00002", "second-secret")
VERIFYING = (
    AUTH_VERIFY,
    f"--credential={FIRST.id}:{FIRST.secret}",
    f"--credential={SECOND.id}:{SECOND.secret}",
)


@dataclass(frozen=True, slots=True)
class Seal:
    """What a request was signed with; signs the chunks and the trailer that follow it."""

    signature: str
    stamp: str
    scope: str
    signing_key: bytes

    def chunk(self, previous: str, data: bytes) -> str:
        """Signature of a chunk, chained to the one before it."""
        lines = [f"{ALGORITHM}-PAYLOAD", self.stamp, self.scope, previous, EMPTY_SHA256, _sha(data)]
        return _hmac(self.signing_key, "\n".join(lines)).hex()

    def trailer(self, previous: str, lines: bytes) -> str:
        """Signature of the trailers, each `name:value` and a line feed."""
        parts = [f"{ALGORITHM}-TRAILER", self.stamp, self.scope, previous, _sha(lines)]
        return _hmac(self.signing_key, "\n".join(parts)).hex()

    def framed(self, parts: Iterable[bytes], trailers: Headers | None = None) -> bytes:
        """The parts in aws-chunked coding, every chunk and the trailers signed."""
        previous, framed = self.signature, b""
        for part in [*parts, b""]:
            previous = self.chunk(previous, part)
            framed += b"%x;chunk-signature=%s\r\n" % (len(part), previous.encode())
            framed += part + b"\r\n" if part else b""
        if trailers is not None:
            framed += "".join(f"{name}:{value}\r\n" for name, value in trailers).encode()
            lines = "".join(f"{name}:{value}\n" for name, value in trailers).encode()
            framed += f"x-amz-trailer-signature:{self.trailer(previous, lines)}\r\n".encode()
        return framed + b"\r\n"


@dataclass(frozen=True, slots=True)
class Signer:
    """How requests are signed; every deviation that a test wants is a field."""

    key: Key = FIRST
    region: str = "us-east-1"
    service: str = "s3"
    at: datetime | None = None
    scope_day: str | None = None
    date_header: str = "x-amz-date"
    unsigned: frozenset[str] = frozenset()  # headers that are sent and not signed

    def sign(
        self, method: str, target: str, headers: Headers = (), host: str = "127.0.0.1"
    ) -> tuple[list[tuple[str, str]], Seal]:
        """Headers to send (the given, the date, Authorization), and the seal of the request.

        The payload is what `x-amz-content-sha256` among the headers says.
        """
        at = self.at or datetime.now(UTC)
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        date = stamp if self.date_header == "x-amz-date" else format_datetime(at, usegmt=True)
        sent = [*headers, *([(self.date_header, date)] if self.date_header else [])]
        scope = f"{self.scope_day or stamp[:8]}/{self.region}/{self.service}/aws4_request"
        names, canonical = self._canonical(method, target, [("host", host), *sent])
        key = signing_key(self.key.secret, scope)
        to_sign = "\n".join([ALGORITHM, stamp, scope, _sha(canonical.encode())])
        signature = _hmac(key, to_sign).hex()
        authorization = (
            f"{ALGORITHM} Credential={self.key.id}/{scope}, SignedHeaders={names}, "
            f"Signature={signature}"
        )
        return [*sent, ("Authorization", authorization)], Seal(signature, stamp, scope, key)

    def presign(
        self,
        method: str,
        target: str,
        headers: Headers = (),
        expires_s: int | str = 60,
        host: str = "127.0.0.1",
    ) -> str:
        """The target with query authentication; the headers that are sent with it are signed."""
        stamp = (self.at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{self.scope_day or stamp[:8]}/{self.region}/{self.service}/aws4_request"
        signed = [("host", host), *headers]
        names = ";".join(sorted({n.lower() for n, _ in signed if n.lower() not in self.unsigned}))
        parameters = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.key.id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": names,
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
        target += ("&" if "?" in target else "?") + query
        _, canonical = self._canonical(method, target, signed)
        to_sign = "\n".join([ALGORITHM, stamp, scope, _sha(canonical.encode())])
        signature = _hmac(signing_key(self.key.secret, scope), to_sign).hex()
        return f"{target}&X-Amz-Signature={signature}"

    def _canonical(self, method: str, target: str, headers: Headers) -> tuple[str, str]:
        by_name: dict[str, list[str]] = {}
        for name, value in headers:
            if name.lower() not in self.unsigned:
                by_name.setdefault(name.lower(), []).append(re.sub(" +", " ", value.strip()))
        names = ";".join(sorted(by_name))
        path, _, query = target.partition("?")
        payload = by_name.get("x-amz-content-sha256", ["UNSIGNED-PAYLOAD"])[0]
        lines = [method, canonical_path(path), canonical_query(query)]
        lines += [f"{name}:{','.join(by_name[name])}" for name in sorted(by_name)]
        return names, "\n".join([*lines, "", names, payload])


@dataclass(frozen=True, slots=True)
class Client:
    """Asks a verifying server with signed requests, each on a connection of its own."""

    port: int
    signer: Signer = Signer()

    def signed(
        self, method: str, target: str, headers: Headers = (), body: bytes | None = None
    ) -> list[tuple[str, str]]:
        """The headers of a signed request; the body's digest unless they say another."""
        given = list(headers)
        if not any(name.lower() == "x-amz-content-sha256" for name, _ in given):
            given.append(("x-amz-content-sha256", _sha(body or b"")))
        return self.signer.sign(method, target, given)[0]

    def ask(
        self, method: str, target: str, headers: Headers = (), body: bytes | None = None
    ) -> Reply:
        """One signed request and its answer."""
        return self.send(method, target, self.signed(method, target, headers, body), body)

    def send(self, method: str, target: str, headers: Headers, body: bytes | None = None) -> Reply:
        """One request as it is given, signed or not."""
        with Wire(self.port) as wire:
            return wire.ask(method, target, headers, body)


def canonical_path(path: str) -> str:
    """Each byte but the unreserved ones and the slash percent-encoded, once."""
    return quote(unquote_to_bytes(path), safe="/-._~")


def canonical_query(query: str) -> str:
    """Encoded pairs sorted by name, then by value; a name without a value gets an empty one."""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = [
        (quote(unquote_to_bytes(name), safe="-._~"), quote(unquote_to_bytes(value), safe="-._~"))
        for name, _, value in pairs
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def signing_key(secret: str, scope: str) -> bytes:
    """The key derived from the secret for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
