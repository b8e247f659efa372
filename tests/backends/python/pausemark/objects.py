"""Operations on objects: PUT, GET, HEAD and DELETE."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from .answers import Answer, Failure, http_date
from .request import Request, number
from .store import OVERHEAD_BYTES, Object, Store
from .uploads import CHECKSUM, Upload

METADATA_BYTES_MAX = 2048
METADATA_PREFIX = "x-amz-meta-"
# Features of S3 that would change what a PUT does, and are not here.
LEFT_OUT = {"x-amz-copy-source", "x-amz-tagging", "if-match"}
DEFAULT_TYPE = "binary/octet-stream"
_AWS_CHUNKED = re.compile(
    r"\A[ \t]*aws-chunked[ \t]*(,[ \t]*|\Z)|[ \t]*,[ \t]*aws-chunked[ \t]*\Z", re.I
)
Kept = list[tuple[str, str]]


async def put_object(store: Store, request: Request) -> Answer:
    """PUT /b/key."""
    upload = Upload(request, store.object_bytes_max, "EntityTooLarge")
    upload.read_checks()
    kept = _kept(request)
    only_if_absent = "if-none-match" in request.headers
    if only_if_absent and request.headers["if-none-match"] != "*":
        raise Failure("NotImplemented")
    upload.read_length()
    _check_absent(store, request, only_if_absent)
    told_bytes = len(request.key.encode()) + sum(len(n) + len(v) for n, v in kept)
    try:
        upload.charge(store, OVERHEAD_BYTES + told_bytes + (upload.length or 0))
        await upload.receive(store)
        _check_absent(store, request, only_if_absent)  # others went on while the body came
        etag = f'"{upload.digest.hex()}"'
        stored = Object(bytes(upload.content), etag, kept, upload.charged_bytes)
        store.put(request.bucket, request.key, stored)
    except BaseException:  # a client that hangs up, too
        store.give_back(upload.charged_bytes)
        raise
    has_checksum = upload.has_trailer or upload.crc32 is not None
    checksum = [(CHECKSUM, upload.checksum)] if has_checksum else []
    return Answer(200, [("ETag", etag), *checksum])


def _check_absent(store: Store, request: Request, only_if_absent: bool) -> None:
    if request.key in store.bucket(request.bucket).objects and only_if_absent:
        raise Failure("PreconditionFailed")


def _kept(request: Request) -> Kept:
    """The headers that GET will tell, in its order."""
    if LEFT_OUT & request.headers.keys():
        raise Failure("NotImplemented")
    metadata = [(n, v) for n, v in request.fields if n.startswith(METADATA_PREFIX)]
    if sum(len(n) - len(METADATA_PREFIX) + len(v) for n, v in metadata) > METADATA_BYTES_MAX:
        raise Failure("MetadataTooLarge")
    codings = request.headers.get("content-encoding", "")
    while (shorter := _AWS_CHUNKED.sub("", codings)) != codings:
        codings = shorter
    kept = [
        ("Content-Type", request.headers.get("content-type") or DEFAULT_TYPE),
        ("Cache-Control", request.headers.get("cache-control", "")),
        ("Content-Encoding", codings),
    ]
    return [(name, value) for name, value in kept if value] + metadata


async def get_object(store: Store, request: Request) -> Answer:
    """GET and HEAD of /b/key; whoever sends a HEAD's answer leaves the body out."""
    found = store.bucket(request.bucket).get(request.key)
    validators = [("ETag", found.etag), ("Last-Modified", http_date(found.modified_s))]
    if _is_unchanged(request.headers, found):
        return Answer(304, validators)
    told = [*validators, ("Accept-Ranges", "bytes"), *found.kept]
    size = len(found.body)
    asked = request.headers.get("range", "")
    if request.headers.get("if-range", found.etag) != found.etag:
        asked = ""
    if (part := read_range(asked, size)) is None:
        return Answer(200, told, found.body)
    told.append(("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}"))
    return Answer(206, told, memoryview(found.body)[part.start : part.stop])


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
