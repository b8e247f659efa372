"""Runs beside a user's own locustfile: the service time of every request, into a file as it comes.

Locust keeps whole milliseconds; its clients hand over fractions. PAUSEMARK_TIMES names the file of
24-byte records (little endian: end_ns and service_ns, i64; an index into the entries, u32; 1 for a
failure, u32), PAUSEMARK_SUMMARY what is written at the end, as JSON.
"""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import Any, BinaryIO

from locust import events

RECORD = struct.Struct("<qqII")
ENTRIES_MAX = 1000  # names beyond these share one: a URL with a number in it is no name
ERRORS_MAX = 100
TEXT_MAX = 200


class Times:
    """What this process saw of its users' requests."""

    def __init__(self, times: Path, summary: Path) -> None:
        """Opens the file of times."""
        # open for as long as Locust runs; its buffer is the only thing between two requests
        self.out: BinaryIO = times.open("wb", buffering=1 << 20)
        self.summary = summary
        self.entries: dict[tuple[str, str], int] = {}
        self.errors: dict[str, int] = {}
        self.whole_milliseconds = True
        self.begun: tuple[int, float] = (0, 0.0)

    def on_start(self, **_: Any) -> None:
        """Locust spawns its users from here on."""
        self.begun = (time.monotonic_ns(), time.process_time())

    def on_request(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        """One request that ended."""
        milliseconds = response_time or 0.0
        if milliseconds % 1:
            self.whole_milliseconds = False
        if exception is not None:
            self.count_error(exception)
        entry = self.entry(request_type, name)
        failed = int(exception is not None)
        now_ns = time.monotonic_ns()
        self.out.write(RECORD.pack(now_ns, int(milliseconds * 1e6), entry, failed))

    def entry(self, kind: str, name: str) -> int:
        """The number of a name; the last one stands for all beyond the limit."""
        key = (str(kind)[:TEXT_MAX], str(name)[:TEXT_MAX])
        if key not in self.entries and len(self.entries) >= ENTRIES_MAX - 1:
            key = ("", f"(names beyond {ENTRIES_MAX - 1})")
        return self.entries.setdefault(key, len(self.entries))

    def count_error(self, exception: BaseException) -> None:
        """By its text, as Locust does."""
        text = f"{type(exception).__name__}: {exception}"[:TEXT_MAX]
        if text not in self.errors and len(self.errors) >= ERRORS_MAX:
            text = "(other errors)"
        self.errors[text] = self.errors.get(text, 0) + 1

    def on_quitting(self, **_: Any) -> None:
        """The file is whole once the summary is there."""
        self.out.close()
        begun_ns, cpu_s = self.begun
        summary = {
            "schema": 1,
            "entries": list(self.entries),
            "errors": self.errors,
            "whole_milliseconds": self.whole_milliseconds,
            "begun_ns": begun_ns,
            "ended_ns": time.monotonic_ns(),
            "cpu_ns": int((time.process_time() - cpu_s) * 1e9),
        }
        self.summary.write_text(json.dumps(summary), encoding="utf-8")


TIMES = Times(Path(os.environ["PAUSEMARK_TIMES"]), Path(os.environ["PAUSEMARK_SUMMARY"]))
events.test_start.add_listener(TIMES.on_start)  # type: ignore[no-untyped-call]
events.request.add_listener(TIMES.on_request)  # type: ignore[no-untyped-call]
events.quitting.add_listener(TIMES.on_quitting)  # type: ignore[no-untyped-call]
