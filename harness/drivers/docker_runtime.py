"""The docker runtime: a backend in a container that shares only the host's network with it."""

from __future__ import annotations

import contextlib
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container

from harness.drivers import docker_image
from harness.drivers.command import Command, compose
from harness.drivers.docker_image import ARTIFACT_FOLDER
from harness.drivers.readiness import wait_ready
from harness.drivers.runtime import Ending, Launch, Usage
from harness.errors import BackendFailed, EnvironmentLacking
from harness.model.manifest import BackendManifest
from harness.model.plan import Artifact
from harness.system import cgroups, docker_daemon, ports
from harness.system.cgroups import PERIOD_US, Group
from harness.system.process_table import (
    OWNER_VARIABLE,
    Identity,
    arguments_of,
    end_all,
    identify,
    lives,
    own_identity,
    parse_identity,
    read_stat,
    tree,
)

LABEL = "pausemark"
OWNER_LABEL = "pausemark.owner"
OWNER_START_LABEL = "pausemark.owner_start"
USER = "65532:65532"
DATA_DIRECTORY = "/data"
CLIENT_TIMEOUT_S = 120
STOP_TIMEOUT_S = 3
OPEN_FILES_MAX = 65536
LOG_BYTES_MAX = "64m"
# What a daemon that died looks like from its client.
_LOST = (DockerException, requests.RequestException, OSError)


def connect(daemon: docker_daemon.Daemon) -> docker.DockerClient:
    """A client of the daemon that answers."""
    return docker.DockerClient(base_url=f"unix://{daemon.socket}", timeout=CLIENT_TIMEOUT_S)


