"""HTTP/2 from a client that falls silent in the middle of a request."""

from __future__ import annotations

import time

import pytest

from tests.contract.conftest import STALL_LIMIT_S, Server
from tests.contract.silence import Silence, Silences

pytestmark = [pytest.mark.protocol("h2c"), pytest.mark.last]

LIMIT_S = STALL_LIMIT_S + 5
EARLIEST_S = STALL_LIMIT_S - 1.5
AT_ONCE_S = 5.0


def silences(server: Server) -> Silences:
    """Those that began with the server."""
    assert server.silences is not None
    return server.silences


def lasted_s(silence: Silence) -> float:
    """How long it took to its end, which must come in time."""
    left_s = silence.since_s + LIMIT_S - time.monotonic()
    assert silence.ended.wait(max(left_s, 0.1)), f"open after {LIMIT_S} s"
    assert silence.lasted_s < LIMIT_S
    return silence.lasted_s


def test_a_head_that_stops_is_ended(server: Server) -> None:
    assert lasted_s(silences(server).head) > EARLIEST_S
    assert server.ask("GET", "/").status == 200


def test_a_body_that_never_comes_is_ended(server: Server) -> None:
    body = silences(server).body
    assert lasted_s(body) > EARLIEST_S
    assert body.reply is None or body.reply.status in (400, 408)


def test_a_missing_bucket_is_told_although_the_body_never_comes(server: Server) -> None:
    body = silences(server).body_of_nothing
    if lasted_s(body) < AT_ONCE_S:
        assert body.reply is not None
        assert (body.reply.status, body.reply.code()) == (404, "NoSuchBucket")
