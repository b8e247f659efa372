"""What is on its way to a slow client stays as it was, whatever becomes of its object meanwhile."""

from __future__ import annotations

import pytest

from tests.contract.conftest import Server
from tests.contract.wire import request

# Far more than the buffers of both sockets hold, so that most of it is sent behind the writes.
SIZE = 16 << 20
# Smaller than one end's buffers: all of it is on its way when its object goes, and none is read.
SENT_AT_ONCE = 200_000
READ_TIMEOUT_S = 30.0


@pytest.mark.parametrize("size", [SENT_AT_ONCE, SIZE])
@pytest.mark.parametrize("ends_by", ["PUT", "DELETE"])
def test_an_answer_on_its_way_is_not_changed(
    server: Server, bucket: str, size: int, ends_by: str
) -> None:
    target = f"/{bucket}/key"
    server.put(target, b"o" * size)
    with server.wire(READ_TIMEOUT_S) as slow:
        slow.send(request("GET", target))
        assert server.ask("HEAD", target).status == 200  # a round trip: the answer has begun
        if ends_by == "DELETE":
            assert server.ask("DELETE", target).status == 204
        else:
            server.put(target, b"n" * size)
        for number in range(3):  # what was free is used again
            server.put(f"/{bucket}/other-{number}", b"x" * size)
        reply = slow.answer("GET")
    assert len(reply.body) == size
    assert reply.body.count(b"o") == size
