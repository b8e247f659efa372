"""Which runtime a run takes and why, and removing what a killed run left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from docker.errors import DockerException

from harness.drivers import docker_runtime
from harness.drivers.docker_runtime import DockerRuntime
from harness.drivers.process_runtime import ProcessRuntime
from harness.drivers.runtime import Runtime
from harness.errors import EnvironmentLacking, UsageError
from harness.system import cgroups, docker_daemon, process_table

RUNTIMES = ("auto", "docker", "process")
TOOLCHAIN_FOLDER = ".pausemark/bin"  # where set-up links the compilers that PATH lacks


def choose(
    asked: str, *, build: Path, say: Callable[[str], None] = lambda _: None
) -> tuple[Runtime, str]:
    """The runtime and why it was taken; `auto` prefers docker. EnvironmentLacking, UsageError."""
    if asked not in RUNTIMES:
        raise UsageError(
            "--runtime", f"expected {', '.join(RUNTIMES)}, got {asked}", hint="leave it out"
        )
    if asked == "process":
        return _process(build), "asked for"
    try:
        daemon = docker_daemon.ensure()
        client = docker_runtime.connect(daemon)
        if daemon.note:  # just started: it brings the records of whatever outlived the one before
            for line in docker_runtime.cleanup(client):
                say(line)
    except (EnvironmentLacking, DockerException) as error:
        if asked == "docker":
            raise
        return _process(build), f"no Docker: {error}"
    why = f"Docker {daemon.version} answers" + (f", {daemon.note}" if daemon.note else "")
    return DockerRuntime(client, build, say), ("asked for; " if asked == "docker" else "") + why


def _process(build: Path) -> ProcessRuntime:
    return ProcessRuntime(build, str(build.parent / TOOLCHAIN_FOLDER))


def cleanup() -> list[str]:
    """Ends the processes and removes the containers and control groups of dead owners.

    Starts no daemon; with none there, containers end by host pid and their records stay for later.
    """
    said = []
    with contextlib.suppress(EnvironmentLacking, DockerException):
        daemon = docker_daemon.answering(timeout_s=2.0)
        if daemon is not None:
            with contextlib.closing(docker_runtime.connect(daemon)) as client:
                said += docker_runtime.cleanup(client)
    left = process_table.orphans()
    for identity in left:
        said.append(
            f"{process_table.name_of(identity.pid)} (pid {identity.pid}) ended (its owner is dead)"
        )
    process_table.end_all(left, timeout_s=2.0)
    for group in cgroups.abandoned():
        group.remove()
    return said
