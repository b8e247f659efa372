"""Order: a write is seen when it is answered, not before; conditions hold once; pipelines."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.contract.conftest import Server
from tests.contract.wire import Wire, request
from tests.durability.kit import BUCKET, Fleet, kill, strace
from tests.durability.log_format import PUT, put, read_log

DELAY_S = 1.0
RACERS = 12
RACES = 15
OLD = b"what is there"
CONDITIONS = {"none-match": ("If-None-Match", "*"), "match": ("If-Match", put("k", OLD).etag)}


def open_bucket(fleet: Fleet, folder: Path, mode: str = "batch") -> Server:
    """A server with the bucket."""
    server = fleet.start(folder, mode)
    server.put(f"/{BUCKET}", b"")
    return server


@pytest.mark.parametrize("mode", ["buffered", "interval", "batch", "sync"])
def test_what_was_answered_is_read_by_others(fleet: Fleet, tmp_path: Path, mode: str) -> None:
    server = open_bucket(fleet, tmp_path, mode)
    with server.wire() as writer, server.wire() as other:
        for number in range(100):
            body = str(number).encode()
            assert writer.ask("PUT", f"/{BUCKET}/k", [], body).status == 200
            assert other.ask("GET", f"/{BUCKET}/k").body == body
        assert writer.ask("DELETE", f"/{BUCKET}/k").status == 204
        assert other.ask("GET", f"/{BUCKET}/k").status == 404


def test_a_pipeline_is_answered_and_done_in_its_order(fleet: Fleet, tmp_path: Path) -> None:
    server = open_bucket(fleet, tmp_path)
    asked: list[tuple[str, bytes | None]] = []
    for number in range(20):
        asked += [("PUT", str(number).encode()), ("GET", None)]
    asked += [("DELETE", None), ("GET", None), ("PUT", b"last"), ("GET", None)]
    with server.wire() as wire:
        wire.send(b"".join(request(m, f"/{BUCKET}/k", [], body) for m, body in asked))
        answers = [wire.answer(method) for method, _ in asked]
    statuses = [200] * 40 + [204, 404, 200, 200]
    assert [answer.status for answer in answers] == statuses
    read = [a.body for a, (m, _) in zip(answers, asked, strict=True) if m == "GET"]
    assert read[:20] == [str(number).encode() for number in range(20)]
    assert read[21] == b"last"
    kill(server)
    written = [p.record.data for p in read_log(tmp_path).records if p.record.operation == PUT]
    assert written == [*(str(number).encode() for number in range(20)), b"last"]


@pytest.mark.parametrize("mode", ["buffered", "batch"])
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=list(CONDITIONS))
def test_a_condition_is_won_once(
    fleet: Fleet, tmp_path: Path, mode: str, condition: tuple[str, str]
) -> None:
    server = open_bucket(fleet, tmp_path, mode)
    before = RACES if condition[0] == "If-Match" else 0
    for number in range(before):
        server.put(f"/{BUCKET}/{number}", OLD)
    statuses: list[list[int]] = [[0] * RACERS for _ in range(RACES)]
    barrier = threading.Barrier(RACERS)

    def race(racer: int) -> None:
        with server.wire() as wire:
            for number in range(RACES):
                barrier.wait(30)
                body = str(racer).encode()
                reply = wire.ask("PUT", f"/{BUCKET}/{number}", [condition], body)
                statuses[number][racer] = reply.status

    threads = [threading.Thread(target=race, args=(racer,)) for racer in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number, found in enumerate(statuses):
        assert sorted(found) == [200] + [412] * (RACERS - 1), number
        body = server.ask("GET", f"/{BUCKET}/{number}").body
        assert body == str(found.index(200)).encode()
    kill(server)
    puts = [p for p in read_log(tmp_path).records if p.record.operation == PUT]
    assert len(puts) == before + RACES


def slow_sync(server: Server, folder: Path) -> tuple[str, ...]:
    """Options of strace that make every sync take a second."""
    assert server.running is not None
    delay = f"inject=fdatasync:delay_enter={int(DELAY_S * 1e6)}"
    return ("-qq", "-e", delay, "-o", str(folder / "trace"))


@pytest.mark.parametrize("mode", ["batch", "sync"])
@pytest.mark.usefixtures("traced")
def test_nobody_reads_what_could_still_be_lost(fleet: Fleet, tmp_path: Path, mode: str) -> None:
    """While a sync takes a second, others see the old object, at once; then the new one."""
    server = open_bucket(fleet, tmp_path, mode)
    server.put(f"/{BUCKET}/k", b"old")
    with strace(server, *slow_sync(server, tmp_path)), server.wire() as writer:
        began_s = time.monotonic()
        writer.send(request("PUT", f"/{BUCKET}/k", [], b"new") + request("GET", f"/{BUCKET}/k"))
        time.sleep(DELAY_S / 4)
        assert server.ask("GET", f"/{BUCKET}/k").body == b"old"
        assert writer.pending(0.001) == b"", "a read waited for a write's sync"
        assert writer.answer().status == 200
        assert time.monotonic() - began_s >= DELAY_S * 0.95, "answered before the sync"
        assert writer.answer().body == b"new"
        assert server.ask("GET", f"/{BUCKET}/k").body == b"new"


@pytest.mark.usefixtures("traced")
def test_a_client_that_hangs_up_does_not_take_back_its_write(fleet: Fleet, tmp_path: Path) -> None:
    server = open_bucket(fleet, tmp_path)
    with strace(server, *slow_sync(server, tmp_path)):
        with server.wire() as writer:
            writer.send(request("PUT", f"/{BUCKET}/k", [], b"left behind"))
            time.sleep(DELAY_S / 4)
        deadline = time.monotonic() + 20 * DELAY_S
        while server.ask("GET", f"/{BUCKET}/k").status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    kill(server)
    assert fleet.start(tmp_path).ask("GET", f"/{BUCKET}/k").body == b"left behind"


def test_many_connections_share_a_batch(fleet: Fleet, tmp_path: Path) -> None:
    """Every one of 64 writes that are under way at once is answered and is there."""
    server = open_bucket(fleet, tmp_path)
    wires = [Wire(server.port) for _ in range(64)]
    try:
        for number, wire in enumerate(wires):
            wire.send(request("PUT", f"/{BUCKET}/{number}", [], b"x" * number))
        assert {wire.answer().status for wire in wires} == {200}
    finally:
        for wire in wires:
            wire.connection.close()
    kill(server)
    state = read_log(tmp_path).state
    assert {len(state[f"{BUCKET}/{number}"].data) for number in range(64)} == set(range(64))
