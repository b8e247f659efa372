"""`bench run --locustfile`: a user's own Locust users against any HTTP target, labelled."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from harness.drivers import locust_users
from harness.errors import EnvironmentLacking
from harness.model.users import UsersAsked, UsersTimes
from harness.stats import users
from harness.store import run_folder
from harness.system import clock
from harness.system.journal import owned_machine
from harness.system.network import connects


def measure(asked: UsersAsked, *, root: Path, results: Path) -> UsersTimes:
    """Runs it once; its records stay in a folder of their own under `results`."""
    parts = urlsplit(asked.target)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not connects(parts.hostname or "", port):
        raise EnvironmentLacking(
            "--target",
            f"nobody listens on {parts.hostname}:{port}",
            hint="start the server first, or build and run a backend with `bench run`",
        )
    with owned_machine("bench run --locustfile"):
        folder = run_folder.scratch(results, "locustfile", stamp=clock.utc_stamp())
        recorder = root / "loadgen" / "locust" / "user_times.py"
        summary, records = locust_users.drive(asked, recorder=recorder, folder=folder)
        found = users.figures(asked, str(folder), summary, records)
        run_folder.write_users_times(folder, found)
    return found
