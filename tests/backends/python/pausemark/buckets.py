"""Operations on the service and on buckets, but for listings of objects."""

from __future__ import annotations

from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from .answers import NAMESPACE, OWNER, Answer, Failure, document, element, xml, xml_date
from .request import Request
from .store import KEY_BYTES_MAX, Store
from .uploads import Upload

KEYS_MAX = 1000
DOCUMENT_BYTES_MAX = 8 << 20  # 1000 keys, each byte of them written as a reference


async def list_buckets(store: Store, _: Request) -> Answer:
    """GET /."""
    told = [
        element("Name", name) + element("CreationDate", xml_date(bucket.created_s))
        for name, bucket in sorted(store.buckets.items())
    ]
    buckets = "".join(f"<Bucket>{one}</Bucket>" for one in told)
    return document("ListAllMyBucketsResult", OWNER, f"<Buckets>{buckets}</Buckets>")


async def create_bucket(store: Store, request: Request) -> Answer:
    """PUT /b."""
    store.create(request.bucket)
    return Answer(200, [("Location", f"/{request.bucket}")])


async def head_bucket(store: Store, request: Request) -> Answer:
    """HEAD /b."""
    store.bucket(request.bucket)
    return Answer()


async def delete_bucket(store: Store, request: Request) -> Answer:
    """DELETE /b."""
    store.remove(request.bucket)
    return Answer(204)


async def get_location(store: Store, request: Request) -> Answer:
    """GET /b?location."""
    store.bucket(request.bucket)
    return xml(f"<LocationConstraint {NAMESPACE}/>")


async def delete_objects(store: Store, request: Request) -> Answer:
    """POST /b?delete."""
    upload = Upload(request, DOCUMENT_BYTES_MAX, "MalformedXML")
    upload.read_checks()
    upload.read_length()
    store.bucket(request.bucket)
    try:
        upload.charge(store, upload.length or 0)
        await upload.receive(store)
    finally:
        store.give_back(upload.charged_bytes)
    keys, is_quiet = _read_keys(bytes(upload.content))
    told = [_delete(store, request.bucket, key, is_quiet) for key in keys]
    return document("DeleteResult", *told)


def _delete(store: Store, bucket: str, key: str, is_quiet: bool) -> str:
    if len(key.encode()) > KEY_BYTES_MAX:
        return f"<Error>{element('Key', key)}{Failure('KeyTooLongError').told}</Error>"
    store.delete(bucket, key)
    return "" if is_quiet else f"<Deleted>{element('Key', key)}</Deleted>"


class _PlainBuilder(TreeBuilder):
    """Builds documents without types of their own, and so without entities that could grow."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        """Refuse it."""
        raise Failure("MalformedXML")


# A version, and the conditions of a deletion.
_LEFT_OUT = ("VersionId", "ETag", "LastModifiedTime", "Size")


def _read_keys(text: bytes) -> tuple[list[str], bool]:
    """All keys before the first deletion: a document that is wrong deletes nothing."""
    parser = XMLParser(target=_PlainBuilder())
    try:
        parser.feed(text)
        root: Element = parser.close()
    except (ParseError, LookupError, ValueError):  # the last two: an encoding that is not known
        raise Failure("MalformedXML") from None
    objects = root.findall("{*}Object")
    keys = [one.findtext("{*}Key") or "" for one in objects]
    if root.tag.rpartition("}")[2] != "Delete" or not 0 < len(keys) <= KEYS_MAX or "" in keys:
        raise Failure("MalformedXML")
    if any(one.find(f"{{*}}{name}") is not None for one in objects for name in _LEFT_OUT):
        raise Failure("NotImplemented")
    return keys, root.findtext("{*}Quiet") == "true"
