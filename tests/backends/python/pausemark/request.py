"""From a head to a request: its line, its headers, how its body is framed, and its target."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from .answers import Failure
from .incoming import HEAD_BYTES_MAX, TOKEN, FramingError, Input, LineTooLongError, read_field

NUMBER_MAX = 2**64 - 1  # other languages count no further

_REQUEST_LINE = re.compile(TOKEN + r" ([!-~]+) HTTP/1\.([01])")
_AUTHORITY = re.compile("http://[^/?]*", re.IGNORECASE)  # how a proxy asks; the path counts
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(slots=True)
class Request:
    """One request; bucket, key and parameters are known once its target was read."""

    method: str
    target: str
    fields: Sequence[tuple[str, str]]  # names in lower case, in their order
    headers: dict[str, str]  # the same by name
    keeps_alive: bool
    awaits_continue: bool
    length: int | None = None
    is_chunked: bool = False
    body: AsyncIterator[bytes] = field(init=False)  # the connection's to give
    bucket: str = ""
    key: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """As it was sent: what errors call the resource."""
        return self.target.partition("?")[0]


async def read_request(source: Input) -> Request:
    """The next head; its body is still to be read."""
    try:
        return _parse(await _head(source))
    except LineTooLongError:
        raise Failure("RequestHeaderSectionTooLarge") from None
    except FramingError:
        raise Failure("BadRequest") from None


async def _head(source: Input) -> list[bytes]:
    lines: list[bytes] = []
    left = HEAD_BYTES_MAX
    while True:
        line = await source.line(left)
        left -= len(line) + 2
        if line:
            lines.append(line)
        elif lines:  # an empty line before a request is skipped, as RFC 9112 asks
            return lines


def _parse(lines: Sequence[bytes]) -> Request:
    first = _REQUEST_LINE.fullmatch(lines[0].decode("latin-1"))
    if first is None:
        raise FramingError
    fields = [read_field(line) for line in lines[1:]]
    names = [name for name, _ in fields]
    headers = dict(fields)
    if names.count("host") != 1:
        raise FramingError
    connection = ",".join(value for name, value in fields if name == "connection")
    options = {option.strip().lower() for option in connection.split(",")}
    request = Request(
        method=first[1],
        target=_AUTHORITY.sub("", first[2], 1),
        fields=fields,
        headers=headers,
        keeps_alive=first[3] == "1" and "close" not in options,
        awaits_continue=headers.get("expect", "").lower() == "100-continue",
    )
    _read_framing(request, names)
    return request


def _read_framing(request: Request, names: Sequence[str]) -> None:
    """How long the body is: whatever two readers could understand differently is refused."""
    framings = names.count("content-length") + names.count("transfer-encoding")
    request.length = number(request.headers.get("content-length", ""))
    request.is_chunked = request.headers.get("transfer-encoding", "").lower() == "chunked"
    understood = (request.length is not None) + request.is_chunked
    if framings > 1 or understood != framings:
        raise FramingError


def number(text: str) -> int | None:
    """A number in decimal digits, or None where it is none or beyond 64 bits.

    >>> number("12"), number("+1"), number("9" * 20)
    (12, None, None)
    """
    value = int(text) if re.fullmatch("[0-9]{1,20}", text) else NUMBER_MAX + 1
    return value if value <= NUMBER_MAX else None


def read_target(request: Request) -> None:
    """Split and decode the target: bucket, key and parameters."""
    path, _, query = request.target.partition("?")
    if path and not path.startswith("/"):
        raise Failure("InvalidURI")
    bucket, _, key = path[1:].partition("/")
    request.bucket, request.key = decoded(bucket), decoded(key)
    pairs = (pair.partition("=") for pair in query.replace("+", " ").split("&"))
    request.parameters = {decoded(name): decoded(value) for name, _, value in pairs if name}


def decoded(text: str) -> str:
    """Percent-decoded.

    >>> decoded("a+b%20%C3%A4")
    'a+b ä'
    """
    if _BAD_ESCAPE.search(text):
        raise Failure("InvalidURI")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise Failure("InvalidURI") from None
