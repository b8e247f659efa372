"""The log of backends/LOG.md, read and written from its text alone: the oracle of these tests."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.durability.crc32c import crc32c

SEGMENT_MAGIC = b"PAUSELOG"
SEGMENT_HEADER = struct.Struct("<8sIIQQI28s")
SEGMENT_HEADER_BYTES = 64
SEGMENT_BYTES = 64 << 20
VERSION = 1

RECORD_MAGIC = b"PMR1"
RECORD_HEADER = struct.Struct("<4sIQQQIBBHHHIQ16sQ")
RECORD_HEADER_BYTES = 80
KEY_BYTES_MAX = 1088
METADATA_BYTES_MAX = 16384
LENGTH_AT = 8  # where the bytes that the checksum covers begin, in a record

PUT, DELETE, CREATE_BUCKET, DELETE_BUCKET = 1, 2, 3, 4

# Metadata stands in this order; checksums and then `x-amz-meta-…` follow, each in any order.
KEPT_HEADERS = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)
KEPT_PREFIXES = ("x-amz-checksum-", "x-amz-meta-")

NO_PLACE = 99

Metadata = tuple[tuple[str, str], ...]


class InvalidError(Exception):
    """What stands at this offset is no valid record or header; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record; its length and checksum follow from the rest."""

    operation: int
    key: str
    data: bytes = b""
    metadata: Metadata = ()
    parts: int = 0
    md5: bytes = bytes(16)
    time_ns: int = 0
    lsn: int = 0
    durable_lsn: int = 0
    epoch: int = 0

    @property
    def etag(self) -> str:
        """The ETag that GET tells, quoted."""
        return f'"{self.md5.hex()}{f"-{self.parts}" if self.parts else ""}"'

    def encoded(self) -> bytes:
        """The bytes of the record, without the fill behind it."""
        key = self.key.encode()
        metadata = b"".join(f"{n}\0{v}\0".encode() for n, v in self.metadata)
        length = RECORD_HEADER_BYTES + len(key) + len(metadata) + len(self.data)
        head = RECORD_HEADER.pack(
            RECORD_MAGIC,
            0,
            length,
            self.lsn,
            self.durable_lsn,
            self.epoch,
            self.operation,
            0,
            self.parts,
            len(key),
            0,
            len(metadata),
            len(self.data),
            self.md5,
            self.time_ns,
        )
        covered = head[LENGTH_AT:] + key + metadata + self.data
        return RECORD_MAGIC + crc32c(covered).to_bytes(4, "little") + covered


@dataclass(frozen=True, slots=True)
class Placed:
    """A record and where it stands."""

    record: Record
    file: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Header:
    """A segment's header."""

    epoch: int
    first_lsn: int
    segment_bytes: int

    def encoded(self) -> bytes:
        """The 64 bytes at the segment's begin."""
        head = SEGMENT_HEADER.pack(
            SEGMENT_MAGIC, VERSION, self.epoch, self.first_lsn, self.segment_bytes, 0, bytes(28)
        )
        return head[:32] + crc32c(head[:32]).to_bytes(4, "little") + head[36:]


@dataclass(frozen=True, slots=True)
class Hole:
    """The first place that is not what it must be."""

    file: str
    offset: int
    lsn: int
    why: str
    corrupt: bool


@dataclass(frozen=True, slots=True)
class Log:
    """What recovery finds: the records that count, and the hole if there is one."""

    headers: tuple[Header, ...]
    records: tuple[Placed, ...]
    hole: Hole | None

    @property
    def state(self) -> dict[str, Record]:
        """Objects and buckets that exist after the records, by key."""
        found: dict[str, Record] = {}
        for record in (placed.record for placed in self.records):
            if record.operation in {PUT, CREATE_BUCKET}:
                found[record.key] = record
            else:
                found.pop(record.key, None)
        return found


def put(key: str, data: bytes, metadata: Metadata = (), time_ns: int = 0) -> Record:
    """An object's PUT, its MD5 computed."""
    return Record(PUT, key, data, metadata, md5=hashlib.md5(data).digest(), time_ns=time_ns)


