"""The send lag's two parts where several requests are open on one connection."""

from __future__ import annotations

import numpy as np

from harness.model.recording import FLAG_BACKLOG, Requests
from harness.stats import lag


def requests(intended: list[int], sent: list[int], ends: list[int]) -> Requests:
    """Requests of one connection, all of which found no room when they were due."""
    zeros = np.zeros(len(intended), np.int64)
    last = np.array(ends, np.int64)
    return Requests(
        intended_ns=np.array(intended, np.int64),
        sent_ns=np.array(sent, np.int64),
        first_byte_ns=last,
        last_byte_ns=last,
        connection=zeros,
        status=zeros + 200,
        operation=zeros,
        outcome=zeros,
        flags=zeros + FLAG_BACKLOG,
        operations=("get",),
        errors=(),
    )


def test_a_stream_is_free_when_any_of_those_before_has_ended() -> None:
    # Two at once: the second ends first, and the third takes its place a moment later.
    found = lag.split(requests([10, 20, 30, 40], [10, 20, 105, 510], [500, 100, 600, 700]), 2)
    assert found.backlog.tolist() == [0, 0, 70, 460]
    assert found.own_fault.tolist() == [0, 0, 5, 10]


def test_pipelined_answers_end_in_their_order() -> None:
    found = lag.split(requests([10, 20, 30, 40], [10, 20, 101, 210], [100, 200, 300, 400]), 2)
    assert found.backlog.tolist() == [0, 0, 70, 160]
    assert found.own_fault.tolist() == [0, 0, 1, 10]
