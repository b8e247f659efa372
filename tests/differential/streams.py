"""Draws streams of operations: mostly sound, often at a limit, sometimes wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import quote
from xml.sax.saxutils import escape

from hypothesis import strategies as st

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
)

OPERATIONS_MAX = 60
MPU, VERSIONS, CHECKSUMS = frozenset({"mpu"}), frozenset({"versions"}), frozenset({"checksums"})
Drawn = st.SearchStrategy[Operation]

buckets = st.sampled_from((*BUCKETS, BUCKETS[0], BUCKETS[0], STRAY_BUCKET))
keys = st.sampled_from(KEYS)
sizes = st.sampled_from(SIZES_BYTES)
tags = st.sampled_from(
    (*(etag(content(size)) for size in SIZES_BYTES[:4]), "*", '"none"', "none", '"a", "b"', "")
)
dates = st.sampled_from((OLD, FUTURE, "yesterday", "2001-01-01T00:00:00Z", ""))
ranges = st.sampled_from(
    (
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
)


def _path(bucket: str, key: str | None = None) -> str:
    return f"/{bucket}" if key is None else f"/{bucket}/{quote(key, safe='/~')}"


paths = st.builds(_path, buckets, keys)


def _maybe(
    name: str, values: st.SearchStrategy[str], one_in: int = 4
) -> st.SearchStrategy[Headers]:
    """The header in one of so many operations."""
    absent = st.just(())
    return st.one_of(*[absent] * (one_in - 1), values.map(lambda value: ((name, value),)))


def _joined(*parts: st.SearchStrategy[Headers]) -> st.SearchStrategy[Headers]:
    return st.tuples(*parts).map(lambda drawn: tuple(pair for some in drawn for pair in some))


CONDITIONS = _joined(
    _maybe("If-Match", tags, 6),
    _maybe("If-None-Match", tags, 6),
    _maybe("If-Modified-Since", dates, 6),
    _maybe("If-Unmodified-Since", dates, 6),
)
WRITE_CONDITIONS = _joined(_maybe("If-Match", tags, 12), _maybe("If-None-Match", tags, 12))
REFUSED_HEADERS = _joined(
    _maybe("x-amz-tagging", st.just("a=b"), 40),
    _maybe("x-amz-server-side-encryption", st.just("AES256"), 40),
    _maybe("x-amz-object-lock-mode", st.just("GOVERNANCE"), 40),
)
KEPT = _joined(
    _maybe("Content-Type", st.sampled_from(("text/plain", "a/b; c=d", ""))),
    _maybe("Cache-Control", st.sampled_from(("no-cache", "max-age=1"))),
    _maybe("Content-Disposition", st.sampled_from(("inline", 'attachment; filename="ä"', "")), 8),
    _maybe("Content-Language", st.sampled_from(("en, fr", "")), 8),
    _maybe("Expires", st.sampled_from((FUTURE, "never", "0", "")), 8),
    _maybe("Content-Encoding", st.sampled_from(("gzip", "aws-chunked", "aws-chunked, gzip"))),
    _maybe("X-Amz-Meta-Colour", st.sampled_from(("red", "", "r ü d", "v" * 2000, "v" * 2100))),
    _maybe("x-amz-meta-b", st.sampled_from(("2", " spaced  out "))),
)


@st.composite
def _checks(draw: st.DrawFn, body: bytes) -> Headers:
    """Right, wrong and malformed checks of a body, each now and then."""
    wrong = body + b"!"
    kinds: dict[str, Sequence[str]] = {
        "Content-MD5": (md5_base64(body), md5_base64(body), md5_base64(wrong), "no", "====", ""),
        "x-amz-checksum-crc32": (crc32_base64(body), crc32_base64(body), crc32_base64(wrong), "no"),
        "x-amz-content-sha256": (
            hashlib.sha256(body).hexdigest(),
            "UNSIGNED-PAYLOAD",
            "UNSIGNED-PAYLOAD",
        ),
    }
    return draw(_joined(*(_maybe(name, st.sampled_from(v), 6) for name, v in kinds.items())))


@st.composite
def _put(draw: st.DrawFn) -> Operation:
    body = content(draw(sizes))
    headers = draw(_joined(KEPT, _checks(body), WRITE_CONDITIONS, REFUSED_HEADERS))
    framing: Framing = draw(st.sampled_from(("length", "length", "length", "chunked", "expect")))
    return Operation("PUT", draw(paths), headers, body, framing)


def _aws_chunks(body: bytes, chunk_bytes: int, signed: bool) -> bytes:
    sign = b";chunk-signature=" + b"0" * 64 if signed else b""
    pieces = [body[at : at + chunk_bytes] for at in range(0, len(body), chunk_bytes)]
    framed = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), sign, piece) for piece in pieces)
    return framed + b"0%s\r\n" % sign


@st.composite
def _put_aws_chunked(draw: st.DrawFn) -> Operation:
    body = content(draw(st.sampled_from(SIZES_BYTES[:8])))
    signed = draw(st.booleans())
    trailer = draw(st.sampled_from((None, crc32_base64(body), crc32_base64(body + b"!"), "no")))
    frames = _aws_chunks(body, draw(st.sampled_from((1000, 8192, 65536))), signed)
    tail = b"" if trailer is None else b"x-amz-checksum-crc32:" + trailer.encode() + b"\r\n"
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if signed else "STREAMING-UNSIGNED-PAYLOAD"
    if trailer is not None or not signed:
        kind += "-TRAILER"
    told = len(body) + draw(st.sampled_from((0, 0, 0, 0, 1, -1)))
    headers: list[tuple[str, str]] = [
        ("Content-Encoding", draw(st.sampled_from(("aws-chunked", "aws-chunked,gzip")))),
        ("x-amz-content-sha256", kind),
        ("x-amz-decoded-content-length", str(max(told, 0))),
    ]
    if trailer is not None:
        headers.append(("x-amz-trailer", "x-amz-checksum-crc32"))
    framing: Framing = draw(st.sampled_from(("length", "chunked", "expect")))
    return Operation("PUT", draw(paths), tuple(headers), frames + tail + b"\r\n", framing)


OVERRIDES = tuple(
    f"?response-{name}={value}"
    for name in ("content-type", "cache-control", "content-encoding", "expires")
    for value in ("a/b", "", "%C3%A4%20%22", "a%0D%0Ab", "%7F")
)


def _get(method: str) -> Drawn:
    headers = _joined(_maybe("Range", ranges, 3), CONDITIONS)
    overrides = st.one_of(*[st.just("")] * 9, st.sampled_from(OVERRIDES))
    return st.builds(
        lambda path, override, drawn: Operation(method, path + override, drawn),
        paths,
        overrides,
        headers,
    )


def _query(**values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Parameters in any order, each there or not."""
    names = {name.replace("_", "-"): value for name, value in values.items()}
    some = st.lists(st.sampled_from(sorted(names)), unique=True, max_size=len(names))
    pairs = some.flatmap(
        lambda chosen: st.tuples(*(st.tuples(st.just(n), names[n]) for n in chosen))
    )
    return pairs.map(lambda drawn: "&".join(f"{n}={_value(v)}" for n, v in drawn))


