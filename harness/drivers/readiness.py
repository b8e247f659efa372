"""Waiting until a started backend answers, and saying why when it never does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from harness.drivers.runtime import Ending
from harness.errors import BackendFailed
from harness.model.plan import FASTCGI
from harness.system.clock import Deadline, sleep_s
from harness.system.fastcgi import answers_ready_fastcgi
from harness.system.network import answers_ready

READY_TIMEOUT_S = 20.0
POLL_S = 0.02


class Starting(Protocol):
    """As much of a server as its start needs."""

    def alive(self) -> Ending | None:
        """None while it runs."""
        ...


def wait_ready(
    server: Starting,
    *,
    who: str,
    address: str,
    port: int,
    last_words: Callable[[], str],
    protocol: str = "h1",
) -> None:
    """Returns once `GET /` says ready; BackendFailed with its last words when it never does."""
    timeout_s = READY_TIMEOUT_S
    deadline = Deadline(timeout_s)
    answers = answers_ready_fastcgi if protocol == FASTCGI else answers_ready
    while not answers(address, port):
        ending = server.alive()
        if ending is None and not deadline.passed:
            sleep_s(POLL_S)
            continue
        what = (
            f"expected GET / to answer 200 or 403 within {timeout_s:g} s, got no such answer"
            if ending is None
            else f"expected it to get ready, but it {ending.text}"
        )
        raise BackendFailed(
            who,
            f"{what}; its log ends with: {last_words() or 'nothing'}",
            hint="run the backend's own tests: make -C backends/<name> test",
        )
