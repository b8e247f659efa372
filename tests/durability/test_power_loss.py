"""A crash of the machine: only what was synced survives, and that holds every answered write."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from tests.contract.conftest import Server
from tests.durability.kit import BUCKET, Fleet, end, kill, strace
from tests.durability.log_format import read_log
from tests.durability.power_loss import TRACED, Trace, image, read_trace, segments

CLIENTS, WRITES_EACH = 6, 12
SEGMENT_BYTES = 1 << 16  # a few of them: names and headers are at stake too
CRASHES, RECOVERIES = 16, 2
Answered = list[tuple[str, str, float]]  # key, MD5, when the client had its answer


def body_of(client: int, number: int) -> bytes:
    return f"{client}-{number};".encode() * random.Random(number).randrange(1, 700)


def write(server: Server, client: int, answered: Answered) -> None:
    with server.wire() as wire:
        for number in range(WRITES_EACH):
            key, body = f"{client}-{number}", body_of(client, number)
            assert wire.ask("PUT", f"/{BUCKET}/{key}", body=body).status == 200
            answered.append((key, hashlib.md5(body).hexdigest(), time.time()))


def recorded(fleet: Fleet, folder: Path, mode: str, into: Path) -> tuple[Trace, Answered]:
    """Some clients' writes under a tracer: what was synced when, what was answered when."""
    server = fleet.start(folder, mode, segment_bytes=SEGMENT_BYTES)
    server.put(f"/{BUCKET}", b"")
    before = segments(folder)
    answered: Answered = []
    flags = ("-ttt", "-T", "-y", "-s", "200", "-o", str(into), "-e", f"trace={TRACED}")
    with strace(server, *flags):
        clients = [
            threading.Thread(target=write, args=(server, number, answered))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    end(server)
    assert len(answered) == CLIENTS * WRITES_EACH
    trace = read_trace(into.read_text().splitlines(), folder, before)
    assert trace.writes, "the tracer saw no write"
    return trace, answered


def missing(folder: Path, answered: Answered, at_s: float) -> list[str]:
    """What was answered by then and is not in the log, or is another."""
    state = read_log(folder).state
    due = [(key, md5) for key, md5, answered_s in answered if answered_s <= at_s]
    records = {key: state.get(f"{BUCKET}/{key}") for key, _ in due}
    return [k for k, md5 in due if (r := records[k]) is None or r.md5.hex() != md5]


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("mode", ["batch", "sync"])
def test_what_was_answered_survives_a_crash_of_the_machine(
    fleet: Fleet, tmp_path: Path, mode: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    trace, answered = recorded(fleet, data, mode, tmp_path / "trace")
    chance = random.Random(mode)
    times = sorted(answered_s for _, _, answered_s in answered)
    for number, at_s in enumerate(chance.sample(times, CRASHES)):
        left = tmp_path / f"left-{number}"
        left.mkdir()
        image(trace, data, left, at_s, chance if number % 2 else None)
        hole = read_log(left).hole
        assert hole is None or not hole.corrupt, f"{hole}: a crash is no corruption"
        assert missing(left, answered, at_s) == [], f"lost by a crash at {at_s}"
        if number < RECOVERIES:
            recovers(fleet, left, answered, at_s)
        shutil.rmtree(left)


def recovers(fleet: Fleet, left: Path, answered: Answered, at_s: float) -> None:
    """The backend itself starts on what is left, serves it, and writes on."""
    server = fleet.start(left, "batch", segment_bytes=SEGMENT_BYTES)
    for key, md5, answered_s in answered:
        if answered_s <= at_s:
            assert server.ask("GET", f"/{BUCKET}/{key}").header("etag") == f'"{md5}"', key
    server.put(f"/{BUCKET}/after", b"new")
    kill(server)
    assert missing(left, answered, at_s) == []


@pytest.mark.usefixtures("traced")
def test_the_model_loses_what_nobody_synced(fleet: Fleet, tmp_path: Path) -> None:
    """`buffered` promises nothing here: a model in which it lost nothing would be none."""
    data, left = tmp_path / "data", tmp_path / "left"
    data.mkdir()
    left.mkdir()
    trace, answered = recorded(fleet, data, "buffered", tmp_path / "trace")
    at_s = max(answered_s for _, _, answered_s in answered)
    assert image(trace, data, left, at_s) > 0
    assert missing(left, answered, at_s)