def _value(value: str) -> str:
    return value if value.startswith("{") else quote(value, safe="")


prefixes = st.sampled_from(("", "a", "a/", "a/b", "z", "ж", "%", "nothing"))
delimiters = st.sampled_from(("/", "/", "/", "b", "//", ""))
counts = st.sampled_from(
    ("0", "1", "2", "3", "1000", "1001", "-1", "x", "", "99999999999999999999")
)
encodings = st.sampled_from(("url", "url", "", "xml"))


def _list(query: str, parameters: st.SearchStrategy[str], needs: frozenset[str]) -> Drawn:
    def build(bucket: str, rest: str) -> Operation:
        parts = [part for part in (query, rest) if part]
        target = "?".join((_path(bucket), "&".join(parts))) if parts else _path(bucket)
        return Operation("GET", target, profiles=needs)

    return st.builds(build, buckets, parameters)


LISTINGS = (
    _list(
        "list-type=2",
        _query(
            prefix=prefixes,
            delimiter=delimiters,
            max_keys=counts,
            start_after=keys,
            encoding_type=encodings,
            fetch_owner=st.sampled_from(("true", "false")),
            continuation_token=st.sampled_from(("{token}", "{token}", "")),
        ),
        frozenset(),
    ),
    _list(
        "",
        _query(
            prefix=prefixes,
            delimiter=delimiters,
            max_keys=counts,
            marker=keys,
            encoding_type=encodings,
        ),
        frozenset(),
    ),
)
VERSION_LISTINGS = _list(
    "versions",
    _query(
        prefix=prefixes,
        delimiter=delimiters,
        max_keys=counts,
        key_marker=keys,
        encoding_type=encodings,
    ),
    VERSIONS,
)


