"""What two answers must have in common: everything but times, ids and what a manifest declares.

Nearly all answers are equal byte for byte once times and ids of the right form are starred, so
that is looked at first (`alike`); only where it says no is an answer taken apart (`canonical`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.contract.servers import Backend

# Named by each server for itself, so equal in form only: a header and its form.
_IMF_DATE = rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
FREE_HEADERS = {
    b"Date": _IMF_DATE,
    b"Last-Modified": _IMF_DATE,
    b"x-amz-request-id": rb"[0-9A-F]{16}",
}
_FREE_LINE = re.compile(
    b"|".join(b"(?:%s: )%s" % (name, form) for name, form in FREE_HEADERS.items())
)
_FREE_STARTS = frozenset(name[:4] for name in FREE_HEADERS)
_TIME = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z"
_ID = rb"[0-9a-f]{32}"
# Elements likewise: their content in this form is replaced by their name's mark.
FREE_ELEMENTS = {
    b"RequestId": rb"[0-9A-F]{16}",
    b"CreationDate": _TIME,
    b"LastModified": _TIME,
    b"Initiated": _TIME,
    b"UploadId": _ID,
    b"UploadIdMarker": _ID,
    b"NextUploadIdMarker": _ID,
    b"ContinuationToken": rb"[^<]+",
    b"NextContinuationToken": rb"[^<]+",
}
_FREE = re.compile(
    b"|".join(b"(?<=<%s>)%s(?=</%s>)" % (name, form, name) for name, form in FREE_ELEMENTS.items())
)
_REQUEST_ID = re.compile(rb"<RequestId>[0-9A-F]{16}</RequestId>")
_XML = b"Content-Type: application/xml"


@dataclass(slots=True)
class Raw:
    """An answer as it came, but for what is starred in its head."""

    status: int
    lines: list[bytes]  # of the head, the first with the status
    body: bytes
    interim: tuple[int, ...] = ()

    def closes(self) -> bool:
        """Whether the server says that the connection ends."""
        return any(line[:11].lower() == b"connection:" and b"close" in line for line in self.lines)


def starred(head: bytes) -> list[bytes]:
    """The lines of a head, free values of the right form replaced; one of a wrong form stays."""
    return [
        line.partition(b" ")[0] + b" *"
        if line[:4] in _FREE_STARTS and _FREE_LINE.fullmatch(line)
        else line
        for line in head.split(b"\r\n")
    ]


def alike(one: Raw, other: Raw, *, ordered: bool) -> bool:
    """Whether the answers are the same as they stand; two that are not may still be `same`."""
    if one.interim != other.interim:
        return False
    if one.lines != other.lines and (ordered or sorted(one.lines) != sorted(other.lines)):
        return False
    if one.body == other.body:
        return True
    return _XML in one.lines and _without_id(one.body) == _without_id(other.body)


def _without_id(body: bytes) -> bytes:
    return _REQUEST_ID.sub(b"<RequestId>*", body, 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as others must give it too."""

    interim: tuple[int, ...]
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        """Short enough to lie beside that of another backend."""
        body = self.body if len(self.body) <= 600 else self.body[:600] + b"..."
        heads = "".join(f"\n    {name}: {value}" for name, value in self.headers)
        return f"{[*self.interim, self.status]}{heads}\n    {len(self.body)} bytes: {body!r}"


CLOSED = Answer((), 0, (("closed", "without an answer"),), b"")


def canonical(raw: Raw | None) -> Answer:
    """The answer without what each server names for itself; a free value of a wrong form stays."""
    if raw is None:
        return CLOSED
    is_xml = _XML.lower() in [line.lower() for line in raw.lines]
    body = _FREE.sub(b"*", raw.body) if is_xml else raw.body
    pairs = (line.decode("latin-1").partition(":") for line in raw.lines[1:])
    headers = tuple((name, _free(name, value.strip(), is_xml)) for name, _, value in pairs)
    return Answer(raw.interim, raw.status, headers, body)


def _free(name: str, value: str, is_xml: bool) -> str:
    # Free elements have one length in every language, but for the tokens of a listing.
    return "*" if is_xml and name == "Content-Length" and value != "0" else value


def same(one: tuple[Backend, Answer], other: tuple[Backend, Answer]) -> bool:
    """Whether two backends gave one answer, by what both of them declare."""
    backends, answers = (one[0], other[0]), (one[1], other[1])
    if answers[0] == answers[1]:
        return True
    if any(_is_parsers_own(b, a) for b, a in zip(backends, answers, strict=True)):
        return answers[0].status == answers[1].status
    if any(backend.chooses("header_order") for backend in backends):
        return _unordered(answers[0]) == _unordered(answers[1])
    return False


def _unordered(answer: Answer) -> Answer:
    return Answer(answer.interim, answer.status, tuple(sorted(answer.headers)), answer.body)


def _is_parsers_own(backend: Backend, answer: Answer) -> bool:
    """Whether the HTTP library answered before the backend saw the request, as declared."""
    if not backend.chooses("parser_errors") or answer.status < 400:
        return False
    return "x-amz-request-id" not in dict(answer.headers)
