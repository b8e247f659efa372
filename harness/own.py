"""`bench run --locustfile`: a user's own Locust users against any HTTP target, labelled."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from harness.drivers import own_locust
from harness.errors import EnvironmentLacking
from harness.model.own import OwnAsked, OwnTimes
from harness.stats import own
from harness.store import run_folder
from harness.system import clock
from harness.system.journal import owned_machine
from harness.system.network import connects


def measure(asked: OwnAsked, *, root: Path, results: Path) -> OwnTimes:
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
        recorder = root / "loadgen" / "locust" / "own_times.py"
        summary, records = own_locust.drive(asked, recorder=recorder, folder=folder)
        found = own.figures(asked, str(folder), summary, records)
        run_folder.write_own_times(folder, found)
    return found
