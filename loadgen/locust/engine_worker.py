"""A worker's side of a trial: hosts one engine, and hands what it says to Locust's reports."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import gevent
import gevent.subprocess
from engine_plan import JsonObject, decode, recorded, with_credentials
from locust.stats import StatsError
from messages import flaw_of_plan

PROMPT_EVENTS = frozenset({"ready", "start", "error", "engine_ended"})
ENDING_S = 5.0  # that a terminated engine has for its last words


class Worker:
    """Runs this worker's engine and hands its events to the reports.

    PAUSEMARK_HERE says that master and worker share a machine: its clock, CPUs and files are then
    the master's to name. Elsewhere they are the worker's own, and nothing is written unless
    PAUSEMARK_KEEP names a folder.
    """

    def __init__(self, environment: Any, ordinary: list[str]) -> None:
        """`environment` is Locust's; `ordinary` puts a child back among ordinary processes."""
        self.environment = environment
        self.ordinary = ordinary
        self.here = "PAUSEMARK_HERE" in os.environ
        self.pending: list[JsonObject] = []
        self.engine: Any = None
        self.kept: TextIO | None = None
        environment.runner.register_message("pausemark_plan", self.on_plan)
        environment.events.report_to_master.add_listener(self.on_report)
        environment.events.test_stop.add_listener(self.on_quitting)
        environment.events.quitting.add_listener(self.on_quitting)
        self.talk(f"joined {environment.runner.master_host}:{environment.runner.master_port}")

    def talk(self, text: str) -> None:
        """A line for the person who started a worker elsewhere."""
        if not self.here:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def on_plan(self, environment: Any, msg: Any, **_: Any) -> None:
        """The master's message with this worker's share; the engine starts at once.

        It is no User's: Locust may move users among workers, and an engine stays where it is.
        """
        if self.engine is not None:
            return
        flaw = flaw_of_plan(msg.data)
        if flaw:
            self.refuse("the master's plan", f"is {flaw}", hint="master and workers: one version")
            return
        try:
            gevent.spawn(self.run_once, self.own(msg.data))
        except OSError as error:
            self.refuse("--keep", f"cannot be written: {error.strerror}", hint="another folder")

    def own(self, told: JsonObject) -> JsonObject:
        """The plan with what this machine alone can know."""
        plan: JsonObject = dict(told["plan"])
        if not self.here:
            plan["cpus"] = sorted(os.sched_getaffinity(0))[-1:]
            plan["records_path"] = None
            if told["start_in_ns"] is not None:
                plan["start_at_ns"] = time.monotonic_ns() + int(told["start_in_ns"])
        folder = os.environ.get("PAUSEMARK_KEEP")
        if folder:
            trial = Path(folder) / f"{time.time_ns()}"
            trial.mkdir(parents=True)
            plan["records_path"] = str(trial / "requests.bin")
            self.kept = (trial / "engine.jsonl").open("w", encoding="utf-8")
        return plan

    def on_report(self, client_id: str, data: JsonObject, **_: Any) -> None:
        """Ships what came since the last report."""
        data["pausemark"], self.pending = self.pending, []

    def on_quitting(self, environment: Any, **_: Any) -> None:
        """The engine never outlives its worker, nor the master that it worked for."""
        engine = self.engine
        if engine is None or engine.poll() is not None:
            return
        engine.terminate()
        try:
            engine.wait(timeout=ENDING_S)
        except gevent.subprocess.TimeoutExpired:
            engine.kill()

    def run_once(self, plan: JsonObject) -> None:
        """Runs the engine to its end."""
        target = plan["target"]
        self.talk(
            f"trial: {plan['rate_rps']:,.1f} requests/s on {plan['connections']} connections "
            f"to {target['address']}:{target['port']}"
        )
        try:
            plan = with_credentials(plan, os.environ)
        except KeyError as missing:
            self.refuse(
                str(missing.args[0]),
                "is not set where the worker runs, expected the target's keys, got nothing",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY there",
            )
            return
        self.engine = gevent.subprocess.Popen(
            [*self.ordinary, os.environ["PAUSEMARK_ENGINE"], "run"],
            stdin=gevent.subprocess.PIPE,
            stdout=gevent.subprocess.PIPE,
            text=True,
        )
        with contextlib.suppress(BrokenPipeError):  # it ended already, and its status tells
            self.engine.stdin.write(json.dumps(plan))
            self.engine.stdin.close()
        for line in self.engine.stdout:
            if self.kept is not None:
                self.kept.write(line)
            self.take(json.loads(line))
            gevent.sleep(0)  # heartbeats go on when lines have piled up
        if self.kept is not None:
            self.kept.close()
        self.take({"event": "engine_ended", "exit_status": self.engine.wait()})
        self.talk("trial: over")

    def refuse(self, where: str, what: str, *, hint: str) -> None:
        """Says why this worker starts no engine, there and here."""
        self.talk(f"error: {where}: {what}")
        self.take({"event": "error", "where": where, "what": what, "hint": hint})
        self.take({"event": "engine_ended", "exit_status": 2})

    def take(self, event: JsonObject) -> None:
        """Feeds Locust's statistics; prompt events go at once, the others with the report."""
        if event["event"] == "second":
            self.fill_statistics(event)
        elif event["event"] == "start":
            # elsewhere is another clock: the master reckons from the moment of this message
            event["ahead_ns"] = int(event["start_ns"]) - time.monotonic_ns()
        self.pending.append(event)
        if event["event"] in PROMPT_EVENTS:
            # everything pending goes along, so that no event overtakes another
            batch, self.pending = self.pending, []
            self.environment.runner.send_message("pausemark_events", batch)

    def fill_statistics(self, second: JsonObject) -> None:
        """One engine second into Locust's own statistics, in bulk; milliseconds with 3 decimals."""
        times = [
            (round(value_ns / 1e6, 3), count)
            for value_ns, count in recorded(decode(second["histograms"]["response"]))
        ]
        stats = self.environment.stats
        now = time.time()
        failures = sum(second["errors"].values())
        for entry in (stats.get("engine", "HTTP"), stats.total):
            entry.num_requests += second["completed"]
            entry.num_failures += failures
            entry.last_request_timestamp = now
            entry.total_content_length += second["bytes_in"]
            entry.num_reqs_per_sec[int(now)] += second["completed"]
            if failures:
                entry.num_fail_per_sec[int(now)] += failures
            for milliseconds, count in times:
                entry.response_times[milliseconds] += count
                entry.total_response_time += milliseconds * count
                entry.max_response_time = max(entry.max_response_time, milliseconds)
                least = entry.min_response_time
                entry.min_response_time = (
                    milliseconds if least is None else min(least, milliseconds)
                )
        for kind, failed in second["errors"].items():
            key = StatsError.create_key("HTTP", "engine", kind)
            error = stats.errors.setdefault(key, StatsError("HTTP", "engine", kind))
            error.occurrences += failed