@st.composite
def _delete_many(draw: st.DrawFn) -> Operation:
    chosen = draw(st.lists(keys, min_size=0, max_size=6))
    names = [escape(key) for key in chosen]
    listed = "".join(f"<Object><Key>{name}</Key></Object>" for name in names)
    quiet = draw(st.sampled_from(("", "<Quiet>true</Quiet>", "<Quiet>false</Quiet>")))
    form = draw(
        st.sampled_from(("<Delete>%s</Delete>",) * 6 + ("<Delete>%s", "%s", "<Del>%s</Del>"))
    )
    body = (form % (quiet + listed)).encode()
    wrong = _maybe("Content-MD5", st.sampled_from((md5_base64(body), md5_base64(b"!"))), 6)
    return Operation("POST", f"{_path(draw(buckets))}?delete", draw(wrong), body)


def _bucket(method: str, names: st.SearchStrategy[str], query: str = "") -> Drawn:
    body = b"" if method == "PUT" else None
    return names.map(lambda name: Operation(method, _path(name) + query, (), body))


bucket_names = st.sampled_from(
    (*BUCKETS, *BUCKETS, STRAY_BUCKET, "ab", "Upper", "-dash", "under_score")
)
REFUSED = st.builds(
    lambda method, path, query: Operation(
        method, f"{path}?{query}", (), b"" if method in {"PUT", "POST"} else None
    ),
    st.sampled_from(("GET", "PUT", "DELETE", "POST", "HEAD")),
    st.one_of(paths, buckets.map(_path)),
    st.sampled_from(("acl", "policy", "tagging", "lifecycle", "website=", "X-Amz-Signature=0")),
)
STRAY = st.builds(
    lambda method, path: Operation(method, path, (), b"" if method in {"POST", "PATCH"} else None),
    st.sampled_from(("POST", "PATCH", "OPTIONS")),
    st.one_of(paths, buckets.map(_path), st.just("/")),
)
MALFORMED_OPERATIONS = st.sampled_from(MALFORMED).map(
    lambda raw: Operation(raw.split(b" ", 1)[0].decode("latin-1"), "", (), raw, "raw")
)

# Multipart: parts of an upload are drawn by its number, so that they meet.
upload_numbers = st.sampled_from(("{upload:0}", "{upload:1}", "{upload:2}", "0" * 32, "x"))
part_numbers = st.sampled_from(("1", "1", "2", "3", "10000", "0", "10001", "x", ""))
mpu_paths = st.builds(_path, st.just(BUCKETS[0]), st.sampled_from(KEYS[:3]))


def _mpu(method: str, query: str, body: bytes | None = None) -> Drawn:
    def build(path: str, upload: str, part: str) -> Operation:
        target = f"{path}?{query.format(upload=upload, part=part)}"
        return Operation(method, target, (), body, profiles=MPU)

    return st.builds(build, mpu_paths, upload_numbers, part_numbers)


@st.composite
def _put_part(draw: st.DrawFn) -> Operation:
    size = draw(st.sampled_from((0, 100, 4096, 100, 4096, 100, 4096, PART_BYTES)))
    body = content(size)
    target = f"{draw(mpu_paths)}?partNumber={draw(part_numbers)}&uploadId={draw(upload_numbers)}"
    return Operation("PUT", target, draw(_checks(body)), body, profiles=MPU)


