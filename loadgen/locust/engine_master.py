"""The master's side of a trial: divides a plan, merges what engines say, names who was lost."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import channel
import gevent
from engine_plan import JsonObject, Seconds, merge_done, shares, with_drawn_keys
from members import HERE, Member, alive, lost_done
from messages import flaw_of_event

HEAD_START_S = 3.0  # from the plan to the first slot: every worker starts its engine meanwhile
OPENING_S = 0.001  # more for each connection that a worker opens
GONE_S = 5.0  # an engine of this machine is gone, and its worker says nothing of it
LOOK_EVERY_S = 0.25


class Master:
    """Sends each worker its share, merges what comes back, and ends the test when all are done."""

    def __init__(self, environment: Any) -> None:
        """`environment` is Locust's; the plan is read here, so a wrong file ends Locust at once.

        The trial takes PAUSEMARK_LOCAL workers of this machine and PAUSEMARK_REMOTE others, and
        waits PAUSEMARK_JOIN_S for them. Without these it takes as many as Locust was told to wait
        for (--expect-workers).
        """
        self.runner = environment.runner
        plan: JsonObject = json.loads(Path(os.environ["PAUSEMARK_PLAN"]).read_text())
        self.plan = with_drawn_keys(plan, os.environ)
        # open for as long as Locust runs; every line is flushed
        self.out_path = Path(os.environ["PAUSEMARK_OUT"])
        self.out: TextIO = self.out_path.open("a", encoding="utf-8")
        asked = environment.parsed_options.expect_workers
        self.wanted_here = int(os.environ.get("PAUSEMARK_LOCAL", "0"))
        self.wanted = self.wanted_here + int(os.environ.get("PAUSEMARK_REMOTE", asked))
        self.members: dict[str, Member] = {}
        self.waiting: set[str] = set()
        self.began = False
        self.seconds = Seconds([])
        self.admit: Callable[[str, Any], None] = self.runner.handle_message
        self.runner.handle_message = self.on_message
        environment.events.test_start.add_listener(self.on_test_start)
        environment.events.worker_report.add_listener(self.on_report)
        self.runner.register_message("pausemark_events", self.on_events)
        gevent.spawn_later(float(os.environ.get("PAUSEMARK_JOIN_S", "60")), self.give_up)

    def write(self, event: JsonObject) -> None:
        """One JSON line."""
        self.out.write(json.dumps(event, separators=(",", ":")) + "\n")
        self.out.flush()

    def on_message(self, client_id: str, msg: Any) -> None:
        """Locust's own handler, but for workers that this trial has no place for.

        They ask again every few seconds, and find the next trial's master. A message that Locust
        cannot take costs a line in the log, not its listener.
        """
        if msg.type == "client_ready" and not self.has_place(client_id):
            return
        try:
            self.admit(client_id, msg)
        except Exception:
            logging.getLogger(__name__).exception("a message from %s", client_id)

    def has_place(self, client_id: str) -> bool:
        """Whether this worker takes part, or still may."""
        known: list[str] = [client.id for client in self.runner.clients.all]
        if self.began or client_id in known:
            return client_id in known and not self.began
        here = client_id.startswith(HERE)
        limit = self.wanted_here if here else self.wanted - self.wanted_here
        return sum(name.startswith(HERE) == here for name in known) < limit

    def give_up(self) -> None:
        """Says how many workers came, when too few did."""
        if self.began:
            return
        known = [client.id for client in self.runner.clients.all]
        came = sum(not name.startswith(HERE) for name in known)
        expected = self.wanted - self.wanted_here
        told = {"came": came, "expected": expected, "refused": bool(channel.refused_peers)}
        self.write({"event": "workers_missing", **told})

    def on_test_start(self, environment: Any, **_: Any) -> None:
        """Every worker that is ready now takes part, those of this machine first."""
        self.began = True
        names = sorted(
            (client.id for client in self.runner.clients.ready),
            key=lambda name: (not name.startswith(HERE), name),
        )
        try:
            divided = shares(self.plan, names, sum(name.startswith(HERE) for name in names))
        except ValueError as error:
            self.write({"event": "error", "where": "workers", "what": str(error)})
            return
        self.seconds = Seconds(names)
        head_ns = None if len(names) == 1 else self.head_start_ns(divided)
        for index, (name, share) in enumerate(divided.items()):
            alone = self.out_path if len(names) > 1 else None
            self.members[name] = Member(name, index, share, alone)
        if head_ns is not None:  # one clock: those of this machine start at the same instant
            first = time.monotonic_ns() + head_ns
            for member in self.members.values():
                member.plan["start_at_ns"] = first
        self.waiting = set(names)
        for name, member in self.members.items():
            told = {"plan": member.plan, "start_in_ns": head_ns}
            self.runner.send_message("pausemark_plan", told, client_id=name)
        gevent.spawn(self.watch)

    @staticmethod
    def head_start_ns(divided: dict[str, JsonObject]) -> int:
        """Enough for the slowest worker to open its connections."""
        most = max(int(share["connections"]) for share in divided.values())
        return int((HEAD_START_S + OPENING_S * most) * 1e9)

    def watch(self) -> None:
        """Names workers that were lost, and quits when nobody is waited for."""
        while self.waiting:
            gevent.sleep(LOOK_EVERY_S)
            states = {client.id: client.state for client in self.runner.clients.all}
            for name in list(self.waiting):
                if states.get(name, "missing") == "missing":
                    self.lose(name, "no sign of it came any more")
                elif self.engine_is_gone(self.members[name]):
                    self.lose(name, "its processes ended")
        self.write_all(self.seconds.rest())
        self.conclude()
        self.write({"event": "locust_done", "workers": len(self.members)})
        gevent.spawn(self.runner.quit)

    def engine_is_gone(self, member: Member) -> bool:
        """Seen from here, where worker and engine are this machine's: heartbeats take longer."""
        if len(self.members) == 1 or not member.here or member.pid is None or alive(member.pid):
            member.gone_since = None
            return False
        member.gone_since = member.gone_since or time.monotonic()
        return time.monotonic() - member.gone_since > GONE_S

    def lose(self, name: str, why: str) -> None:
        """The rest go on without this worker."""
        self.waiting.discard(name)
        member = self.members[name]
        member.lost = why
        self.write({"event": "worker_lost", "worker": name, "name": member.title, "why": why})
        self.write_all(self.seconds.lose(name))

    def conclude(self) -> None:
        """The `done` of all, with what the lost ones did until then and what they owe."""
        members = list(self.members.values())
        finished = [member.done for member in members if member.done is not None]
        if not finished:
            return
        lost = [member for member in members if member.lost]
        partial = [lost_done(member) for member in lost if member.done is None]
        merged = merge_done([*finished, *partial])
        whole = [m.done["totals"]["offered"] for m in members if m.done is not None and not m.lost]
        if lost and whole:
            owed = [member.loss(round(sum(whole) / len(whole))) for member in lost]
            merged["lost"] = owed
            merged["totals"]["offered"] += sum(one["planned"] - one["offered"] for one in owed)
        self.write({**merged, "workers": len(finished)})

    def write_all(self, lines: list[JsonObject]) -> None:
        """In order."""
        for line in lines:
            self.write(line)

    def on_report(self, client_id: str, data: JsonObject, **_: Any) -> None:
        """The engine's events inside a worker's regular report."""
        self.take_all(client_id, data.get("pausemark", []))

    def on_events(self, environment: Any, msg: Any, **_: Any) -> None:
        """The engine's prompt events."""
        self.take_all(msg.node_id, msg.data)

    def take_all(self, name: str, events: Any) -> None:
        """In order; what is no list is one event, and no engine's."""
        for event in events if isinstance(events, list) else [events]:
            self.take(name, event)

    def take(self, name: str, event: JsonObject) -> None:
        """Seconds are merged, `done` is kept for the end, the rest is written with its worker."""
        if name not in self.waiting:
            return
        member = self.members[name]
        flaw = flaw_of_event(event, decoding=not member.here)
        if flaw:
            self.lose(name, f"it sent {flaw}, which no engine says")
            return
        member.heard(event)
        if event["event"] == "second":
            self.write_all(self.seconds.add(name, event))
        elif event["event"] == "done":
            member.done = event
        elif event["event"] == "engine_ended":
            self.on_engine_ended(member, event)
        else:
            self.write({**member.on_our_clock(event), "worker": name, "here": member.here})

    def on_engine_ended(self, member: Member, event: JsonObject) -> None:
        """One of several engines that ends badly is lost; the only one is the trial's end."""
        status = event["exit_status"]
        if status and len(self.members) > 1:
            self.lose(member.name, f"its engine ended with status {status}")
            return
        self.write({**event, "worker": member.name})
        self.waiting.discard(member.name)
