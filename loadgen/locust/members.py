"""A worker that takes part in a trial: its share, what it said, what it owes when it is lost."""

from __future__ import annotations

import json
import time
from pathlib import Path

from engine_plan import JsonObject, merge_counts

HERE = "here-"  # how the names of workers begin that the harness started beside the master
NAME_MAX = 64
TIMES = ("start_ns", "measure_ns", "end_ns")


class Member:
    """One worker of a trial."""

    def __init__(self, name: str, index: int, plan: JsonObject, beside: Path | None) -> None:
        """`beside`: its own events are kept in files beside this one; None keeps none."""
        self.name = name
        self.here = name.startswith(HERE)
        self.title = shown(name.rpartition("_")[0] or name)  # Locust adds a random tail
        self.plan = plan
        self.pid: int | None = None
        self.done: JsonObject | None = None
        self.lost = ""
        self.gone_since: float | None = None
        self.path = beside.with_name(f"{beside.stem}.{index}.jsonl") if beside else None

    def heard(self, event: JsonObject) -> None:
        """Keeps an event as it came."""
        if event["event"] == "ready":
            self.pid = int(event["pid"])
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event, separators=(",", ":")) + "\n")

    def on_our_clock(self, event: JsonObject) -> JsonObject:
        """A `start` of another machine by our clock, late by the message's way; all else as is."""
        if event["event"] != "start" or self.here:
            return event
        shift = time.monotonic_ns() + int(event["ahead_ns"]) - int(event["start_ns"])
        return {**event, **{name: int(event[name]) + shift for name in TIMES}}

    def measured(self) -> JsonObject | None:
        """Its seconds of the measured part, added up; None when none came."""
        total: JsonObject | None = None
        if self.path is None or not self.path.exists():
            return None
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                event = json.loads(line)
                if event["event"] == "second" and not event.get("warmup"):
                    total = event if total is None else merge_counts([total, event])
        return total

    def loss(self, planned: int) -> JsonObject:
        """What it owes: its part of the requests, and how far it is known to have got."""
        totals = self.done["totals"] if self.done is not None else self.measured() or {}
        offered = min(int(totals.get("offered", 0)), planned)
        return {
            "name": self.title,
            "why": self.lost,
            "planned": planned,
            "offered": offered,
            "completed": min(int(totals.get("completed", 0)), offered),
        }


def lost_done(member: Member) -> JsonObject:
    """What a lost worker's seconds say, in the form of the `done` that it never sent."""
    totals = member.measured() or {}
    return {
        "totals": totals,
        "by_operation": {},
        "cpu_ns": totals.get("cpu_ns", 0),
        "wall_ns": 0,
    }


def shown(name: str) -> str:
    """A worker's name as it may be printed: it chose it, and a terminal obeys some characters."""
    kept = (char if char.isalnum() or char in "-._" else "?" for char in name[:NAME_MAX])
    return "".join(kept)


def alive(pid: int) -> bool:
    """Whether a process of this machine lives; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
