"""Draws streams of operations: mostly sound, often at a limit, sometimes wrong.

The grammar is plain functions of a seeded generator: an engine that remembers its choices
(hypothesis) takes longer to draw an operation than seven servers take to answer it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.differential.malformed import MALFORMED
from tests.differential.operations import (
    BUCKETS,
    FUTURE,
    KEYS,
    OLD,
    PART_BYTES,
    SIZES_BYTES,
    STRAY_BUCKET,
    Framing,
    Headers,
    Operation,
    content,
    crc32_base64,
    etag,
    md5_base64,
    sha256_hex,
    spoilt,
)

OPERATIONS_MAX = 60
DEPTHS = (1, 1, 2, 8)  # how many requests are under way at once
CORE, MPU, VERSIONS = frozenset[str](), frozenset({"mpu"}), frozenset({"versions"})
Drawn = Callable[[Random], Operation]

BUCKET_CHOICES = (*BUCKETS, BUCKETS[0], BUCKETS[0], STRAY_BUCKET)
TAGS = (*(etag(content(size)) for size in SIZES_BYTES[:4]), "*", '"none"', "none", '"a", "b"', "")
DATES = (OLD, FUTURE, "yesterday", "2001-01-01T00:00:00Z", "")
RANGES = (
    "bytes=0-0",
    "bytes=0-",
    "bytes=1-2",
    "bytes=-1",
    "bytes=-0",
    "bytes=-999999",
    "bytes=5-2",
    "bytes=99-100",
    "bytes=999999-",
    "bytes=0-99999999999999999999",
    "bytes=32767-32769",
    "bytes=65535-65536",
    "bytes=0-1,3-4",
    "bytes=a-b",
    "bytes=",
    "items=0-1",
)


@dataclass(frozen=True, slots=True)
class Stream:
    """Operations in their order, and how many of them may be under way at once."""

    operations: tuple[Operation, ...]
    depth: int = 1


def _path(bucket: str, key: str | None = None) -> str:
    return f"/{bucket}" if key is None else f"/{bucket}/{quote(key, safe='/~')}"


def _bucket_path(draw: Random) -> str:
    return _path(draw.choice(BUCKET_CHOICES))


def _object_path(draw: Random) -> str:
    return _path(draw.choice(BUCKET_CHOICES), draw.choice(KEYS))


def _some(draw: Random, table: Sequence[tuple[str, int, Sequence[str]]]) -> Headers:
    """Each header of the table in one of so many operations, with one of its values."""
    return tuple(
        (name, draw.choice(values)) for name, one_in, values in table if draw.random() * one_in < 1
    )


CONDITIONS = (
    ("If-Match", 6, TAGS),
    ("If-None-Match", 6, TAGS),
    ("If-Modified-Since", 6, DATES),
    ("If-Unmodified-Since", 6, DATES),
)
WRITE_CONDITIONS = (("If-Match", 12, TAGS), ("If-None-Match", 12, TAGS))
REFUSED_HEADERS = (
    ("x-amz-tagging", 40, ("a=b",)),
    ("x-amz-server-side-encryption", 40, ("AES256",)),
    ("x-amz-object-lock-mode", 40, ("GOVERNANCE",)),
)
KEPT = (
    ("Content-Type", 4, ("text/plain", "a/b; c=d", "")),
    ("Cache-Control", 4, ("no-cache", "max-age=1")),
    ("Content-Disposition", 8, ("inline", 'attachment; filename="ä"', "")),
    ("Content-Language", 8, ("en, fr", "")),
    ("Expires", 8, (FUTURE, "never", "0", "")),
    ("Content-Encoding", 4, ("gzip", "aws-chunked", "aws-chunked, gzip")),
    ("X-Amz-Meta-Colour", 4, ("red", "", "r ü d", "v" * 2000, "v" * 2100)),
    ("x-amz-meta-b", 4, ("2", " spaced  out ")),
)
OVERRIDES = tuple(
    f"?response-{name}={value}"
    for name in ("content-type", "cache-control", "content-encoding", "expires")
    for value in ("a/b", "", "%C3%A4%20%22", "a%0D%0Ab", "%7F")
)


def _checks(draw: Random, body: bytes) -> Headers:
    """Right, wrong and malformed checks of a body, each now and then."""
    wrong = spoilt(body)
    md5, crc32 = md5_base64(body), crc32_base64(body)
    return _some(
        draw,
        (
            ("Content-MD5", 6, (md5, md5, md5_base64(wrong), "no", "====", "")),
            ("x-amz-checksum-crc32", 6, (crc32, crc32, crc32_base64(wrong), "no")),
            (
                "x-amz-content-sha256",
                6,
                (sha256_hex(body), "UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD"),
            ),
        ),
    )


def _put(draw: Random) -> Operation:
    body = content(draw.choice(SIZES_BYTES))
    headers = _some(draw, KEPT) + _checks(draw, body)
    headers += _some(draw, WRITE_CONDITIONS) + _some(draw, REFUSED_HEADERS)
    framings: tuple[Framing, ...] = ("length", "length", "length", "chunked", "expect")
    return Operation("PUT", _object_path(draw), headers, body, draw.choice(framings))


def _aws_chunks(body: bytes, chunk_bytes: int, signed: bool) -> bytes:
    sign = b";chunk-signature=" + b"0" * 64 if signed else b""
    pieces = [body[at : at + chunk_bytes] for at in range(0, len(body), chunk_bytes)]
    framed = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), sign, piece) for piece in pieces)
    return framed + b"0%s\r\n" % sign


def _put_aws_chunked(draw: Random) -> Operation:
    body = content(draw.choice(SIZES_BYTES[:8]))
    signed = draw.random() < 0.5
    trailer = draw.choice((None, crc32_base64(body), crc32_base64(spoilt(body)), "no"))
    frames = _aws_chunks(body, draw.choice((1000, 8192, 65536)), signed)
    tail = b"" if trailer is None else b"x-amz-checksum-crc32:" + trailer.encode() + b"\r\n"
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if signed else "STREAMING-UNSIGNED-PAYLOAD"
    if trailer is not None or not signed:
        kind += "-TRAILER"
    told = len(body) + draw.choice((0, 0, 0, 0, 1, -1))
    headers: list[tuple[str, str]] = [
        ("Content-Encoding", draw.choice(("aws-chunked", "aws-chunked,gzip"))),
        ("x-amz-content-sha256", kind),
        ("x-amz-decoded-content-length", str(max(told, 0))),
    ]
    if trailer is not None:
        headers.append(("x-amz-trailer", "x-amz-checksum-crc32"))
    framings: tuple[Framing, ...] = ("length", "chunked", "expect")
    sent = frames + tail + b"\r\n"
    return Operation("PUT", _object_path(draw), tuple(headers), sent, draw.choice(framings))


def _get(draw: Random, method: str) -> Operation:
    override = draw.choice(OVERRIDES) if draw.randrange(10) == 0 else ""
    headers = _some(draw, (("Range", 3, RANGES), *CONDITIONS))
    return Operation(method, _object_path(draw) + override, headers)


PREFIXES = ("", "a", "a/", "a/b", "z", "ж", "%", "nothing")
DELIMITERS = ("/", "/", "/", "b", "//", "")
COUNTS = ("0", "1", "2", "3", "1000", "1001", "-1", "x", "", "99999999999999999999")
ENCODINGS = ("url", "url", "", "xml")
Parameters = dict[str, Sequence[str]]
COMMON: Parameters = {"prefix": PREFIXES, "delimiter": DELIMITERS, "encoding-type": ENCODINGS}
LIST_TYPE_2: Parameters = {
    **COMMON,
    "max-keys": COUNTS,
    "start-after": KEYS,
    "fetch-owner": ("true", "false"),
    "continuation-token": ("{token}", "{token}", ""),
}
LIST_TYPE_1: Parameters = {**COMMON, "max-keys": COUNTS, "marker": KEYS}
LIST_VERSIONS: Parameters = {**COMMON, "max-keys": COUNTS, "key-marker": KEYS}
LIST_UPLOADS: Parameters = {**COMMON, "max-uploads": COUNTS, "key-marker": KEYS}


def _list(draw: Random, query: str, parameters: Parameters) -> Operation:
    """A listing with some parameters, in any order."""
    names = draw.sample(sorted(parameters), draw.randrange(len(parameters) + 1))
    pairs = [f"{name}={_value(draw.choice(parameters[name]))}" for name in names]
    told = "&".join([query, *pairs] if query else pairs)
    return Operation("GET", f"{_bucket_path(draw)}?{told}" if told else _bucket_path(draw))


def _value(value: str) -> str:
    return value if value.startswith("{") else quote(value, safe="")


def _delete_many(draw: Random) -> Operation:
    names = [escape(draw.choice(KEYS)) for _ in range(draw.randrange(7))]
    listed = "".join(f"<Object><Key>{name}</Key></Object>" for name in names)
    quiet = draw.choice(("", "<Quiet>true</Quiet>", "<Quiet>false</Quiet>"))
    form = draw.choice(("<Delete>%s</Delete>",) * 6 + ("<Delete>%s", "%s", "<Del>%s</Del>"))
    body = (form % (quiet + listed)).encode()
    headers = _some(draw, (("Content-MD5", 6, (md5_base64(body), md5_base64(b"!"))),))
    return Operation("POST", f"{_bucket_path(draw)}?delete", headers, body)


BUCKET_NAMES = (*BUCKETS, *BUCKETS, STRAY_BUCKET, "ab", "Upper", "-dash", "under_score")


def _bucket(draw: Random, method: str, query: str = "") -> Operation:
    body = b"" if method == "PUT" else None
    return Operation(method, _path(draw.choice(BUCKET_NAMES)) + query, (), body)


def _anywhere(draw: Random, *others: str) -> str:
    return draw.choice((_object_path(draw), _bucket_path(draw), *others))


def _refused(draw: Random) -> Operation:
    parameters = ("acl", "policy", "tagging", "lifecycle", "website=", "X-Amz-Signature=0")
    method = draw.choice(("GET", "PUT", "DELETE", "POST", "HEAD"))
    body = b"" if method in {"PUT", "POST"} else None
    return Operation(method, f"{_anywhere(draw)}?{draw.choice(parameters)}", (), body)


def _stray(draw: Random) -> Operation:
    method = draw.choice(("POST", "PATCH", "OPTIONS"))
    body = b"" if method in {"POST", "PATCH"} else None
    return Operation(method, _anywhere(draw, "/"), (), body)


def _malformed(draw: Random) -> Operation:
    raw = draw.choice(MALFORMED)
    return Operation(raw.split(b" ", 1)[0].decode("latin-1"), "", (), raw, "raw")


# Multipart: parts of an upload are drawn by its number, so that they meet.
UPLOADS = ("{upload:0}", "{upload:1}", "{upload:2}", "0" * 32, "x")
PARTS = ("1", "1", "2", "3", "10000", "0", "10001", "x", "")
PART_SIZES_BYTES = (0, 100, 4096) * 20 + (PART_BYTES,)  # a large one costs as much as 100 others


def _mpu_path(draw: Random) -> str:
    return _path(BUCKETS[0], draw.choice(KEYS[:3]))


def _mpu(draw: Random, method: str, query: str, body: bytes | None = None) -> Operation:
    told = query.format(upload=draw.choice(UPLOADS), part=draw.choice(PARTS))
    return Operation(method, f"{_mpu_path(draw)}?{told}", (), body)


def _put_part(draw: Random) -> Operation:
    body = content(draw.choice(PART_SIZES_BYTES))
    query = f"partNumber={draw.choice(PARTS)}&uploadId={draw.choice(UPLOADS)}"
    return Operation("PUT", f"{_mpu_path(draw)}?{query}", _checks(draw, body), body)


def _completion(target: str, parts: Sequence[tuple[str, int]], headers: Headers) -> Operation:
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag(content(size))}</ETag></Part>"
        for number, size in parts
    )
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    return Operation("POST", target, headers, body)


def _complete(draw: Random) -> Operation:
    sizes = (100, 4096, PART_BYTES, 1)
    parts = [(draw.choice(PARTS), draw.choice(sizes)) for _ in range(draw.randrange(4))]
    if draw.random() < 0.5:
        parts.sort()
    target = f"{_mpu_path(draw)}?uploadId={draw.choice(UPLOADS)}"
    return _completion(target, parts, _some(draw, WRITE_CONDITIONS))


def _whole_upload(draw: Random) -> Sequence[Operation]:
    """An upload of two parts from its begin to its end, which single draws hardly ever make."""
    path, sizes = _mpu_path(draw), (PART_BYTES, draw.choice((100, 4096)))
    target = f"{path}?uploadId={{upload:-1}}"
    return (
        Operation("POST", f"{path}?uploads", _some(draw, KEPT), b""),
        *(
            Operation("PUT", f"{target}&partNumber={number}", (), content(size))
            for number, size in enumerate(sizes, start=1)
        ),
        _completion(target, [("1", sizes[0]), ("2", sizes[1])], _some(draw, WRITE_CONDITIONS)),
        Operation("GET", path, _some(draw, (("Range", 1, RANGES),))),
    )


COPY = (
    ("x-amz-metadata-directive", 4, ("COPY", "REPLACE", "REPLACE", "x")),
    ("x-amz-copy-source-if-match", 8, TAGS),
    ("x-amz-copy-source-if-none-match", 8, TAGS),
    ("x-amz-copy-source-if-modified-since", 8, DATES),
    ("x-amz-copy-source-if-unmodified-since", 8, DATES),
)


def _copy(draw: Random) -> Operation:
    forms = ("{0}", "{0}", "{0}", "{0}?versionId=null", "{0}?versionId=1", "/", "%zz", "")
    source = draw.choice(forms).format(_object_path(draw).removeprefix("/"))
    headers: Headers = (("x-amz-copy-source", source), *_some(draw, COPY))
    headers += _some(draw, WRITE_CONDITIONS) + _some(draw, KEPT)
    query = ""
    if draw.randrange(4) == 0:
        query = f"?partNumber={draw.choice(PARTS)}&uploadId={draw.choice(UPLOADS)}"
        headers += _some(draw, (("x-amz-copy-source-range", 2, RANGES),))
    return Operation("PUT", _object_path(draw) + query, headers, b"")


# How often each is drawn, of 120 or so; the profile that it needs.
WEIGHTED: tuple[tuple[int, frozenset[str], Drawn], ...] = (
    (18, CORE, _put),
    (8, CORE, _put_aws_chunked),
    (14, CORE, lambda draw: _get(draw, "GET")),
    (6, CORE, lambda draw: _get(draw, "HEAD")),
    (8, CORE, lambda draw: Operation("DELETE", _object_path(draw))),
    (10, CORE, lambda draw: _list(draw, "list-type=2", LIST_TYPE_2)),
    (6, CORE, lambda draw: _list(draw, "", LIST_TYPE_1)),
    (4, CORE, _delete_many),
    (4, CORE, lambda draw: _bucket(draw, "PUT")),
    (2, CORE, lambda draw: _bucket(draw, "DELETE")),
    (2, CORE, lambda draw: _bucket(draw, "HEAD")),
    (1, CORE, lambda draw: _bucket(draw, "GET", "?location")),
    (1, CORE, lambda _: Operation("GET", "/")),
    (2, CORE, _refused),
    (1, CORE, _stray),
    (2, CORE, _malformed),
    (3, VERSIONS, lambda draw: _list(draw, "versions", LIST_VERSIONS)),
    (1, VERSIONS, lambda draw: _bucket(draw, "GET", "?versioning")),
    (5, MPU, lambda draw: _mpu(draw, "POST", "uploads", b"")),
    (9, MPU, _put_part),
    (5, MPU, _complete),
    (2, MPU, lambda draw: _mpu(draw, "DELETE", "uploadId={upload}")),
    (3, MPU, lambda draw: _mpu(draw, "GET", "uploadId={upload}&max-parts={part}")),
    (3, MPU, lambda draw: _list(draw, "uploads", LIST_UPLOADS)),
    (6, MPU, _copy),
)
WHOLE_UPLOAD_ONE_IN = 20  # streams


def stream(draw: Random, profiles: frozenset[str]) -> Stream:
    """A stream that asks for nothing outside the core and these profiles."""
    known = [(weight, drawn) for weight, needs, drawn in WEIGHTED if needs <= profiles]
    weights, kinds = zip(*known, strict=True)
    count = draw.randint(1, OPERATIONS_MAX)
    drawn = [kind(draw) for kind in draw.choices(kinds, weights, k=count)]
    if profiles >= MPU and draw.randrange(WHOLE_UPLOAD_ONE_IN) == 0:
        at = draw.randrange(count + 1)
        drawn[at:at] = _whole_upload(draw)
    return Stream(tuple(drawn), draw.choice(DEPTHS))
