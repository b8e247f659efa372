"""When a started backend counts as ready, against real answers on the loopback."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator

import pytest

from harness.drivers import readiness
from harness.drivers.runtime import Ending
from harness.errors import BackendFailed
from harness.system.network import answers_ready
from harness.system.ports import free_port


@contextlib.contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of a server that answers every GET with `status`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """The test's own output stays clean."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "ready"), [(200, True), (403, True), (404, False), (500, False), (503, False)]
)
def test_ready_is_200_or_the_403_of_a_backend_that_verifies(status: int, *, ready: bool) -> None:
    with answering(status) as port:
        assert answers_ready("127.0.0.1", port) is ready


def test_nobody_listening_is_not_ready() -> None:
    assert not answers_ready("127.0.0.1", free_port("127.0.0.1"))


class Dead:
    """A backend that ended before it answered."""

    def alive(self) -> Ending | None:
        return Ending("backend-died", "ended with exit status 2")


def test_a_backend_that_ends_is_told_with_its_last_words() -> None:
    with pytest.raises(BackendFailed, match=r"it ended with exit status 2; .* with: no --port"):
        readiness.wait_ready(
            Dead(),
            who="backend a",
            address="127.0.0.1",
            port=free_port("127.0.0.1"),
            last_words=lambda: "no --port",
        )
