"""Operations on objects: PUT, GET, HEAD and DELETE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from .answers import Answer, Failure, http_date
from .request import Request, number
from .store import OVERHEAD_BYTES, Object, Store
from .uploads import CHECKSUM, Upload

METADATA_BYTES_MAX = 2048
METADATA_PREFIX = "x-amz-meta-"
# Features of S3 that would change what a PUT does, and are not here.
_LEFT_OUT = re.compile(
    "x-amz-copy-source|x-amz-tagging|x-amz-server-side-encryption.*|x-amz-object-lock-.*"
)
# What a PUT keeps and a GET tells, in this order; a GET's `response-…` overrides it.
KEPT_NAMES = (
    "Content-Type",
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Expires",
)
DEFAULT_TYPE = "binary/octet-stream"
_AWS_CHUNKED = re.compile(
    r"\A[ \t]*aws-chunked[ \t]*(,[ \t]*|\Z)|[ \t]*,[ \t]*aws-chunked[ \t]*\Z", re.I
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
Kept = list[tuple[str, str]]


async def put_object(store: Store, request: Request) -> Answer:
    """PUT /b/key."""
    upload = Upload(request, store.object_bytes_max, "EntityTooLarge")
    upload.read_checks()
    kept = _kept(request)
    upload.read_length()
    _check_conditions(store, request)
    told_bytes = len(request.key.encode()) + sum(len(n) + len(v) for n, v in kept)
    try:
        upload.charge(store, OVERHEAD_BYTES + told_bytes + (upload.length or 0))
        await upload.receive(store)
        _check_conditions(store, request)  # others went on while the body came
        etag = f'"{upload.digest.hex()}"'
        stored = Object(bytes(upload.content), etag, kept, upload.charged_bytes)
        store.put(request.bucket, request.key, stored)
    except BaseException:  # a client that hangs up, too
        store.give_back(upload.charged_bytes)
        raise
    has_checksum = upload.has_trailer or upload.crc32 is not None
    checksum = [(CHECKSUM, upload.checksum)] if has_checksum else []
    return Answer(200, [("ETag", etag), *checksum])


def _check_conditions(store: Store, request: Request) -> None:
    """A write's conditions: entity tags alone, of the object that it would replace."""
    match, none_match = (request.headers.get(n) for n in ("if-match", "if-none-match"))
    found = store.bucket(request.bucket).objects.get(request.key)
    if found is None:
        if match is not None:
            raise Failure("NoSuchKey")
        return
    if match is not None and not _lists(match, found.etag):
        raise Failure("PreconditionFailed")
    if none_match is not None and _lists(none_match, found.etag):
        raise Failure("PreconditionFailed")


def _kept(request: Request) -> Kept:
    """The headers that GET will tell, in its order."""
    if any(_LEFT_OUT.fullmatch(name) for name in request.headers):
        raise Failure("NotImplemented")
    metadata = [(n, v) for n, v in request.fields if n.startswith(METADATA_PREFIX)]
    if sum(len(n) - len(METADATA_PREFIX) + len(v) for n, v in metadata) > METADATA_BYTES_MAX:
        raise Failure("MetadataTooLarge")
    kept = {name: request.headers.get(name.lower(), "") for name in KEPT_NAMES}
    kept["Content-Type"] = kept["Content-Type"] or DEFAULT_TYPE
    kept["Content-Encoding"] = _without_aws_chunked(kept["Content-Encoding"])
    return [(name, value) for name, value in kept.items() if value] + metadata


def _without_aws_chunked(codings: str) -> str:
    while (shorter := _AWS_CHUNKED.sub("", codings)) != codings:
        codings = shorter
    return codings


async def get_object(store: Store, request: Request) -> Answer:
    """GET and HEAD of /b/key; whoever sends a HEAD's answer leaves the body out."""
    overrides = _read_overrides(request)
    found = store.bucket(request.bucket).get(request.key)
    validators = [("ETag", found.etag), ("Last-Modified", http_date(found.modified_s))]
    if _is_unchanged(request.headers, found):
        return Answer(304, validators)
    told = [*validators, ("Accept-Ranges", "bytes"), *_overridden(found.kept, overrides)]
    size = len(found.body)
    asked = request.headers.get("range", "")
    if request.headers.get("if-range", found.etag) != found.etag:
        asked = ""
    if (part := read_range(asked, size)) is None:
        return Answer(200, told, found.body)
    told.append(("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}"))
    return Answer(206, told, memoryview(found.body)[part.start : part.stop])


def _read_overrides(request: Request) -> dict[str, str]:
    """The values that this GET wants told, by the name of their header."""
    asked = {name: request.parameters.get(f"response-{name.lower()}", "") for name in KEPT_NAMES}
    if any(_CONTROL.search(value) for value in asked.values()):
        raise Failure("InvalidArgument")  # it would break out of its header
    # Heads are written as they are read: a character a byte.
    return {name: value.encode().decode("latin-1") for name, value in asked.items() if value}


def _overridden(kept: Sequence[tuple[str, str]], overrides: dict[str, str]) -> Kept:
    """Each header in its place, whether the object has it or not.

    >>> _overridden([("Content-Type", "a/b"), ("x-amz-meta-a", "1")], {"Expires": "0"})
    [('Content-Type', 'a/b'), ('Expires', '0'), ('x-amz-meta-a', '1')]
    """
    if not overrides:
        return [*kept]
    told = {**dict(kept), **overrides}
    own = [(name, told[name]) for name in KEPT_NAMES if name in told]
    return own + [(name, value) for name, value in kept if name not in KEPT_NAMES]


def read_range(text: str, size: int) -> range | None:
    """The bytes asked for; None for all of them, which is what a malformed range means.

    >>> read_range("bytes=2-", 5), read_range("bytes=-2", 5), read_range("bytes=2-1", 5)
    (range(2, 5), range(3, 5), None)
    """
    match = re.fullmatch("bytes=([0-9]*)-([0-9]*)", text, re.IGNORECASE)
    given = [digits for digits in match.groups() if digits] if match else []
    if match is None or not given or None in [number(digits) for digits in given]:
        return None
    first = int(match[1]) if match[1] else max(size - int(match[2]), 0)
    last = int(match[2]) if match[1] and match[2] else max(size - 1, first)
    if last < first:
        return None
    if first >= size:
        raise Failure("InvalidRange")
    return range(first, min(last + 1, size))


def _is_unchanged(headers: dict[str, str], found: Object) -> bool:
    """Whether the answer is 304, or 412; entity tags win over dates, as RFC 9110 has it."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    unmodified_s = _read_date(headers.get("if-unmodified-since"))
    modified_s = _read_date(headers.get("if-modified-since"))
    if match is not None:
        holds = _lists(match, found.etag)
    else:
        holds = unmodified_s is None or found.modified_s <= unmodified_s
    if not holds:
        raise Failure("PreconditionFailed")
    if none_match is not None:
        return _lists(none_match, found.etag)
    return modified_s is not None and found.modified_s <= modified_s


def _lists(tags: str, etag: str) -> bool:
    listed = {tag.strip().removeprefix("W/").strip('"') for tag in tags.split(",")}
    return bool(listed & {"*", etag.strip('"')})


def _read_date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        parsed = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return None  # a date that is none is ignored
    return parsed.replace(tzinfo=UTC).timestamp()


async def delete_object(store: Store, request: Request) -> Answer:
    """DELETE /b/key."""
    store.delete(request.bucket, request.key)
    return Answer(204)
