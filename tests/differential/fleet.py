"""The servers that a stream is played to: every variant, or those that the command line names."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.contract.conftest import Server
from tests.contract.servers import Backend, ProcessLauncher, build
from tests.differential.judge import Judge
from tests.differential.player import Player


@contextmanager
def judged(backends: Sequence[tuple[Backend, Sequence[str]]]) -> Iterator[Judge]:
    """Start each backend with its extra arguments; all are ended with the block."""
    with ExitStack() as stack:
        players = []
        for number, (backend, extra) in enumerate(backends):
            build(backend)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"stream-{number}-"))
            running = ProcessLauncher(Path(folder)).start(backend, extra)
            stack.callback(running.stop)
            players.append(Player(Server(backend, running)))
        judge = Judge(players)
        stack.callback(judge.close)
        yield judge


def comparable(backends: Sequence[Backend]) -> list[Backend]:
    """Those whose own bytes reach the client; who declares a front is named and left out."""
    for backend in backends:
        if backend.chooses("front"):
            print(f"{backend.name}: left out, its bytes are a front's", file=sys.stderr)  # noqa: T201
    return [backend for backend in backends if not backend.chooses("front")]


def common_profiles(backends: Sequence[Backend]) -> frozenset[str]:
    """What all of them declare; a stream asks for nothing beyond."""
    return frozenset.intersection(*(backend.profiles for backend in backends))
