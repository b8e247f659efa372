"""Docker's daemon: whether one answers here, and starting one where none does."""

from __future__ import annotations

import http.client
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EnvironmentLacking
from harness.system.clock import Deadline, sleep_s
from harness.system.files import LOG_DIRECTORY, read_int, tail
from harness.system.process import find, run_checked, spawn
from harness.system.process_table import identify, name_of

DEFAULT_SOCKET = Path("/var/run/docker.sock")
PID_FILES = (Path("/var/run/docker.pid"), Path("/run/docker/containerd/containerd.pid"))
DAEMON_LOG = LOG_DIRECTORY / "dockerd.log"
START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that answers."""

    version: str
    socket: Path
    note: str  # how it came to run, when that was our doing


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, which the standard library lacks."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the path instead of to a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def socket_path() -> Path:
    """Where the daemon listens; EnvironmentLacking when DOCKER_HOST is not of this machine."""
    host = os.environ.get("DOCKER_HOST", "")
    if not host:
        return DEFAULT_SOCKET
    if host.startswith("unix://"):
        return Path(host.removeprefix("unix://"))
    raise EnvironmentLacking(
        "DOCKER_HOST",
        f"expected a daemon of this machine (unix://...), got {host}",
        hint="unset DOCKER_HOST, or use --runtime process: probes see only this machine's kernel",
    )


def answering(timeout_s: float = 5.0) -> Daemon | None:
    """The daemon that answers now, None when none does."""
    path = socket_path()
    connection = _UnixConnection(path, timeout_s)
    try:
        connection.request("GET", "/version")
        answer = json.loads(connection.getresponse().read())
        return Daemon(str(answer["Version"]), path, "")
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()


def is_gone(timeout_s: float = 1.0) -> bool:
    """Whether nobody listens on the daemon's socket; one that is merely slow is not gone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout_s)
        try:
            probe.connect(str(socket_path()))
        except TimeoutError:
            return False
        except OSError:
            return True
    return False


def ensure() -> Daemon:
    """The daemon that answers; started when there is none and we may (root).

    Raises EnvironmentLacking with the reason and the daemon's last words.
    """
    found = answering()
    if found is not None:
        return found
    program = find("dockerd")
    if program is None:
        raise EnvironmentLacking(
            "docker", "no daemon answers and dockerd is not installed", hint="run `make setup`"
        )
    if os.geteuid() != 0:
        raise EnvironmentLacking(
            "docker",
            "no daemon answers, and only root can start one",
            hint="as root: `systemctl start docker`, or run this command as root",
        )
    how = _start(program)
    deadline = Deadline(START_TIMEOUT_S)
    while not deadline.passed:
        found = answering()
        if found is not None:
            return Daemon(found.version, found.socket, how)
        sleep_s(0.2)
    raise EnvironmentLacking(
        "dockerd",
        f"expected an answer within {START_TIMEOUT_S:g} s of its start, got none: "
        + " / ".join(tail(DAEMON_LOG, 3)),
        hint=f"read {DAEMON_LOG}; `--runtime process` needs no Docker",
    )


def _start(program: str) -> str:
    if Path("/run/systemd/system").is_dir():
        run_checked(["systemctl", "start", "docker"], timeout_s=90)
        return "started by systemctl"
    _clear_stale_pid_files()
    if not any(Path("/sys/fs/cgroup").iterdir()) and find("cgroupfs-mount"):
        run_checked(["cgroupfs-mount"], timeout_s=10)
    LOG_DIRECTORY.mkdir(parents=True, exist_ok=True)
    child = spawn(
        [program, "--log-level", "warn"], stdout=DAEMON_LOG, stderr=DAEMON_LOG, daemon=True
    )
    return f"started by Pausemark (pid {child.pid}, log {DAEMON_LOG})"


def _clear_stale_pid_files() -> None:
    """A daemon refuses to start over the pid file of one that was killed."""
    for path in PID_FILES:
        pid = read_int(path)
        # A zombie's pid counts as stale too: dockerd itself would take it for alive, and wait.
        runs = pid is not None and identify(pid) is not None
        if not runs or not name_of(pid or 0).startswith(("dockerd", "containerd")):
            path.unlink(missing_ok=True)
