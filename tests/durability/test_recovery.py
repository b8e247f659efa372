"""What a backend makes of logs of the oracle, whole, torn and corrupt, and of each other's."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.contract.conftest import Server
from tests.contract.servers import Backend, log_lines
from tests.durability.kit import BUCKET, Fleet, contents, end, keys_of, kill
from tests.durability.log_format import (
    CREATE_BUCKET,
    DELETE,
    DELETE_BUCKET,
    Placed,
    Record,
    put,
    read_log,
    segment_paths,
    write_log,
)
from tests.durability.test_log_format import blank, damage

TIME_NS = 1_700_000_000_123_456_789
EVERY_OFFSET = 1 if os.environ.get("PAUSEMARK_EVERY_OFFSET") else 7
CREATED = Record(CREATE_BUCKET, BUCKET, time_ns=TIME_NS)
METADATA = (
    ("content-type", "text/plain"),
    ("cache-control", "no-cache"),
    ("content-disposition", "inline"),
    ("content-encoding", "gzip"),
    ("content-language", "en, fr"),
    ("expires", "never"),
    ("x-amz-meta-a", "1"),
    ("x-amz-meta-b", "two words"),
)


def small(number: int, data: bytes = b"x") -> Record:
    """A record of the same length for every number below ten."""
    return put(f"{BUCKET}/{number}", data, time_ns=TIME_NS)


def golden() -> list[Record]:
    """One of each: overwritten, deleted, created again, parts, metadata, names, and no change."""
    return [
        CREATED,
        CREATED,
        put(f"{BUCKET}/a", b"old", time_ns=TIME_NS),
        put(f"{BUCKET}/a", b"new", METADATA, TIME_NS),
        put(f"{BUCKET}/deleted", b"gone", time_ns=TIME_NS),
        Record(DELETE, f"{BUCKET}/deleted", time_ns=TIME_NS),
        Record(DELETE, f"{BUCKET}/never", time_ns=TIME_NS),
        replace(put(f"{BUCKET}/parts", b"p" * 300_000, time_ns=TIME_NS), parts=12),
        put(f"{BUCKET}/empty", b"", time_ns=TIME_NS),
        put(f"{BUCKET}/ä b/+", b"name", time_ns=TIME_NS),
        Record(CREATE_BUCKET, "gone", time_ns=TIME_NS),
        Record(DELETE_BUCKET, "gone", time_ns=TIME_NS),
        Record(CREATE_BUCKET, "kept", time_ns=TIME_NS),
        put(f"{BUCKET}/{'k' * 1000}", b"long key", time_ns=TIME_NS),
        *(put(f"{BUCKET}/many-{n:02}", bytes([n]) * 5000, time_ns=TIME_NS) for n in range(30)),
    ]


def test_a_golden_log_is_served(fleet: Fleet, tmp_path: Path) -> None:
    write_log(tmp_path, golden())
    server = fleet.start(tmp_path)
    assert sorted(keys_of(server)) == sorted(
        key.removeprefix(f"{BUCKET}/") for key in read_log(tmp_path).state if "/" in key
    )
    for record in read_log(tmp_path).state.values():
        if record.operation == CREATE_BUCKET:
            assert server.ask("HEAD", f"/{record.key}").status == 200
            continue
        target = "/" + record.key.replace("ä b/+", "%C3%A4%20b/%2B")
        reply = server.ask("GET", target)
        assert (reply.status, reply.body) == (200, record.data), record.key
        assert reply.header("etag") == record.etag
        assert reply.header("last-modified") == formatdate(TIME_NS // 10**9, usegmt=True)
        wanted = dict(record.metadata) or {"content-type": "binary/octet-stream"}
        assert {name: reply.header(name) for name in wanted} == wanted
        assert bool(reply.header("cache-control")) == bool(record.metadata)
    for target in (f"/{BUCKET}/deleted", f"/{BUCKET}/never", "/gone"):
        assert server.ask("HEAD", target).status == 404
    assert server.ask("DELETE", f"/{BUCKET}").status == 409
    assert server.ask("DELETE", "/kept").status == 204


def test_the_log_goes_on_behind_what_it_found(fleet: Fleet, tmp_path: Path) -> None:
    before = write_log(tmp_path, golden())
    for round_number in range(3):
        server = fleet.start(tmp_path)
        server.put(f"/{BUCKET}/round", bytes([round_number]))
        end(server)
        log = read_log(tmp_path)
        assert log.hole is None, log.hole
        assert list(log.records[: len(before)]) == before
        assert [p.record.lsn for p in log.records] == list(range(1, len(before) + round_number + 2))
        assert log.state[f"{BUCKET}/round"].data == bytes([round_number])


def test_an_answer_is_the_same_before_and_after(
    fleet: Fleet, tmp_path: Path, reader: Backend
) -> None:
    """A writes, B recovers and writes on, A recovers that: all languages, all answers."""
    writer = fleet.start(tmp_path, "batch")
    writer.put(f"/{BUCKET}", b"")
    for number in range(12):
        writer.put(f"/{BUCKET}/{number:02}", bytes([number]) * 9000, X_Amz_Meta_N=str(number))
    assert writer.ask("DELETE", f"/{BUCKET}/03").status == 204
    told = contents(writer)
    kill(writer)
    other = fleet.start(tmp_path, "sync", backend=reader)
    assert_same(contents(other), told)
    other.put(f"/{BUCKET}/04", b"overwritten elsewhere")
    assert other.ask("DELETE", f"/{BUCKET}/05").status == 204
    told = contents(other)
    kill(other)
    assert_same(contents(fleet.start(tmp_path)), told)


def assert_same(found: dict[str, tuple[object, ...]], told: dict[str, tuple[object, ...]]) -> None:
    """Equal contents; a difference names its first key only."""
    assert sorted(found) == sorted(told)
    for key, answer in told.items():
        assert found[key] == answer, key


def torn_log(folder: Path) -> tuple[list[Placed], bytes]:
    """A log whose last record is small and ends in a byte that is not zero; the segment's bytes."""
    folder.mkdir(exist_ok=True)
    placed = write_log(folder, [CREATED, small(1), small(2)], segment_bytes=4096)
    return placed, (folder / placed[-1].file).read_bytes()


