"""Runs Locust with a user's own locustfile against a target, and keeps what each request took."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import msgspec
import numpy as np

from harness.errors import LoadFailed, UsageError
from harness.model.users import RECORD, Records, UsersAsked, UsersSummary
from harness.model.words import printable
from harness.system.files import tail
from harness.system.process import run

GRACE_S = 60.0  # to import, to spawn, and for what is in flight at the end
STOP_TIMEOUT_S = 10
TIMES, SUMMARY, LOG = "user-times.bin", "user-times.json", "locust.log"


def drive(asked: UsersAsked, *, recorder: Path, folder: Path) -> tuple[UsersSummary, Records]:
    """One headless Locust to its end; UsageError where it does not take the file."""
    lasts_s = asked.warmup_s + asked.duration_s
    command = [sys.executable, "-m", "locust", "-f", f"{asked.locustfile},{recorder}"]
    command += ["--headless", "-u", str(asked.users), "-r", str(asked.users)]
    command += ["-t", f"{math.ceil(lasts_s)}s", "--host", asked.target]  # Locust: whole seconds
    command += ["--stop-timeout", str(STOP_TIMEOUT_S), "--exit-code-on-error", "0"]
    command += ["--only-summary", "--loglevel", "WARNING"]
    paths = {"PAUSEMARK_TIMES": folder / TIMES, "PAUSEMARK_SUMMARY": folder / SUMMARY}
    log = folder / LOG
    finished = run(
        command,
        timeout_s=lasts_s + GRACE_S,
        env={name: str(path.resolve()) for name, path in paths.items()},
        log=log,
    )
    if not (folder / SUMMARY).is_file():
        last = next((line for line in reversed(tail(log, 5)) if line.strip()), "said nothing")
        raise UsageError(
            f"--locustfile {asked.locustfile}",
            f"Locust did not run it and ended with {finished.exit_status}: "
            + printable(last.strip()),
            hint=f"all that it said is in {log}; try it by hand: locust -f {asked.locustfile}",
        )
    return _read(folder)


def _read(folder: Path) -> tuple[UsersSummary, Records]:
    try:
        summary = msgspec.json.decode((folder / SUMMARY).read_bytes(), type=UsersSummary)
        records: Records = np.fromfile(folder / TIMES, dtype=RECORD)
    except (OSError, msgspec.DecodeError) as error:
        raise LoadFailed(
            str(folder), f"its times cannot be read: {error}", hint="run it again"
        ) from error
    return summary, records
