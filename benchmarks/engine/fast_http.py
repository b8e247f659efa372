"""A locustfile: Locust's fastest user in Python, and the CPU that its requests took."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from locust import FastHttpUser, constant, events, task

PATH = os.environ["PAUSEMARK_PATH"]
begun: dict[str, float] = {}


class Reader(FastHttpUser):
    """Asks for one object without a pause."""

    wait_time = constant(0)

    @task
    def read(self) -> None:
        """One GET."""
        self.client.get(PATH)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def note_start(**_: Any) -> None:
    """Importing Locust is not the cost of requests; spawning 64 users is next to nothing."""
    begun["cpu_s"] = time.process_time()


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def say(environment: Any, **_: Any) -> None:
    """One line for the script that started this."""
    total = environment.stats.total
    result = {"requests": total.num_requests, "cpu_s": time.process_time() - begun["cpu_s"]}
    print("\nPAUSEMARK " + json.dumps(result), flush=True)