def assert_tail_dropped(fleet: Fleet, folder: Path, kept: int, dropped: Sequence[int]) -> None:
    """The server starts, says a line, serves what is before the hole, and goes on there."""
    server = fleet.start(folder)
    assert len(log_lines(server.running.output()[1])) >= 1
    statuses = [server.ask("HEAD", f"/{BUCKET}/{n}").status for n in dropped]
    assert statuses == [404] * len(dropped)
    if kept > 1:
        assert server.ask("GET", f"/{BUCKET}/{kept - 1}").body == b"x"
    log = read_log(folder)
    assert log.hole is None, log.hole
    assert len(log.records) == kept
    kill(server)


def test_a_tail_torn_at_any_byte_is_dropped(fleet: Fleet, tmp_path: Path) -> None:
    placed, data = torn_log(tmp_path / "whole")
    last = placed[-1]
    cuts = [*range(1, last.length, EVERY_OFFSET), last.length - 1]
    for cut in cuts:
        folder = tmp_path / str(cut)
        folder.mkdir(exist_ok=True)
        torn = data[: last.offset + cut] + bytes(len(data) - last.offset - cut)
        (folder / last.file).write_bytes(torn)
        assert_tail_dropped(fleet, folder, kept=2, dropped=[2])
        assert len(segment_paths(folder)) == 1


@pytest.mark.parametrize("at", [0, 4, 8, 14, 16, 24, 32, 36, 37, 40, 42, 44, 50, 56, 72, 80, 88])
def test_a_flipped_byte_in_the_tail_drops_it(fleet: Fleet, tmp_path: Path, at: int) -> None:
    placed, _ = torn_log(tmp_path)
    damage(tmp_path, placed[-1], at)
    assert_tail_dropped(fleet, tmp_path, kept=2, dropped=[2])


def refused(fleet: Fleet, folder: Path, placed: Placed | None, lsn: int) -> None:
    """The start is refused, one line names file, offset and LSN, and nothing is changed."""
    before = {path: path.read_bytes() for path in segment_paths(folder)}
    done = fleet.run_to_end(folder)
    assert done.returncode == 1, done
    named = [line for line in log_lines(done.stderr) if "segment-" in line]
    assert len(named) == 1, done
    if placed is not None:
        assert placed.file in named[0]
        text = named[0].replace(placed.file, "")
        assert re.search(rf"\b{placed.offset}\b", text), named
        assert re.search(rf"\b{lsn}\b", text), named
    assert before == {path: path.read_bytes() for path in segment_paths(folder)}


@pytest.mark.parametrize("at", [0, 5, 8, 16, 32, 36, 85, 88])
def test_a_hole_before_what_knew_it_synced_is_refused(
    fleet: Fleet, tmp_path: Path, at: int
) -> None:
    placed = write_log(tmp_path, [CREATED, *(small(n) for n in range(1, 6))])
    damage(tmp_path, placed[2], at)
    refused(fleet, tmp_path, placed[2], 3)


def test_the_durable_lsn_alone_decides(fleet: Fleet, tmp_path: Path) -> None:
    for durable in (2, 3):
        folder = tmp_path / str(durable)
        folder.mkdir()
        placed = write_log(folder, [CREATED, *(small(n) for n in range(1, 6))], durable=durable)
        damage(folder, placed[2], 88)
        if durable < 3:
            assert_tail_dropped(fleet, folder, kept=2, dropped=[2, 3, 4, 5])
        else:
            refused(fleet, folder, placed[2], 3)


