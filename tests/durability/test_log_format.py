"""The oracle itself: known checksums, golden bytes, and what it makes of damaged logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.durability.crc32c import SHORT_BYTES, TABLE, crc32c
from tests.durability.log_format import (
    CREATE_BUCKET,
    DELETE,
    DELETE_BUCKET,
    Header,
    Placed,
    Record,
    is_lawful,
    padded,
    put,
    read_log,
    segment_paths,
    write_log,
)

# A header as it stands in a file, written down by hand from LOG.md; epoch 3, first LSN 7, 64 KiB.
GOLDEN_HEADER = bytes.fromhex(
    "5041555345 4c4f47 01000000 03000000 0700000000000000 0000010000000000".replace(" ", "")
)
RECORDS = (
    Record(CREATE_BUCKET, "bucket", time_ns=1),
    put("bucket/a", b"x" * 100, (("content-type", "text/plain"), ("x-amz-meta-a", "1"))),
    put("bucket/b", b""),
    replace(put("bucket/c", b"parts"), parts=3),
    Record(DELETE, "bucket/a"),
    Record(CREATE_BUCKET, "gone"),
    Record(DELETE_BUCKET, "gone"),
)


def damage(folder: Path, placed: Placed, at: int = 0, value: int | None = None) -> None:
    """Flip every bit of a byte of a record, or set the byte."""
    path = folder / placed.file
    data = bytearray(path.read_bytes())
    data[placed.offset + at] = data[placed.offset + at] ^ 0xFF if value is None else value
    path.write_bytes(data)


def slow_crc32c(data: bytes) -> int:
    """The definition, a byte at a time."""
    register = 0xFFFFFFFF
    for byte in data:
        register = TABLE[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("names", "lawful"),
    [
        ("", True),
        ("content-type cache-control content-encoding x-amz-meta-a", True),
        ("content-disposition content-encoding content-language expires", True),
        ("expires x-amz-checksum-crc32 x-amz-checksum-crc32c x-amz-meta-b x-amz-meta-a", True),
        ("content-encoding content-disposition", False),
        ("x-amz-meta-a x-amz-checksum-crc32", False),
        ("x-amz-checksum-crc32 expires", False),
        ("expires expires", False),
        ("content-type host", False),
    ],
)
def test_the_order_of_kept_headers(names: str, lawful: bool) -> None:
    assert is_lawful(tuple((name, "1") for name in names.split())) == lawful


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
    ids=["check value", "zeros", "ones", "rising", "falling"],
)
def test_known_checksums_of_rfc_3720(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


@pytest.mark.parametrize("extra", [0, 1, 511, 512, 513, 100_001])
def test_lanes_give_the_same_checksum(extra: int) -> None:
    data = np.random.default_rng(1).bytes(SHORT_BYTES + extra)
    assert crc32c(data) == slow_crc32c(data)


def test_golden_header() -> None:
    data = Header(epoch=3, first_lsn=7, segment_bytes=65536).encoded()
    assert len(data) == 64
    assert data[:32] == GOLDEN_HEADER
    assert data[32:36] == slow_crc32c(GOLDEN_HEADER).to_bytes(4, "little")
    assert data[36:] == bytes(28)


def test_golden_record() -> None:
    record = replace(
        put("b/k", b"hi", (("content-type", "a/b"),), time_ns=0x1122334455667788),
        lsn=5,
        durable_lsn=4,
        epoch=2,
        parts=7,
    )
    covered = bytes.fromhex(
        "6600000000000000"  # length: 80 + 3 + 17 + 2
        "0500000000000000"
        "0400000000000000"
        "02000000"
        "01"
        "00"
        "0700"
        "0300"
        "0000"
        "11000000"
        "0200000000000000"
        "49f68a5c8493ec2c0bf489821c21fc3b"  # MD5 of "hi"
        "8877665544332211"
    )
    covered += b"b/k" + b"content-type\0a/b\0" + b"hi"
    assert record.encoded() == b"PMR1" + slow_crc32c(covered).to_bytes(4, "little") + covered
    assert record.etag == '"49f68a5c8493ec2c0bf489821c21fc3b-7"'


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    placed = write_log(tmp_path, RECORDS)
    log = read_log(tmp_path)
    assert log.hole is None
    assert list(log.records) == placed
    assert [p.record.lsn for p in placed] == [1, 2, 3, 4, 5, 6, 7]
    assert [p.record.durable_lsn for p in placed] == [0, 1, 2, 3, 4, 5, 6]
    assert sorted(log.state) == ["bucket", "bucket/b", "bucket/c"]
    assert log.state["bucket/c"].etag.endswith('-3"')


def test_segments_roll_and_a_large_record_has_its_own(tmp_path: Path) -> None:
    records = [put(f"bucket/{n}", b"x" * 300) for n in range(20)] + [put("bucket/l", b"y" * 5000)]
    write_log(tmp_path, [*records, put("bucket/z", b"z")], segment_bytes=1024)
    log = read_log(tmp_path)
    assert log.hole is None
    assert [h.epoch for h in log.headers] == list(range(1, len(log.headers) + 1))
    large = log.records[20]
    sizes = {path.name: path.stat().st_size for path in segment_paths(tmp_path)}
    assert sizes[large.file] == 64 + padded(large.length)
    assert {size for name, size in sizes.items() if name != large.file} == {1024}


@pytest.mark.parametrize(
    ("durable", "segment_bytes", "corrupt"),
    [(None, 1 << 16, True), (2, 1 << 16, False), (3, 1 << 16, True), (2, 256, False)],
    ids=["all synced", "never synced", "just synced", "later segments"],
)
def test_durable_lsn_tells_corruption_from_a_torn_tail(
    tmp_path: Path, durable: int | None, segment_bytes: int, corrupt: bool
) -> None:
    records = [put(f"bucket/{n}", b"x") for n in range(6)]
    placed = write_log(tmp_path, records, durable=durable, segment_bytes=segment_bytes)
    damage(tmp_path, placed[2], at=88)
    log = read_log(tmp_path)
    assert log.hole is not None
    assert (log.hole.file, log.hole.offset) == (placed[2].file, placed[2].offset)
    assert (log.hole.lsn, log.hole.corrupt) == (3, corrupt)
    assert len(log.records) == 2


@pytest.mark.parametrize("at", [0, 4, 8, 16, 24, 32, 36, 37, 38, 40, 42, 44, 48, 56, 72, 80, 88])
def test_any_field_that_is_wrong_makes_a_hole(tmp_path: Path, at: int) -> None:
    placed = write_log(tmp_path, RECORDS[:2])
    damage(tmp_path, placed[1], at)
    log = read_log(tmp_path)
    assert len(log.records) == 1
    assert log.hole is not None
    assert not log.hole.corrupt


def test_zeros_before_a_record_are_a_hole(tmp_path: Path) -> None:
    placed = write_log(tmp_path, [put(f"bucket/{n}", b"x") for n in range(4)], durable=1)
    blank(tmp_path, placed[1:2])
    log = read_log(tmp_path)
    assert log.hole is not None
    assert (log.hole.lsn, log.hole.corrupt, len(log.records)) == (2, False, 1)


def test_a_broken_header_is_corruption_only_before_records(tmp_path: Path) -> None:
    write_log(tmp_path, RECORDS)
    header = read_log(tmp_path).headers[0]
    damage(tmp_path, Placed(RECORDS[0], segment_paths(tmp_path)[0].name, 0, 0), at=20)
    hole = read_log(tmp_path).hole
    assert hole is not None
    assert hole.corrupt
    segment_paths(tmp_path)[0].write_bytes(bytes(header.segment_bytes))
    hole = read_log(tmp_path).hole
    assert hole is not None
    assert not hole.corrupt


def blank(folder: Path, records: Sequence[Placed]) -> None:
    """Zeros in place of these records, as of a page that never reached the device."""
    for placed in records:
        path = folder / placed.file
        data = bytearray(path.read_bytes())
        data[placed.offset : placed.offset + placed.length] = bytes(placed.length)
        path.write_bytes(data)
