"""From a stream that parts the servers to a shorter one that still does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.differential.judge import DifferenceError, LostServerError
from tests.differential.operations import Operation
from tests.differential.streams import Stream

SECONDS_MAX = 60.0
Play = Callable[[Stream], None]


def shortest(
    play: Play, stream: Stream, found: DifferenceError, seconds_max: float = SECONDS_MAX
) -> tuple[Stream, DifferenceError]:
    """The shortest stream that was found within the time, and what it shows.

    Operations are taken out in halves, quarters and one by one, then headers and bodies of those
    that are left, as long as any difference remains. One that never comes again leaves the stream
    as it was, with a note, and so does one that lost a server, which cannot be asked again.
    """
    if isinstance(found, LostServerError):
        return stream, found
    ends_s = time.monotonic() + seconds_max
    if (again := _difference(play, stream)) is None:
        found.add_note("it did not come again when the stream was played once more")
        return stream, found
    found = again
    improved = True
    while improved:
        improved = False
        for shorter in _shorter(stream):
            if time.monotonic() > ends_s:
                return stream, found
            if (difference := _difference(play, shorter)) is not None:
                stream, found, improved = shorter, difference, True
                break
        if isinstance(found, LostServerError):
            return stream, found
    return stream, found


def _difference(play: Play, stream: Stream) -> DifferenceError | None:
    try:
        play(stream)
    except DifferenceError as error:
        return error
    return None


def _shorter(stream: Stream) -> Iterator[Stream]:
    """What to try next, the largest step first."""
    operations = stream.operations
    size = len(operations)
    while size > 0:
        for at in range(0, len(operations), size):
            yield replace(stream, operations=operations[:at] + operations[at + size :])
        size //= 2
    if stream.depth > 1:
        yield replace(stream, depth=1)
    for at, operation in enumerate(operations):
        for simpler in _simpler(operation):
            changed = (*operations[:at], simpler, *operations[at + 1 :])
            yield replace(stream, operations=changed)


def _simpler(operation: Operation) -> Iterator[Operation]:
    if operation.framing == "raw":
        return
    headers = operation.headers
    for at in range(len(headers)):
        yield replace(operation, headers=headers[:at] + headers[at + 1 :])
    if operation.framing != "length":
        yield replace(operation, framing="length")
    body = operation.body or b""
    if len(body) > 1:
        yield replace(operation, body=body[: len(body) // 2])
