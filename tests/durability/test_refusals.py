"""When a backend must not start, not write, or end: locks, full logs, failing devices."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import Server
from tests.contract.servers import log_lines
from tests.contract.wire import ClosedError, Wire, request
from tests.durability.kit import BUCKET, SEGMENT_BYTES, Fleet, end, kill, strace
from tests.durability.log_format import read_log

END_LIMIT_S = 5.0
INTERVAL_S = 3.0  # so long that no sync is due before strace is attached and the write answered
BODY = b"x" * 10_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    yield from _mounted(tmp_path, "size=256k")


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that nobody may write, root neither."""
    yield from _mounted(tmp_path, "ro,size=256k")


def _mounted(parent: Path, options: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = parent / "mounted"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode != 0:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], timeout=10, check=True)


def test_a_second_process_exits_4(fleet: Fleet, tmp_path: Path) -> None:
    server = fleet.start(tmp_path)
    server.put(f"/{BUCKET}", b"")
    done = fleet.run_to_end(tmp_path)
    assert done.returncode == 4, done
    assert len(log_lines(done.stderr)) in {1, 2}  # the second may be a hint
    server.put(f"/{BUCKET}/k", b"x")
    kill(server)
    assert fleet.start(tmp_path).ask("GET", f"/{BUCKET}/k").body == b"x"


def test_a_directory_that_is_a_file_exits_4(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = fleet.run_to_end(tmp_path / "file" / "data")
    assert done.returncode == 4, done
    assert "file" in done.stderr


def test_a_directory_that_cannot_be_written_exits_4(fleet: Fleet, read_only_disk: Path) -> None:
    done = fleet.run_to_end(read_only_disk)
    assert done.returncode == 4, done
    assert str(read_only_disk) in done.stderr


def fill(server: Server, limit: int) -> int:
    """Write until the first refusal; how many objects were taken."""
    server.put(f"/{BUCKET}", b"")
    for number in range(limit):
        reply = server.ask("PUT", f"/{BUCKET}/{number}", [], BODY)
        if reply.status != 200:
            assert (reply.status, reply.code()) == (503, "SlowDown")
            return number
    raise AssertionError(f"{limit} objects of {len(BODY)} bytes fitted")


def assert_reads_go_on(server: Server, taken: int) -> None:
    """What was taken is served, and the next write that does not fit is refused again."""
    for number in range(taken):
        assert server.ask("GET", f"/{BUCKET}/{number}").body == BODY
    assert server.ask("GET", f"/{BUCKET}/{taken}").status == 404
    assert server.ask("PUT", f"/{BUCKET}/large", [], BODY * 7).status == 503


def test_a_full_log_answers_slow_down(fleet: Fleet, tmp_path: Path) -> None:
    segments = 3
    server = fleet.start(tmp_path, "batch", "--log-bytes-max", str(segments * SEGMENT_BYTES))
    taken = fill(server, 40)
    fitting = (SEGMENT_BYTES - 64) // (len(BODY) + 80)
    assert (segments - 1) * fitting <= taken <= segments * fitting
    assert_reads_go_on(server, taken)
    kill(server)
    assert_reads_go_on(
        fleet.start(tmp_path, "batch", "--log-bytes-max", str(segments * SEGMENT_BYTES)), taken
    )


def test_a_full_disk_answers_slow_down(fleet: Fleet, small_disk: Path) -> None:
    server = fleet.start(small_disk)
    taken = fill(server, 40)
    assert taken >= 5
    assert_reads_go_on(server, taken)
    end(server)
    assert read_log(small_disk).hole is None
    assert_reads_go_on(fleet.start(small_disk), taken)


def test_a_store_that_is_too_small_exits_4_with_the_sizes(fleet: Fleet, tmp_path: Path) -> None:
    server = fleet.start(tmp_path)
    server.put(f"/{BUCKET}", b"")
    for number in range(30):
        server.put(f"/{BUCKET}/{number}", b"x" * 1_000_000)
    end(server)
    done = fleet.run_to_end(tmp_path, "batch", "--store-bytes-max", str(8 << 20))
    if fleet.backend.manifest["name"] == "planted":
        pytest.skip("the planted store has no limit")
    assert done.returncode == 4, done
    assert str(8 << 20) in done.stderr


@pytest.mark.parametrize(
    "calls", ["fdatasync,fsync", "pwritev,pwritev2,pwrite64,writev,write"], ids=["sync", "write"]
)
@pytest.mark.parametrize("mode", ["batch", "sync", "interval"])
@pytest.mark.usefixtures("traced")
def test_a_failing_device_is_never_retried(
    fleet: Fleet, tmp_path: Path, mode: str, calls: str
) -> None:
    """The calls on the segment fail from the moment of the attachment on, in every thread."""
    server = fleet.start(tmp_path, mode, "--sync-interval-ms", str(int(INTERVAL_S * 1000)))
    server.put(f"/{BUCKET}", b"")
    server.put(f"/{BUCKET}/before", b"x")
    segment = read_log(tmp_path).records[-1].file
    options = ("-P", str(tmp_path / segment), "-e", f"inject={calls}:error=EIO")
    with strace(server, "-qq", *options, "-o", str(tmp_path / "trace")):
        with server.wire() as wire:
            wire.send(request("PUT", f"/{BUCKET}/k", [], b"y"))
            status = answer_or_close(wire)
        if mode == "interval" and calls.startswith("fdatasync"):
            assert status == 200  # acknowledged when written; the sync of the interval fails
        else:
            assert status == 500
        assert server.running.wait(INTERVAL_S + END_LIMIT_S) == 1
    said = log_lines(server.running.output()[1])
    assert len([line for line in said if line.startswith("error: ")]) == 1, said
    (tmp_path / "trace").unlink()
    again = fleet.start(tmp_path)
    assert again.ask("GET", f"/{BUCKET}/before").body == b"x"


def answer_or_close(wire: Wire) -> int:
    """The status of the answer; 0 when the connection was closed instead."""
    try:
        return wire.answer().status
    except ClosedError:
        return 0
