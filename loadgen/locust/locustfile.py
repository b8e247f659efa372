"""Locust's side of a trial: the master divides and merges, each worker hosts one engine.

Run by `locust -f`; the environment says what a process needs: PAUSEMARK_PLAN and PAUSEMARK_OUT on
the master, PAUSEMARK_ENGINE on a worker.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import gevent
import gevent.event
import gevent.subprocess
import locust.runners
from locust import User, events, task
from locust.stats import StatsError

sys.path.insert(0, str(Path(__file__).parent))
from engine_plan import JsonObject, Seconds, decode, merge_done, shares

locust.runners.WORKER_REPORT_INTERVAL = 1.0  # the engine's seconds travel in these reports
# A worker under SCHED_IDLE beside a busy engine may miss many beats; its death is seen otherwise.
locust.runners.HEARTBEAT_LIVENESS = 30

PROMPT_EVENTS = frozenset({"ready", "start", "error", "engine_ended"})


# A child inherits SCHED_IDLE (SCHED_RESET_ON_FORK resets real-time policies only), and nobody but
# root may leave it: so only root's Locust yields, and the engine is put back among the ordinary.
YIELDS = os.geteuid() == 0
ORDINARY = ["chrt", "--other", "0"] if YIELDS else []


def yield_the_core() -> None:
    """SCHED_IDLE: Locust never holds a core that the engine wants."""
    if YIELDS:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Worker:
    """Runs this worker's engine and hands its events to the reports."""

    def __init__(self, environment: Any) -> None:
        """`environment` is Locust's."""
        self.environment = environment
        self.plan = gevent.event.AsyncResult()
        self.pending: list[JsonObject] = []
        self.engine: Any = None
        environment.runner.register_message("pausemark_plan", self.on_plan)
        environment.events.report_to_master.add_listener(self.on_report)
        environment.events.quitting.add_listener(self.on_quitting)

    def on_plan(self, environment: Any, msg: Any, **_: Any) -> None:
        """The master's message with this worker's share."""
        self.plan.set(msg.data)

    def on_report(self, client_id: str, data: JsonObject, **_: Any) -> None:
        """Ships what came since the last report."""
        data["pausemark"], self.pending = self.pending, []

    def on_quitting(self, environment: Any, **_: Any) -> None:
        """The engine never outlives its worker."""
        if self.engine is not None and self.engine.poll() is None:
            self.engine.terminate()

    def run_once(self) -> None:
        """Waits for a plan, runs the engine to its end, and waits for the next plan."""
        plan = self.plan.get()
        self.plan = gevent.event.AsyncResult()
        self.engine = gevent.subprocess.Popen(
            [*ORDINARY, os.environ["PAUSEMARK_ENGINE"], "run"],
            stdin=gevent.subprocess.PIPE,
            stdout=gevent.subprocess.PIPE,
            text=True,
        )
        self.engine.stdin.write(json.dumps(plan))
        self.engine.stdin.close()
        for line in self.engine.stdout:
            self.take(json.loads(line))
        self.take({"event": "engine_ended", "exit_status": self.engine.wait()})

    def take(self, event: JsonObject) -> None:
        """Feeds Locust's statistics; prompt events go at once, the others with the report."""
        if event["event"] == "second":
            self.fill_statistics(event)
        self.pending.append(event)
        if event["event"] in PROMPT_EVENTS:
            # everything pending goes along, so that no event overtakes another
            batch, self.pending = self.pending, []
            self.environment.runner.send_message("pausemark_events", batch)

    def fill_statistics(self, second: JsonObject) -> None:
        """One engine second into Locust's own statistics, in bulk; milliseconds with 3 decimals."""
        histogram = decode(second["histograms"]["response"])
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
            for item in histogram.get_recorded_iterator():
                milliseconds = round(item.value_iterated_to / 1e6, 3)
                entry.response_times[milliseconds] += item.count_at_value_iterated_to
                entry.total_response_time += milliseconds * item.count_at_value_iterated_to
                entry.max_response_time = max(entry.max_response_time, milliseconds)
                least = entry.min_response_time
                entry.min_response_time = (
                    milliseconds if least is None else min(least, milliseconds)
                )
        for kind, count in second["errors"].items():
            key = StatsError.create_key("HTTP", "engine", kind)
            error = stats.errors.setdefault(key, StatsError("HTTP", "engine", kind))
            error.occurrences += count


