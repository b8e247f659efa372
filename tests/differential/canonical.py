"""What two answers must have in common: everything but times, ids and what a manifest declares."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.contract.servers import Backend
from tests.contract.wire import Reply

IMF_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
# Named by each server for itself, so equal in form only: header, its form.
FREE_HEADERS = {
    "Date": IMF_DATE,
    "Last-Modified": IMF_DATE,
    "x-amz-request-id": re.compile(r"[0-9A-F]{16}"),
}
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


def canonical(reply: Reply) -> Answer:
    """The answer without what each server names for itself; a free value of a wrong form stays."""
    is_xml = reply.header("content-type") == "application/xml"
    body = _FREE.sub(b"*", reply.body) if is_xml else reply.body
    headers = tuple((name, _free(name, value, is_xml)) for name, value in reply.headers)
    return Answer(reply.interim, reply.status, headers, body)


def _free(name: str, value: str, is_xml: bool) -> str:
    form = FREE_HEADERS.get(name)
    if form is not None and form.fullmatch(value):
        return "*"
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
