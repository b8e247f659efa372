"""Starts Docker's daemon when none answers, and makes the base image when there is none."""

from __future__ import annotations

import sys

from harness.drivers import docker_base, docker_runtime
from harness.errors import PausemarkError
from harness.system import docker_daemon


def main() -> int:
    """0 when containers can be used from now on, 4 with the reason when not."""
    try:
        daemon = docker_daemon.ensure()
        if daemon.note:
            say(f"setup: Docker's daemon {daemon.version} {daemon.note}")
        docker_base.ensure(docker_runtime.connect(daemon), lambda text: say(f"setup: {text}"))
    except PausemarkError as error:
        say(f"warning: {error}\nhint: {error.hint}")
        return error.exit_code
    return 0


def say(text: str) -> None:
    """Talk goes to stderr."""
    print(text, file=sys.stderr)  # noqa: T201 (a tool's own talk)


if __name__ == "__main__":
    sys.exit(main())
