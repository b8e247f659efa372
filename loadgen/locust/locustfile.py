"""Locust's side of a trial: the master divides and merges, each worker hosts one engine.

Run by `locust -f`; the environment says what a process needs: PAUSEMARK_PLAN and PAUSEMARK_OUT on
the master, PAUSEMARK_ENGINE on a worker, PAUSEMARK_TOKEN on both or on neither.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent.event
import locust.runners
from locust import User, events, task

sys.path.insert(0, str(Path(__file__).parent))
import channel
import web_page
from engine_master import Master
from engine_worker import Worker

locust.runners.WORKER_REPORT_INTERVAL = 1.0  # the engine's seconds travel in these reports
# A worker under SCHED_IDLE beside a busy engine may miss many beats; its death is seen otherwise.
LIVENESS_S = int(os.environ.get("PAUSEMARK_LIVENESS_S", "30"))
locust.runners.HEARTBEAT_LIVENESS = LIVENESS_S  # a beat a second
locust.runners.MASTER_HEARTBEAT_TIMEOUT = LIVENESS_S
channel.guard(os.environ.get("PAUSEMARK_TOKEN", ""), channel.leave_refused)
if "PAUSEMARK_NAME" in os.environ:  # else Locust's: the machine's
    named: Any = SimpleNamespace(gethostname=lambda: os.environ["PAUSEMARK_NAME"])
    vars(locust.runners)["socket"] = named

# A child inherits SCHED_IDLE (SCHED_RESET_ON_FORK resets real-time policies only), and nobody but
# root may leave it: so only root's Locust yields, and the engine is put back among the ordinary.
YIELDS = os.geteuid() == 0 and os.environ.get("PAUSEMARK_YIELD") != "no"
ORDINARY = ["chrt", "--other", "0"] if YIELDS else []


def yield_the_core() -> None:
    """SCHED_IDLE: Locust never holds a core that the engine wants."""
    if YIELDS:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


@events.init.add_listener  # type: ignore[untyped-decorator]
def on_init(environment: Any, **_: Any) -> None:
    """Locust calls this once in each process."""
    yield_the_core()
    if isinstance(environment.runner, locust.runners.MasterRunner):
        environment.pausemark = Master(environment)
        web_page.refine(environment.web_ui)
    elif isinstance(environment.runner, locust.runners.WorkerRunner):
        environment.pausemark = Worker(environment, ORDINARY)


class EngineUser(User):
    """One a worker: stands for the engine that this worker hosts."""

    @task
    def drive(self) -> None:
        """Until Locust stops it; a User that came back from here would be sent in again at once."""
        gevent.event.Event().wait()