class Master:
    """Sends each worker its share, merges what comes back, and ends the test when all are done."""

    def __init__(self, environment: Any) -> None:
        """`environment` is Locust's; the plan is read here, so a wrong file ends Locust at once."""
        self.runner = environment.runner
        self.plan: JsonObject = json.loads(Path(os.environ["PAUSEMARK_PLAN"]).read_text())
        # open for as long as Locust runs; every line is flushed
        self.out: TextIO = Path(os.environ["PAUSEMARK_OUT"]).open("a", encoding="utf-8")  # noqa: SIM115
        self.workers: list[str] = []
        self.waiting: set[str] = set()
        self.seconds = Seconds([])
        self.done: list[JsonObject] = []
        self.ready: list[JsonObject] = []
        environment.events.test_start.add_listener(self.on_test_start)
        environment.events.worker_report.add_listener(self.on_report)
        self.runner.register_message("pausemark_events", self.on_events)

    def write(self, event: JsonObject) -> None:
        """One JSON line."""
        self.out.write(json.dumps(event, separators=(",", ":")) + "\n")
        self.out.flush()

    def on_test_start(self, environment: Any, **_: Any) -> None:
        """Every worker that is ready now takes part; later ones wait."""
        self.workers = [client.id for client in self.runner.clients.ready]
        self.waiting = set(self.workers)
        self.seconds = Seconds(self.workers)
        for worker, share in shares(self.plan, self.workers).items():
            self.runner.send_message("pausemark_plan", share, client_id=worker)
        gevent.spawn(self.watch)

    def watch(self) -> None:
        """Names workers that Locust lost, and quits when nobody is waited for."""
        while self.waiting:
            gevent.sleep(0.25)
            states = {client.id: client.state for client in self.runner.clients.all}
            for worker in list(self.waiting):
                if states.get(worker, "missing") == "missing":
                    self.waiting.discard(worker)
                    self.write({"event": "worker_lost", "worker": worker})
                    self.write_all(self.seconds.lose(worker))
        self.write_all(self.seconds.rest())
        if self.done:
            self.write({**merge_done(self.done), "workers": len(self.done)})
        self.write({"event": "locust_done", "workers": len(self.workers)})
        gevent.spawn(self.runner.quit)

    def write_all(self, lines: list[JsonObject]) -> None:
        """In order."""
        for line in lines:
            self.write(line)

    def on_report(self, client_id: str, data: JsonObject, **_: Any) -> None:
        """The engine's events inside a worker's regular report."""
        for event in data.get("pausemark", []):
            self.take(client_id, event)

    def on_events(self, environment: Any, msg: Any, **_: Any) -> None:
        """The engine's prompt events."""
        for event in msg.data:
            self.take(msg.node_id, event)

    def take(self, worker: str, event: JsonObject) -> None:
        """Seconds are merged, `done` is kept for the end, the rest is written with its worker."""
        if worker not in self.waiting:
            return
        if event["event"] == "second":
            self.write_all(self.seconds.add(worker, event))
        elif event["event"] == "done":
            self.done.append(event)
        else:
            self.write({**event, "worker": worker})
            if event["event"] == "engine_ended":
                self.waiting.discard(worker)


@events.init.add_listener  # type: ignore[untyped-decorator]
def on_init(environment: Any, **_: Any) -> None:
    """Locust calls this once in each process."""
    yield_the_core()
    if isinstance(environment.runner, locust.runners.MasterRunner):
        environment.pausemark = Master(environment)
    elif isinstance(environment.runner, locust.runners.WorkerRunner):
        environment.pausemark = Worker(environment)


class EngineUser(User):
    """One a worker: hosts the engine."""

    @task
    def drive(self) -> None:
        """One trial of this worker."""
        self.environment.pausemark.run_once()
