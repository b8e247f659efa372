"""Listings of a bucket's objects, in both versions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

from .answers import OWNER, Answer, Failure, document, element, xml_date
from .request import Request, number
from .store import Object, Store

KEYS_MAX = 1000
COUNT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Question:
    """What the parameters ask for."""

    asked: dict[str, str]
    is_v2: bool
    keys_max: int
    after: str

    def get(self, name: str) -> str:
        """A parameter's value; empty where it was not sent, which means the same."""
        return self.asked.get(name, "")

    def element(self, name: str, value: str) -> str:
        """An element with a name from the bucket, encoded as was asked."""
        return element(name, quote(value, safe="/~") if self.get("encoding-type") else value)

    def optional(self, name: str, value: str) -> str:
        """The same, where there is a value."""
        return self.element(name, value) if value else ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a bucket's names in order, and whether more follow."""

    names: list[tuple[str, Object | None]]  # a common prefix has no object
    is_truncated: bool


async def list_objects(store: Store, request: Request) -> Answer:
    """GET /b and GET /b?list-type=2, which differ in how they say where they stand."""
    question = _read(request.parameters)
    bucket = store.bucket(request.bucket)
    names = bucket.walk(question.get("prefix"), question.get("delimiter"), question.after)
    shown = list(islice(names, question.keys_max))
    page = Page(shown, is_truncated=bool(shown) and next(names, None) is not None)
    return document(
        "ListBucketResult",
        element("Name", request.bucket),
        question.element("Prefix", question.get("prefix")),
        *(_position_v2 if question.is_v2 else _position_v1)(question, page),
        element("MaxKeys", question.keys_max),
        question.optional("Delimiter", question.get("delimiter")),
        question.optional("EncodingType", question.get("encoding-type")),
        element("IsTruncated", str(page.is_truncated).lower()),
        *[_contents(question, key, found) for key, found in shown if found is not None],
        *[_common_prefix(question, name) for name, found in shown if found is None],
    )


def _read(asked: dict[str, str]) -> Question:
    is_v2 = asked.get("list-type") == "2"
    keys_max = number(asked.get("max-keys", str(KEYS_MAX)))
    if keys_max is None or keys_max > COUNT_MAX or asked.get("encoding-type", "url") != "url":
        raise Failure("InvalidArgument")
    after = asked.get("start-after" if is_v2 else "marker", "")
    if is_v2 and "continuation-token" in asked:
        after = _from_token(asked["continuation-token"])
    return Question(asked, is_v2, min(keys_max, KEYS_MAX), after)


def _token(name: str) -> str:
    """A page ends with this name.

    >>> _from_token(_token("ж/"))
    'ж/'
    """
    return name.encode().hex()


def _from_token(token: str) -> str:
    try:
        name = bytes.fromhex(token).decode()
    except ValueError:
        name = ""
    if not name or _token(name) != token:
        raise Failure("InvalidArgument")
    return name


def _position_v1(question: Question, page: Page) -> list[str]:
    parts = [question.element("Marker", question.after)]
    if page.is_truncated:
        parts.append(question.element("NextMarker", page.names[-1][0]))
    return parts


def _position_v2(question: Question, page: Page) -> list[str]:
    parts = []
    if "start-after" in question.asked:
        parts.append(question.element("StartAfter", question.get("start-after")))
    if "continuation-token" in question.asked:
        parts.append(element("ContinuationToken", question.get("continuation-token")))
    if page.is_truncated:
        parts.append(element("NextContinuationToken", _token(page.names[-1][0])))
    return [*parts, element("KeyCount", len(page.names))]


def _contents(question: Question, key: str, found: Object) -> str:
    has_owner = not question.is_v2 or question.get("fetch-owner") == "true"
    parts = [
        question.element("Key", key),
        element("LastModified", xml_date(found.modified_s)),
        element("ETag", found.etag),
        element("Size", len(found.body)),
        OWNER if has_owner else "",
        element("StorageClass", "STANDARD"),
    ]
    return f"<Contents>{''.join(parts)}</Contents>"


def _common_prefix(question: Question, name: str) -> str:
    return f"<CommonPrefixes>{question.element('Prefix', name)}</CommonPrefixes>"