@st.composite
def _complete(draw: st.DrawFn) -> Operation:
    parts = draw(st.lists(st.tuples(part_numbers, st.sampled_from((100, 4096, PART_BYTES, 1)))))
    parts = parts[:3]
    if draw(st.booleans()):
        parts = sorted(parts)
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag(content(size))}</ETag></Part>"
        for number, size in parts
    )
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    target = f"{draw(mpu_paths)}?uploadId={draw(upload_numbers)}"
    return Operation("POST", target, draw(WRITE_CONDITIONS), body, profiles=MPU)


@st.composite
def _copy(draw: st.DrawFn) -> Operation:
    forms = ("{0}", "{0}", "{0}", "{0}?versionId=null", "{0}?versionId=1", "/", "%zz", "")
    source = draw(st.sampled_from(forms)).format(draw(paths).removeprefix("/"))
    headers = _joined(
        st.just((("x-amz-copy-source", source),)),
        _maybe("x-amz-metadata-directive", st.sampled_from(("COPY", "REPLACE", "REPLACE", "x"))),
        _maybe("x-amz-copy-source-if-match", tags, 8),
        _maybe("x-amz-copy-source-if-none-match", tags, 8),
        _maybe("x-amz-copy-source-if-modified-since", dates, 8),
        _maybe("x-amz-copy-source-if-unmodified-since", dates, 8),
        WRITE_CONDITIONS,
        KEPT,
    )
    target, query = draw(paths), ""
    drawn = draw(headers)
    if draw(st.integers(0, 3)) == 0:
        query = f"?partNumber={draw(part_numbers)}&uploadId={draw(upload_numbers)}"
        drawn += draw(_maybe("x-amz-copy-source-range", ranges, 2))
    return Operation("PUT", target + query, drawn, b"", profiles=MPU)


UPLOAD_LISTINGS = _list(
    "uploads",
    _query(
        prefix=prefixes,
        delimiter=delimiters,
        max_uploads=counts,
        key_marker=keys,
        encoding_type=encodings,
    ),
    MPU,
)

# How often each is drawn, of 100 or so.
WEIGHTED: tuple[tuple[int, Drawn], ...] = (
    (18, _put()),
    (8, _put_aws_chunked()),
    (14, _get("GET")),
    (6, _get("HEAD")),
    (8, st.builds(lambda path: Operation("DELETE", path), paths)),
    (10, LISTINGS[0]),
    (6, LISTINGS[1]),
    (4, _delete_many()),
    (4, _bucket("PUT", bucket_names)),
    (2, _bucket("DELETE", bucket_names)),
    (2, _bucket("HEAD", bucket_names)),
    (1, _bucket("GET", bucket_names, "?location")),
    (1, st.just(Operation("GET", "/"))),
    (2, REFUSED),
    (1, STRAY),
    (2, MALFORMED_OPERATIONS),
    (3, VERSION_LISTINGS),
    (1, _bucket("GET", bucket_names, "?versioning").map(lambda o: _needing(o, VERSIONS))),
    (5, _mpu("POST", "uploads", b"")),
    (9, _put_part()),
    (5, _complete()),
    (2, _mpu("DELETE", "uploadId={upload}")),
    (3, _mpu("GET", "uploadId={upload}&max-parts={part}")),
    (3, UPLOAD_LISTINGS),
    (6, _copy()),
)


def _needing(operation: Operation, profiles: frozenset[str]) -> Operation:
    return Operation(operation.method, operation.target, operation.headers, profiles=profiles)


def streams(
    profiles: frozenset[str], length_max: int = OPERATIONS_MAX
) -> st.SearchStrategy[list[Operation]]:
    """Streams that ask for nothing outside the core and these profiles."""
    every = [drawn for weight, drawn in WEIGHTED for _ in range(weight)]
    one = st.sampled_from(every).flatmap(lambda drawn: drawn)
    allowed = one.filter(lambda operation: operation.profiles <= profiles)
    return st.lists(allowed, min_size=1, max_size=length_max)
