"""Copies a BPF ring buffer into a file in bulk, once a second, without a line of Python per event.

The layout of the mapped pages is the kernel's user ABI (Documentation/bpf/ringbuf.rst): the
consumer's page, the producer's page, then the data twice over, so that no record is ever split.
"""

from __future__ import annotations

import json
import mmap
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from common.kernel import Program

MAGIC = b"PMEVT001"
HEADER_BYTES = 4096
RING_HEADER_BYTES = 8
# A record reserved before the producer's position was read is whole after this long: BPF programs
# do not sleep. One whose CPU is taken away for longer stays marked busy, and readers skip it.
_SETTLE_S = 0.001


@dataclass(frozen=True, slots=True)
class Stream:
    """A file of fixed-size records, filled from the ring buffer map of the same name.

    `pages` is what the kernel side gave BPF_RINGBUF_OUTPUT. The kernel side counts what found the
    ring full in element 0 of the array `<name>_drops`.
    """

    name: str
    pages: int
    fields: tuple[tuple[str, str], ...]  # after the ring's own header
    enums: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @property
    def record_bytes(self) -> int:
        """Size of a record with the ring's header, as it stands in ring and file."""
        payload = sum(int(kind[2:] if kind[0] == "<" else kind[1:]) for _, kind in self.fields)
        return RING_HEADER_BYTES + (payload + 7) // 8 * 8

    def header(self, probe: str) -> bytes:
        """The first 4096 bytes of the stream's file."""
        document: dict[str, Any] = {
            "schema": 1,
            "probe": probe,
            "stream": self.name,
            "record_bytes": self.record_bytes,
            "fields": [["ring", "<u8"], *([name, kind] for name, kind in self.fields)],
            "enums": {
                name: {str(value): word for value, word in words.items()}
                for name, words in self.enums.items()
            },
        }
        text = json.dumps(document).encode()
        return (MAGIC + struct.pack("<I", len(text)) + text).ljust(HEADER_BYTES, b"\0")


class Ring:
    """One ring buffer, mapped once for the life of the probe and copied to a file per trial."""

    def __init__(self, program: Program, stream: Stream) -> None:
        """Map the ring of `stream`; the map must have stream.pages pages."""
        self.stream = stream
        self._drops_map = program.map(f"{stream.name}_drops")
        fd = int(program.bpf[stream.name.encode()].map_fd)
        page = mmap.PAGESIZE
        self._size = stream.pages * page
        self._consumer = mmap.mmap(fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._producer = mmap.mmap(
            fd, page + 2 * self._size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page
        )
        self._data = memoryview(self._producer)[page:]
        self._drops_before = 0
        self._copied_bytes = 0
        self._file: Any = None

    def open(self, folder: Path, probe: str) -> None:
        """Begin a file; what an earlier trial left in the ring is thrown away."""
        self._consume(self._produced())
        self._drops_before = self._drops_map.integers(0)[0]
        self._copied_bytes = 0
        self._file = (folder / f"{self.stream.name}.bin").open("xb")
        self._file.write(self.stream.header(probe))

    def copy(self, end: int) -> None:
        """Append everything up to the position `end`, read before settle()."""
        start = self._consumed()
        offset = start & (self._size - 1)
        self._file.write(self._data[offset : offset + end - start])
        self._copied_bytes += end - start
        self._consume(end)

    def close(self) -> tuple[int, int]:
        """Finish the file; returns the records in it and those that were dropped."""
        self._file.close()
        self._file = None
        records, rest = divmod(self._copied_bytes, self.stream.record_bytes)
        if rest:
            raise RuntimeError(f"{self.stream.name}: {rest} bytes beyond the last whole record")
        return records, self._drops_map.integers(0)[0] - self._drops_before

    def position(self) -> int:
        """How far the kernel side has written."""
        return self._produced()

    def _produced(self) -> int:
        return int(struct.unpack_from("<Q", self._producer, 0)[0])

    def _consumed(self) -> int:
        return int(struct.unpack_from("<Q", self._consumer, 0)[0])

    def _consume(self, position: int) -> None:
        struct.pack_into("<Q", self._consumer, 0, position)


def copy_all(rings: list[Ring]) -> None:
    """Copy every ring up to where it stands now, once the records under way are whole."""
    ends = [ring.position() for ring in rings]
    time.sleep(_SETTLE_S)
    for ring, end in zip(rings, ends, strict=True):
        ring.copy(end)