def test_a_hole_of_zeros_is_judged_like_any_other(fleet: Fleet, tmp_path: Path) -> None:
    for durable in (2, 3):
        folder = tmp_path / str(durable)
        folder.mkdir()
        placed = write_log(folder, [CREATED, *(small(n) for n in range(1, 6))], durable=durable)
        blank(folder, placed[2:3])
        if durable < 3:
            assert_tail_dropped(fleet, folder, kept=2, dropped=[2, 3, 4, 5])
        else:
            refused(fleet, folder, placed[2], 3)


@pytest.mark.parametrize("zeros", [False, True], ids=["flipped", "zeros"])
def test_dropped_records_never_come_back(fleet: Fleet, tmp_path: Path, zeros: bool) -> None:
    """New records of the same length fill the gap exactly: the old one behind would fit again."""
    placed = write_log(tmp_path, [CREATED, *(small(n) for n in range(1, 6))], durable=0)
    if zeros:
        blank(tmp_path, placed[2:3])
    else:
        damage(tmp_path, placed[2], 88)
    server = fleet.start(tmp_path)
    server.put(f"/{BUCKET}/7", b"x")
    new = contents(server)
    kill(server)
    again = fleet.start(tmp_path)
    assert sorted(new) == ["1", "7"]
    assert_same(contents(again), new)


@pytest.mark.parametrize("durable", [2, 3])
def test_later_segments_count(fleet: Fleet, tmp_path: Path, durable: int) -> None:
    records = [CREATED, *(small(n, b"x" * 30_000) for n in range(1, 8))]
    placed = write_log(tmp_path, records, durable=durable)
    assert len(segment_paths(tmp_path)) == 4
    damage(tmp_path, placed[2], 500)
    if durable == 3:
        refused(fleet, tmp_path, placed[2], 3)
        return
    server = fleet.start(tmp_path)
    assert keys_of(server) == ["1"]
    log = read_log(tmp_path)
    assert (log.hole, len(log.records)) == (None, 2)
    assert placed[-1].file not in [path.name for path in segment_paths(tmp_path)]
    for number in range(1, 8):
        server.put(f"/{BUCKET}/again-{number}", b"y" * 30_000)
    kill(server)
    assert len(keys_of(fleet.start(tmp_path))) == 8


def test_a_missing_segment_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    write_log(tmp_path, [CREATED, *(small(n, b"x" * 30_000) for n in range(1, 8))])
    segment_paths(tmp_path)[1].unlink()
    refused(fleet, tmp_path, None, 4)


def test_a_broken_header_before_records_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    placed = write_log(tmp_path, [CREATED, *(small(n, b"x" * 30_000) for n in range(1, 8))])
    damage(tmp_path, replace(placed[-1], offset=0), at=16)
    refused(fleet, tmp_path, None, 0)  # the hole's place may be told as the end of the one before


def test_a_lost_segment_before_records_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    """Though no record knew anything to be synced: a segment's header is, before the next one."""
    records = [CREATED, *(small(n, b"x" * 30_000) for n in range(1, 8))]
    write_log(tmp_path, records, durable=0)
    lost = segment_paths(tmp_path)[1]
    lost.write_bytes(b"\0" * lost.stat().st_size)
    refused(fleet, tmp_path, None, 0)


def test_a_segment_that_was_cut_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    records = [CREATED, *(small(n, b"x" * 30_000) for n in range(1, 8))]
    write_log(tmp_path, records, durable=0)
    cut = segment_paths(tmp_path)[-1]
    os.truncate(cut, cut.stat().st_size - 8)
    refused(fleet, tmp_path, None, 0)


@pytest.mark.parametrize("name", ["segment-0000000000000003.log.new", "ahead.new"])
def test_left_over_new_files_are_removed(fleet: Fleet, tmp_path: Path, name: str) -> None:
    write_log(tmp_path, [CREATED, small(1)])
    left = tmp_path / name
    left.write_bytes(b"half a header")
    server = fleet.start(tmp_path)
    assert keys_of(server) == ["1"]
    assert not left.exists() or left.read_bytes() != b"half a header"


def test_stderr_is_silent_when_nothing_is_dropped(fleet: Fleet, tmp_path: Path) -> None:
    write_log(tmp_path, [CREATED, small(1)])
    torn = fleet.start(tmp_path)
    assert not re.search(r"torn|drop|corrupt", torn.running.output()[1])


def test_times_and_parts_survive_another_restart(fleet: Fleet, tmp_path: Path) -> None:
    write_log(tmp_path, golden())
    first = fleet.start(tmp_path)
    told = _heads(first)
    end(first)
    assert _heads(fleet.start(tmp_path, "sync")) == told


def _heads(server: Server) -> list[tuple[str | None, str | None]]:
    replies = [server.ask("HEAD", f"/{BUCKET}/{key}") for key in ("a", "parts", "empty")]
    return [(reply.header("etag"), reply.header("last-modified")) for reply in replies]
