"""Answers: the head in the contract's order, XML documents, and every error word for word."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
OWNER = "<Owner><ID>pausemark</ID><DisplayName>pausemark</DisplayName></Owner>"
WITHOUT_LENGTH = {204, 304}

# The contract's table, as far as the core goes: code, status, message.
ERRORS = {
    "AuthorizationHeaderMalformed": (400, "The authorization header is malformed."),
    "BadDigest": (400, "The digest you sent did not match what was received."),
    "BadRequest": (400, "The request is not valid HTTP."),
    "BucketNotEmpty": (409, "The bucket is not empty."),
    "EntityTooLarge": (400, "The object exceeds the size limit."),
    "IncompleteBody": (400, "The body does not have the length that was promised."),
    "InvalidArgument": (400, "An argument is not valid."),
    "InvalidBucketName": (400, "The bucket's name is not valid."),
    "InvalidDigest": (400, "The Content-MD5 is not valid."),
    "InvalidRange": (416, "The range cannot be satisfied."),
    "InvalidURI": (400, "The URI cannot be parsed."),
    "KeyTooLongError": (400, "The key is longer than 1024 bytes."),
    "MalformedTrailerError": (400, "The trailer is not the one announced."),
    "MalformedXML": (400, "The XML is not well formed or not as expected."),
    "MetadataTooLarge": (400, "The metadata exceeds 2 KiB."),
    "MethodNotAllowed": (405, "The method is not allowed on this resource."),
    "MissingContentLength": (411, "A Content-Length is required."),
    "NoSuchBucket": (404, "The bucket does not exist."),
    "NoSuchKey": (404, "The key does not exist."),
    "NotImplemented": (501, "This is not implemented."),
    "PreconditionFailed": (412, "A precondition did not hold."),
    "RequestHeaderSectionTooLarge": (431, "The request's head exceeds 16 KiB."),
    "SlowDown": (503, "The store is full; reduce your rate."),
    "TooManyBuckets": (400, "There are 1000 buckets already."),
}
# These end the connection: what follows could not be told from the next request, or is too much.
CLOSING = {"BadRequest", "EntityTooLarge", "RequestHeaderSectionTooLarge"}
OF_HTTP_ITSELF = {"BadRequest", "RequestHeaderSectionTooLarge"}  # no resource was understood yet

_ESCAPES = {number: f"&#x{number:02X};" for number in range(32) if chr(number) not in "\t\n"}
_ESCAPES |= {ord("\r"): "&#13;", ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
_ESCAPES |= {ord('"'): "&quot;", ord("'"): "&apos;"}


class Failure(Exception):
    """An error of the contract's table, raised where it is found and told once."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.status, self._message = ERRORS[code]
        self.closes = code in CLOSING

    @property
    def told(self) -> str:
        """Code and message as documents tell them."""
        return element("Code", self.code) + element("Message", self._message)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the operation's own headers, and the body that GET would send."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = field(default=())
    body: bytes | memoryview = b""

    def head(self, request_id: str, closes: bool) -> bytes:
        """The bytes before the body."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Date: {_date_now(int(time.time()))}",
            "Server: pausemark",
            f"x-amz-request-id: {request_id}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        if self.status not in WITHOUT_LENGTH:
            lines.append(f"Content-Length: {len(self.body)}")
        if closes:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def document(root: str, *parts: str) -> Answer:
    """A document in S3's namespace."""
    return xml(f"<{root} {NAMESPACE}>{''.join(parts)}</{root}>")


def xml(text: str, status: int = 200) -> Answer:
    """An answer that is XML."""
    headers = [("Content-Type", "application/xml")]
    return Answer(status, headers, (XML_DECLARATION + text).encode())


def error(failure: Failure, resource: str, request_id: str) -> Answer:
    """The document that tells a failure."""
    parts = [
        failure.told,
        element("Resource", "/" if failure.code in OF_HTTP_ITSELF else resource),
        element("RequestId", request_id),
    ]
    return xml(f"<Error>{''.join(parts)}</Error>", failure.status)


def element(name: str, value: object) -> str:
    r"""An element with text.

    >>> element("Key", "a<b\x01")
    '<Key>a&lt;b&#x01;</Key>'
    """
    return f"<{name}>{str(value).translate(_ESCAPES)}</{name}>"


def http_date(unix_s: int) -> str:
    """As headers say it."""
    return formatdate(unix_s, usegmt=True)


def xml_date(unix_s: int) -> str:
    """As documents say it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(unix_s))


@lru_cache(maxsize=1)  # the contract caches it for a second
def _date_now(unix_s: int) -> str:
    return http_date(unix_s)
