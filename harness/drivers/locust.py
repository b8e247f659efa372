"""Locust's command lines: one master for each trial, and the workers that host the engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from harness.model.signing import Signing
from harness.system.network import is_everywhere
from harness.system.process import spawn

LOOPBACK = "127.0.0.1"
JOIN_S = 60.0
PORT = 5557  # Locust's own
# Locust ends a test when its last worker is missing; a beat comes every second.
LIVENESS_S = 30.0  # silence that counts as a loss, of workers on other machines
# Those of this machine are seen to end; under SCHED_IDLE on a busy one they may miss many beats.
LIVENESS_HERE_S = 120.0
REFUSED_STATUS = 78  # of a worker whose token is not the master's (loadgen/locust/channel.py)


class Crew(msgspec.Struct, frozen=True):
    """Which workers share a trial's load, and how those of other machines reach the master."""

    here: int = 1  # workers that are started beside the master
    elsewhere: int = 0  # workers of other machines, waited for
    bind_host: str = LOOPBACK
    bind_port: int = 0  # 0: a free one
    join_s: float = JOIN_S
    token: str = ""  # a secret: never written anywhere
    web_port: int | None = None

    @property
    def count(self) -> int:
        """All workers of a trial."""
        return self.here + self.elsewhere


def _locust(locustfile: Path) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", str(locustfile), "--loglevel", "WARNING"]


def _common(crew: Crew) -> dict[str, str]:
    """What master and workers are told alike."""
    liveness_s = LIVENESS_S if crew.elsewhere else LIVENESS_HERE_S
    set_already = os.environ.get("PAUSEMARK_LIVENESS_S")
    return {
        "PAUSEMARK_TOKEN": crew.token,
        "PAUSEMARK_LIVENESS_S": set_already or f"{liveness_s:.0f}",
    }


def start_master(
    crew: Crew,
    *,
    locustfile: Path,
    port: int,
    plan: Path,
    out: Path,
    log: Path,
    signing: Signing | None = None,
) -> subprocess.Popen[bytes]:
    """Waits for the whole crew, then begins the trial by itself.

    Keys that were drawn for the trial go to the workers with their plan; lasting ones do not.
    """
    count = str(crew.count)
    drawn = json.dumps(signing.credentials) if signing and not signing.lasting else ""
    page = ["--headless"]
    if crew.web_port is not None:
        page = ["--autostart", "--web-host", LOOPBACK, "--web-port", str(crew.web_port)]
    return spawn(
        [
            *[*_locust(locustfile), "--master", "-u", count, "-r", count, *page],
            *["--expect-workers", count, "--master-bind-host", crew.bind_host],
            *["--master-bind-port", str(port), "--only-summary", "--reset-stats"],
        ],
        env={
            "PAUSEMARK_PLAN": str(plan),
            "PAUSEMARK_OUT": str(out),
            "PAUSEMARK_LOCAL": str(crew.here),
            "PAUSEMARK_REMOTE": str(crew.elsewhere),
            "PAUSEMARK_JOIN_S": str(crew.join_s),
            "PAUSEMARK_DRAWN_KEYS": drawn,
            **_common(crew),
        },
        stdout=log,
        stderr=log,
    )


def start_here(
    crew: Crew, *, locustfile: Path, port: int, engine: Path, log: Path, signing: Signing | None
) -> list[subprocess.Popen[bytes]]:
    """The workers beside the master."""
    host = LOOPBACK if is_everywhere(crew.bind_host) else crew.bind_host
    return [
        spawn(
            [*_locust(locustfile), "--worker", "--master-host", host, "--master-port", str(port)],
            env={
                "PAUSEMARK_ENGINE": str(engine),
                "PAUSEMARK_HERE": "1",
                "PAUSEMARK_NAME": f"here-{number + 1}",
                **_common(crew),
                "PAUSEMARK_KEEP": "",
                **(signing.environment if signing and signing.lasting else {}),
            },
            stdout=log,
            stderr=log,
        )
        for number in range(crew.here)
    ]


def start_elsewhere(
    *, locustfile: Path, engine: Path, host: str, port: int, token: str, name: str, keep: str
) -> subprocess.Popen[bytes]:
    """A worker for the master of another machine; it talks on our stderr, and ends with a trial."""
    return spawn(
        [*_locust(locustfile), "--worker", "--master-host", host, "--master-port", str(port)],
        env={
            "PAUSEMARK_ENGINE": str(engine),
            "PAUSEMARK_NAME": name,
            "PAUSEMARK_TOKEN": token,
            "PAUSEMARK_KEEP": keep,
        },
        stdout=sys.stderr.fileno(),
        stderr=sys.stderr.fileno(),
    )
