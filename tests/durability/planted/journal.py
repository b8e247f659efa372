"""The log writer of the planted store: one thread, batches, the modes and the planted faults."""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.durability.log_format import (
    DELETE,
    Header,
    Log,
    Record,
    padded,
    read_log,
    segment_name,
    segment_paths,
)

BATCH_RECORDS = 64


def fail(status: int, message: str) -> None:
    """One line on stderr, and the end of the process."""
    sys.stderr.write(f"error: log: {message}\n")
    sys.stderr.flush()
    os._exit(status)


@dataclass
class Write:
    """A write that waits for its answer; the status is the HTTP status."""

    record: Record
    condition: Callable[[dict[str, Record]], int]
    done: threading.Event = field(default_factory=threading.Event)
    status: int = 0

    def answer(self, status: int) -> None:
        """Let the worker go on."""
        self.status = status
        self.done.set()


class Journal:
    """The log, the index that follows it, and the thread that owns both."""

    def __init__(
        self, folder: Path, mode: str, fault: str, segment_bytes: int, log_bytes_max: int
    ) -> None:
        """Lock the folder, recover what is there, start the writer."""
        self.folder, self.mode, self.fault = folder, mode, fault
        self.segment_bytes, self.log_bytes_max = segment_bytes, log_bytes_max
        self.index: dict[str, Record] = {}
        self.queue: queue.SimpleQueue[Write] = queue.SimpleQueue()
        self.durable = self.written = self.offset = self.size = 0
        self.epoch = 0
        self.file = -1
        try:
            self.lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            fail(4, f"{folder}: {error.strerror}")
        self._recover()
        threading.Thread(target=self._write_forever, daemon=True).start()
        if mode == "interval":
            threading.Thread(target=self._sync_forever, daemon=True).start()

    def submit(self, record: Record, condition: Callable[[dict[str, Record]], int]) -> int:
        """Wait until the write is as durable as the mode says; the HTTP status."""
        write = Write(record, condition)
        if self.fault == "racing":
            status = condition(self.index)
            if status:
                return status
            time.sleep(0.002)
            write.condition = lambda _: 0
        self.queue.put(write)
        write.done.wait()
        return write.status

    def _recover(self) -> None:
        for path in self.folder.glob("*.new"):
            path.unlink()
        log = read_log(self.folder)
        if log.hole is not None:
            hole = log.hole
            if hole.corrupt and self.fault != "trusting":
                fail(1, f"{hole.file}: corrupt at offset {hole.offset}, LSN {hole.lsn}")
            self._drop_tail(log)
        self.index = log.state
        self.written = len(log.records)
        paths = segment_paths(self.folder)
        if not paths:
            self._new_segment(1, self.segment_bytes)
            return
        self.epoch, self.file = len(paths), os.open(paths[-1], os.O_RDWR)
        self.size = paths[-1].stat().st_size
        inside = [p for p in log.records if p.file == paths[-1].name]
        self.offset = inside[-1].offset + padded(inside[-1].length) if inside else 64
        for path in paths:
            with path.open("rb") as segment:
                os.fdatasync(segment.fileno())
        self.durable = self.written

    def _drop_tail(self, log: Log) -> None:
        assert log.hole is not None
        sys.stderr.write(f"warning: log: {log.hole.file}: dropped from {log.hole.offset}\n")
        sys.stderr.flush()
        for path in segment_paths(self.folder):
            if path.name > log.hole.file or (path.name == log.hole.file and not log.hole.offset):
                path.unlink()
        path = self.folder / log.hole.file
        if self.fault != "stale" and path.exists():
            with path.open("r+b") as file:
                file.seek(log.hole.offset)
                file.write(bytes(path.stat().st_size - log.hole.offset))
                file.flush()
                os.fdatasync(file.fileno())

    def _new_segment(self, first_lsn: int, size: int) -> None:
        if sum(p.stat().st_size for p in segment_paths(self.folder)) + size > self.log_bytes_max:
            raise OSError(errno.ENOSPC, "log full")
        if self.file >= 0:
            os.fdatasync(self.file)
            os.close(self.file)
            self.file = -1
            self.durable = self.written
        path = self.folder / segment_name(first_lsn)
        new = path.with_name(path.name + ".new")
        try:
            with new.open("wb") as file:
                file.write(Header(self.epoch + 1, first_lsn, size).encoded() + bytes(size - 64))
                file.flush()
                os.fdatasync(file.fileno())
        except OSError:
            new.unlink()
            self._reopen()
            raise
        new.rename(path)
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        self.file = os.open(path, os.O_RDWR)
        self.epoch, self.size, self.offset = self.epoch + 1, size, 64

    def _reopen(self) -> None:
        paths = segment_paths(self.folder)
        if paths:
            self.file = os.open(paths[-1], os.O_RDWR)

    def _write_forever(self) -> None:
        while True:
            batch = [self.queue.get()]
            limit = 1 if self.mode == "sync" else BATCH_RECORDS
            while len(batch) < limit and not self.queue.empty():
                batch.append(self.queue.get())
            while batch:
                batch = self._write(batch)

    def _write(self, batch: list[Write]) -> list[Write]:
        """Write what fits together; what must wait for the next round is returned."""
        pieces: list[bytes] = []
        taken: list[Write] = []
        later: list[Write] = []
        keys: set[str] = set()
        at = self.offset
        for number, write in enumerate(batch):
            touched = {write.record.key, write.record.key.split("/")[0]}
            if keys & touched:
                later = batch[number:]
                break
            status = write.condition(self.index)
            if status:
                write.answer(status)
                continue
            record = replace(
                write.record,
                lsn=self.written + len(taken) + 1,
                durable_lsn=self.durable,
                epoch=self.epoch,
            )
            data = record.encoded()
            room = padded(len(data))
            if at + room > self.size:
                later = batch[number:]
                if not taken:
                    later = self._roll(later, record.lsn, room)
                break
            keys |= touched
            write.record = record
            pieces.append(data + bytes(room - len(data)))
            taken.append(write)
            at += room
        if taken:
            self._commit(pieces, taken, at)
        return later

    def _roll(self, batch: list[Write], lsn: int, room: int) -> list[Write]:
        try:
            self._new_segment(lsn, max(self.segment_bytes, 64 + room))
        except OSError:
            batch[0].answer(503)
            return batch[1:]
        return batch

    def _commit(self, pieces: list[bytes], taken: list[Write], end: int) -> None:
        try:
            os.pwritev(self.file, pieces, self.offset)
            self.offset, self.written = end, self.written + len(taken)
            if self.fault in {"early", "visible"}:
                self._apply(taken, answered=self.fault == "early")
            if self.mode in {"batch", "sync"}:
                self._sync()
        except OSError as error:
            for write in taken:
                write.answer(500)
            time.sleep(0.05)
            fail(1, f"{self.folder}: {error.strerror}")
        self._apply(taken, answered=True)

    def _apply(self, taken: list[Write], *, answered: bool) -> None:
        for write in taken:
            if write.record.operation % 2:
                self.index[write.record.key] = write.record
            else:
                self.index.pop(write.record.key, None)
            if answered:
                write.answer(200)

    def _sync(self) -> None:
        written = self.written
        try:
            os.fdatasync(self.file)
        except OSError:
            if self.fault != "retrying":
                raise
        self.durable = written

    def _sync_forever(self) -> None:
        while True:
            time.sleep(0.1)
            try:
                self._sync()
            except OSError as error:
                fail(1, f"{self.folder}: {error.strerror}")


def forgets(fault: str, record: Record) -> bool:
    """Whether the planted fault loses this write."""
    return fault == "forgetful" and record.operation == DELETE