def padded(length: int) -> int:
    """The length with the fill that follows."""
    return -(-length // 8) * 8


def is_lawful(metadata: Metadata) -> bool:
    """Whether all of these headers are kept ones, in the order of the law."""
    places = [_place(name) for name, _ in metadata]
    named = [place for place in places if place < len(KEPT_HEADERS)]
    return places == sorted(places) and len(named) == len(set(named)) and NO_PLACE not in places


def _place(name: str) -> int:
    if name in KEPT_HEADERS:
        return KEPT_HEADERS.index(name)
    for number, prefix in enumerate(KEPT_PREFIXES, start=len(KEPT_HEADERS)):
        if name.startswith(prefix):
            return number
    return NO_PLACE


def segment_name(first_lsn: int) -> str:
    """The file name of a segment."""
    return f"segment-{first_lsn:016x}.log"


def segment_paths(folder: Path) -> list[Path]:
    """The finished segments in their order."""
    return sorted(folder.glob("segment-" + "[0-9a-f]" * 16 + ".log"))


def decode_header(data: bytes) -> Header:
    """The header of a segment of these bytes.

    Raises:
        InvalidError: It is none.
    """
    if len(data) < SEGMENT_HEADER_BYTES:
        raise InvalidError(f"{len(data)} bytes")
    magic, version, epoch, first, size, crc, rest = SEGMENT_HEADER.unpack_from(data)
    if (magic, version, rest) != (SEGMENT_MAGIC, VERSION, bytes(28)):
        raise InvalidError(f"magic {magic!r}, version {version}, rest {rest!r}")
    if crc != crc32c(data[:32]):
        raise InvalidError("checksum of the header")
    if size != len(data):
        raise InvalidError(f"{len(data)} bytes, the header says {size}")
    return Header(epoch, first, size)


def decode_record(data: bytes, offset: int, epoch: int) -> tuple[Record, int]:
    """The record at an offset of a segment, and its length; its LSN is left to the caller.

    Raises:
        InvalidError: There is none.
    """
    if len(data) - offset < RECORD_HEADER_BYTES:
        raise InvalidError("too little is left")
    fields = RECORD_HEADER.unpack_from(data, offset)
    magic, crc, length, lsn, durable, record_epoch, operation, place, parts = fields[:9]
    key_bytes, zero, metadata_bytes, data_bytes, md5, time_ns = fields[9:]
    if magic != RECORD_MAGIC or record_epoch != epoch:
        raise InvalidError(f"magic {magic!r}, epoch {record_epoch}, expected {epoch}")
    if length != RECORD_HEADER_BYTES + key_bytes + metadata_bytes + data_bytes:
        raise InvalidError(f"length {length} is not the sum of its parts")
    if offset + length > len(data) or not 1 <= key_bytes <= KEY_BYTES_MAX:
        raise InvalidError(f"length {length}, key bytes {key_bytes}")
    if metadata_bytes > METADATA_BYTES_MAX or zero or place or operation not in {1, 2, 3, 4}:
        raise InvalidError(f"metadata {metadata_bytes}, {zero}, {place}, operation {operation}")
    if crc != crc32c(data[offset + LENGTH_AT : offset + length]):
        raise InvalidError("checksum")
    key_at = offset + RECORD_HEADER_BYTES
    metadata_at, data_at = key_at + key_bytes, key_at + key_bytes + metadata_bytes
    record = Record(
        operation,
        data[key_at:metadata_at].decode(),
        data[data_at : offset + length],
        _metadata(data[metadata_at:data_at]),
        parts,
        md5,
        time_ns,
        lsn,
        durable,
        record_epoch,
    )
    return record, length


def _metadata(data: bytes) -> Metadata:
    if not data:
        return ()
    fields = data.decode().split("\0")
    if fields.pop() != "" or len(fields) % 2:
        raise InvalidError(f"metadata {data!r}")
    return tuple(zip(fields[0::2], fields[1::2], strict=True))


def read_log(folder: Path) -> Log:
    """What recovery must find in a folder; nothing is changed."""
    headers: list[Header] = []
    records: list[Placed] = []
    segments = [(path.name, path.read_bytes()) for path in segment_paths(folder)]
    for number, (name, data) in enumerate(segments):
        next_lsn = len(records) + 1
        try:
            header = decode_header(data)
        except InvalidError as error:
            corrupt = any(True for _ in _valid_behind(segments, number, SEGMENT_HEADER_BYTES))
            return Log(tuple(headers), tuple(records), Hole(name, 0, next_lsn, str(error), corrupt))
        end, why = SEGMENT_HEADER_BYTES, ""
        if (header.first_lsn, header.epoch) != (next_lsn, number + 1):
            why = f"begins with LSN {header.first_lsn}, epoch {header.epoch}"
        else:
            headers.append(header)
            end, why = _read_segment(name, data, number + 1, records)
        last = number == len(segments) - 1
        if not why and last and any(data[end:]):
            why = "something behind the end"
        if why:
            hole = _hole(segments, number, end, len(records) + 1, why)
            return Log(tuple(headers), tuple(records), hole)
    return Log(tuple(headers), tuple(records), None)


def _read_segment(name: str, data: bytes, epoch: int, into: list[Placed]) -> tuple[int, str]:
    """Take in a segment's records; where they end, and why when it is not a proper end."""
    offset = SEGMENT_HEADER_BYTES
    while len(data) - offset >= RECORD_HEADER_BYTES:
        if not any(data[offset : offset + RECORD_HEADER_BYTES]):
            break
        try:
            record, length = decode_record(data, offset, epoch)
        except InvalidError as error:
            return offset, str(error)
        if record.lsn != len(into) + 1:
            return offset, f"LSN {record.lsn}"
        into.append(Placed(record, name, offset, length))
        offset += padded(length)
    return offset, ""


def _hole(
    segments: Sequence[tuple[str, bytes]], number: int, offset: int, lsn: int, why: str
) -> Hole:
    behind = _valid_behind(segments, number, offset)
    corrupt = any(record.lsn > lsn and record.durable_lsn >= lsn for record in behind)
    return Hole(segments[number][0], offset, lsn, why, corrupt)


def _valid_behind(
    segments: Sequence[tuple[str, bytes]], number: int, offset: int
) -> Iterator[Record]:
    """Every valid record from here on, at any multiple of 8, whatever its LSN."""
    for later in range(number, len(segments)):
        data = segments[later][1]
        epoch = _epoch(data, later + 1)
        at = data.find(RECORD_MAGIC, offset if later == number else SEGMENT_HEADER_BYTES)
        while at >= 0:
            if at % 8 == 0:
                with suppress(InvalidError):
                    yield decode_record(data, at, epoch)[0]
            at = data.find(RECORD_MAGIC, at + 1)


def _epoch(data: bytes, ordinal: int) -> int:
    """The epoch that a segment's header says; its ordinal where the header is broken."""
    try:
        return decode_header(data).epoch
    except InvalidError:
        return ordinal


def write_log(
    folder: Path,
    records: Sequence[Record],
    *,
    segment_bytes: int = 1 << 16,
    durable: int | None = None,
) -> list[Placed]:
    """Write a log of these records; LSNs and epochs are given here.

    Args:
        folder: An existing folder without segments.
        records: In their order; LSN, epoch and durable LSN are replaced.
        segment_bytes: The size of a segment, unless a record needs a larger one.
        durable: The durable LSN of every record; None: all before it, as `sync` writes.
    """
    placed: list[Placed] = []
    segments: list[bytearray] = []
    name, offset = "", 0
    for lsn, record in enumerate(records, start=1):
        durable_lsn = lsn - 1 if durable is None else min(durable, lsn - 1)
        numbered = replace(record, lsn=lsn, durable_lsn=durable_lsn, epoch=max(1, len(segments)))
        length = len(numbered.encoded())
        if not segments or offset + padded(length) > len(segments[-1]):
            size = max(segment_bytes, SEGMENT_HEADER_BYTES + padded(length))
            numbered = replace(numbered, epoch=len(segments) + 1)
            segments.append(bytearray(Header(numbered.epoch, lsn, size).encoded()))
            segments[-1].extend(bytes(size - SEGMENT_HEADER_BYTES))
            name, offset = segment_name(lsn), SEGMENT_HEADER_BYTES
        segments[-1][offset : offset + length] = numbered.encoded()
        placed.append(Placed(numbered, name, offset, length))
        offset += padded(length)
        (folder / name).write_bytes(segments[-1])
    return placed