class DockerRuntime:
    """An image per backend, a container per trial."""

    name = "docker"

    def __init__(
        self, client: docker.DockerClient, build: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Notes and logs of builds go under `build`."""
        self._client = client
        self._build = build
        self._say = say

    def build(self, manifest: BackendManifest, folder: Path) -> Artifact:
        """Builds the backend of this folder and runs its version command; BuildFailed."""
        return docker_image.build(
            self._client, manifest, folder, build_folder=self._build / "docker", say=self._say
        )

    def start(self, artifact: Artifact, manifest: BackendManifest, launch: Launch) -> DockerServer:
        """Starts it and waits until it is ready."""
        ports.require_free(launch.address, launch.port)
        values = {
            "artifact": f"{ARTIFACT_FOLDER}/{manifest.build.artifact}",
            "address": launch.address,
            "port": str(launch.port),
            "threads": str(launch.threads),
            "data_directory": DATA_DIRECTORY,
            "credential": launch.credential,
        }
        command = compose(manifest, launch.subject, values, launch.protocol)
        launch.data_directory.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):
            launch.data_directory.chmod(0o777)  # the container's user is nobody on this host
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        server = self._start_container(artifact, command, launch)
        try:
            wait_ready(
                server,
                who=launch.subject.name,
                address=launch.address,
                port=launch.port,
                protocol=launch.protocol,
                last_words=lambda: " | ".join(server.last_words()),
            )
        except BaseException:
            server.stop()
            raise
        return server

    def _start_container(
        self, artifact: Artifact, command: Command, launch: Launch
    ) -> DockerServer:
        owner = own_identity()
        container: Container | None = None
        try:
            container = self._client.containers.create(
                artifact.location,
                command.argv,
                name=launch.name,
                environment={**command.environment, OWNER_VARIABLE: str(owner)},
                labels={
                    LABEL: "1",
                    OWNER_LABEL: str(owner.pid),
                    OWNER_START_LABEL: str(owner.start_ticks),
                },
                volumes={str(launch.data_directory): {"bind": DATA_DIRECTORY, "mode": "rw"}},
                **_confinement(launch),
            )
            container.start()
            container.reload()
        except _LOST as error:
            if container is not None:
                with contextlib.suppress(*_LOST):
                    container.remove(force=True)
            raise _start_failure(launch, error) from error
        return DockerServer(container, launch.log)


def _confinement(launch: Launch) -> dict[str, Any]:
    """Everything that a backend is not given, and the limits of what it is."""
    # Some machines forbid even root to raise a limit; the daemon's is as ours there.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    open_files = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    return {
        "network_mode": "host",  # no bridge, no NAT, no proxy process in the measured path
        "user": USER,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "restart_policy": {"Name": "no"},
        "cpuset_cpus": ",".join(map(str, launch.cpus)) or None,
        "cpu_period": PERIOD_US if launch.cpu_quota is not None else None,
        "cpu_quota": int(launch.cpu_quota * PERIOD_US) if launch.cpu_quota is not None else None,
        "mem_limit": launch.memory_limit_bytes,
        "memswap_limit": launch.memory_limit_bytes,  # memory and swap together: no swap
        "pids_limit": launch.pids_limit,
        "ulimits": [
            docker.types.Ulimit(name="nofile", soft=open_files, hard=open_files),
            docker.types.Ulimit(name="core", soft=0, hard=0),
        ],
        "log_config": docker.types.LogConfig(
            type="json-file", config={"max-size": LOG_BYTES_MAX, "max-file": "1"}
        ),
    }


def _start_failure(launch: Launch, error: Exception) -> Exception:
    if isinstance(error, APIError) and error.status_code is not None and error.status_code < 500:
        return BackendFailed(
            launch.subject.name,
            f"the container was refused: {error.explanation or error}",
            hint="see `docker info`, or use --runtime process",
        )
    if docker_daemon.is_gone():
        return EnvironmentLacking(
            "docker",
            "the daemon went away",
            hint="`bench doctor --fix` starts it again; --runtime process needs none",
        )
    return BackendFailed(
        launch.subject.name,
        f"the container did not start: {error}",
        hint="see `docker info`, or use --runtime process",
    )


class DockerServer:
    """A backend that runs in a container; known by its host pid, which outlives the daemon."""

    def __init__(self, container: Container, log: Path) -> None:
        """`container` has been started and inspected."""
        self._container = container
        self._log = log
        self._stopped = False
        self._pid = int(container.attrs["State"]["Pid"])
        self._root: Identity | None = identify(self._pid) if self._pid else None
        self._group: Group | None = cgroups.of_process(self._pid) if self._root else None
        self._artifact = str(container.attrs["Path"])
        self.not_limited: dict[str, str] = {}

    def pids(self) -> list[int]:
        """The container's first process, by its pid on this host."""
        return [self._pid] if self._pid else []

    def binary_path(self) -> Path:
        """The artifact inside the container's root, as this host can open it."""
        return Path(f"/proc/{self._pid}/root{self._artifact}")

    def usage(self) -> Usage:
        """From the container's control group."""
        group = self._group
        if group is None or not _is_own(group):
            return Usage(None, None, None, None, None)
        throttled = group.throttled()
        return Usage(
            cpu_ns=group.cpu_ns(),
            memory_bytes=group.memory_bytes(),
            memory_peak_bytes=group.memory_peak_bytes(),
            throttled_ns=None if throttled is None else throttled.time_ns,
            throttled_count=None if throttled is None else throttled.count,
        )

    def alive(self) -> Ending | None:
        """None while it runs under a daemon that is there; a look at /proc and one connect()."""
        if self._stopped:
            return Ending("backend-died", "was stopped")
        lost = docker_daemon.is_gone()
        if self._root is not None and lives(self._root):
            if lost:
                return Ending("runtime-lost", "was left alone: Docker's daemon went away")
            return None
        if lost:
            return Ending("runtime-lost", "ended together with Docker's daemon")
        try:
            # The process is gone a moment before the daemon has noticed how it ended.
            self._container.wait(timeout=5)
            self._container.reload()
        except _LOST as error:
            return Ending("runtime-lost", f"is unknown to Docker's daemon: {error}")
        state = self._container.attrs["State"]
        because = " because it reached its memory limit" if state.get("OOMKilled") else ""
        said = f" ({state['Error']})" if state.get("Error") else ""
        return Ending("backend-died", _describe(int(state["ExitCode"])) + because + said)

    def last_words(self) -> list[str]:
        """The end of its log."""
        return [line for line in self._read_log().splitlines() if line.strip()][-5:]

    def _read_log(self) -> str:
        try:
            return str(self._container.logs().decode(errors="replace"))
        except _LOST:
            return _log_of_the_dead(Path(self._container.attrs.get("LogPath") or "/nonexistent"))

    def stop(self) -> None:
        """SIGTERM, SIGKILL, log saved, container removed; without a daemon by host pid.

        Safe to call twice; never raises. A container record that cannot be removed now is removed
        by the next command (`runtimes.cleanup`).
        """
        if self._stopped:
            return
        self._stopped = True
        shim = _shim_of(self._pid)
        with contextlib.suppress(*_LOST):
            self._container.stop(timeout=STOP_TIMEOUT_S)
        members = tree([self._pid]) if self._root is not None and lives(self._root) else []
        if self._group is not None and _is_own(self._group):
            members += self._group.pids()
        end_all(filter(None, map(identify, set(members))), timeout_s=STOP_TIMEOUT_S)
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as file:
            file.write(self._read_log())
        with contextlib.suppress(*_LOST):
            self._container.remove(force=True, v=True)
            return
        if shim is not None and docker_daemon.is_gone():
            end_all([shim], timeout_s=1.0)


def _is_own(group: Group) -> bool:
    """Whether this is a container's group; never read or end what the whole machine is in."""
    return any("docker" in str(folder) for folder in group.distinct_folders)


def _shim_of(pid: int) -> Identity | None:
    """The helper process above a container, which stays when the daemon is killed."""
    stat = read_stat(pid) if pid else None
    if stat is None or "containerd-shim" not in " ".join(arguments_of(stat.parent)[:1]):
        return None
    return identify(stat.parent)


def _describe(status: int) -> str:
    if status > 128:
        return f"was ended by signal {status - 128}"
    return f"ended with exit status {status}"


def _log_of_the_dead(path: Path) -> str:
    """A container's log file as the daemon wrote it: one JSON object a line."""
    text = []
    with contextlib.suppress(OSError, ValueError, KeyError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            text.append(str(json.loads(line)["log"]))
    return "".join(text)


def cleanup(client: docker.DockerClient) -> list[str]:
    """Removes the containers of owners that are dead; says what it removed."""
    said = []
    for container in client.containers.list(all=True, filters={"label": f"{LABEL}=1"}):
        labels = container.labels
        owner = parse_identity(f"{labels.get(OWNER_LABEL)}:{labels.get(OWNER_START_LABEL)}")
        if owner is None or lives(owner):
            continue
        with contextlib.suppress(NotFound):
            container.remove(force=True, v=True)
            said.append(f"container {container.name} removed (its owner, pid {owner.pid}, is dead)")
    return said
