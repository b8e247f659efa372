"""The parts of the stream: what is drawn, what counts as equal, how a stream gets shorter."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.differential.canonical import Raw, alike, canonical, starred
from tests.differential.judge import SENT_BYTES_MAX, DifferenceError, batches
from tests.differential.operations import Operation
from tests.differential.shrink import shortest
from tests.differential.streams import CORE, MPU, VERSIONS, Stream, stream

EVERYTHING = CORE | MPU | VERSIONS
HEAD = (
    b"HTTP/1.1 404 Not Found\r\nDate: Thu, 01 Jan 2026 00:00:0%d GMT\r\nServer: pausemark\r\n"
    b"x-amz-request-id: %s\r\nContent-Type: application/xml\r\nContent-Length: %d"
)


def answer(second: int = 0, identity: bytes = b"0123456789ABCDEF", code: bytes = b"A") -> Raw:
    """An error's document."""
    body = b"<Error><Code>%s</Code><RequestId>%s</RequestId></Error>" % (code, identity)
    return Raw(404, starred(HEAD % (second, identity, len(body))), body)


def test_a_seed_draws_the_same_stream_again() -> None:
    drawn = [stream(Random(f"1 {number}"), EVERYTHING) for number in range(50)]
    assert drawn == [stream(Random(f"1 {number}"), EVERYTHING) for number in range(50)]
    assert len(set(drawn)) == 50
    assert len({one.depth for one in drawn}) > 1


def test_a_core_stream_asks_for_no_profile() -> None:
    operations = [o for n in range(200) for o in stream(Random(n), CORE).operations]
    assert not any("upload" in o.target or "version" in o.target for o in operations)
    assert not any(name == "x-amz-copy-source" for o in operations for name, _ in o.headers)
    assert {o.framing for o in operations} == {"length", "chunked", "expect", "raw"}


def test_answers_are_alike_but_for_times_and_ids() -> None:
    one = answer()
    assert alike(one, answer(5, b"F" * 16), ordered=True)
    assert canonical(one) == canonical(answer(5, b"F" * 16))
    shuffled = replace(one, lines=[one.lines[0], *reversed(one.lines[1:])])
    assert not alike(one, shuffled, ordered=True)
    assert alike(one, shuffled, ordered=False)


@pytest.mark.parametrize(
    "other",
    [
        answer(code=b"B"),
        answer(identity=b"0123456789abcdef"),
        answer(identity=b"0123"),
        replace(answer(), body=answer().body.replace(b"<RequestId>0123456789ABCDEF", b"")),
        replace(answer(), lines=answer().lines[:1] + answer().lines[2:]),
        replace(answer(), interim=(100,)),
    ],
    ids=["code", "lower-case", "short", "no id", "no date", "interim"],
)
def test_what_differs_is_told_by_both_comparisons(other: Raw) -> None:
    assert not alike(answer(), other, ordered=True)
    assert canonical(answer()) != canonical(other)


def test_operations_that_must_wait_are_sent_alone() -> None:
    plain = Operation("GET", "/b/k")
    named = Operation("GET", "/b?continuation-token={token}")
    expect = Operation("PUT", "/b/k", (), b"x", "expect")
    large = Operation("PUT", "/b/k", (), b"x" * (SENT_BYTES_MAX + 1))
    operations = [plain, plain, named, plain, expect, plain, large, plain, plain, plain]
    told = list(batches(operations, 2))
    assert [one for batch in told for one in batch] == operations
    assert [len(batch) for batch in told] == [2, 1, 1, 1, 1, 1, 2, 1]


def test_a_stream_is_shortened_to_what_parts() -> None:
    def play(played: Stream) -> None:
        if any(("a", "1") in one.headers and one.body for one in played.operations):
            raise DifferenceError

    parts = Operation("PUT", "/b/k", (("b", "2"), ("a", "1")), b"x" * 64, "chunked")
    long = Stream((*[Operation("GET", "/")] * 20, parts, *[Operation("GET", "/")] * 9), 8)
    short, _ = shortest(play, long, DifferenceError())
    assert short == Stream((Operation("PUT", "/b/k", (("a", "1"),), b"x"),))


def test_a_difference_that_never_comes_again_is_told_as_it_was() -> None:
    found = DifferenceError("once")
    whole = Stream((Operation("GET", "/"),))
    assert shortest(lambda _: None, whole, found) == (whole, found)
    assert "did not come again" in found.__notes__[0]
