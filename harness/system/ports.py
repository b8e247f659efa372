"""Whether a TCP port is taken, and by whom."""

from __future__ import annotations

import os
import socket

from harness.errors import EnvironmentLacking
from harness.system.files import read_text
from harness.system.process_table import PROC, name_of, pids

_LISTEN = "0A"  # the state's number in /proc/net/tcp


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on now; EnvironmentLacking where no port of it can be had."""
    with _socket(address) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            raise EnvironmentLacking(
                address,
                f"expected an address of this machine, got one that is not: {error.strerror}",
                hint="127.0.0.1 keeps the load on this machine; `ip address` shows the others",
            ) from error
        port: int = probe.getsockname()[1]
        return port


def _socket(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)


def require_free(address: str, port: int) -> None:
    """EnvironmentLacking, naming the process that holds the port when /proc tells."""
    with _socket(address) as probe:
        # As backends do: connections that still linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError as error:
            raise EnvironmentLacking(
                f"port {port}",
                "is privileged, expected 1024 or more",
                hint="choose a port from 1024 to 65535",
            ) from error
        except OSError as error:
            # SO_REUSEADDR lets us bind only where nobody listens: any listener ends here.
            holder = describe_holder(port)
            raise EnvironmentLacking(
                f"{address}:{port}",
                f"expected a free port, got one that is taken{holder}: {error.strerror}",
                hint="end that program, or choose another port with --port",
            ) from error


def describe_holder(port: int) -> str:
    """` by go (pid 4711)`, or "" when nobody listens or /proc does not tell."""
    inodes = listening_inodes(port)
    for pid in pids() if inodes else ():
        if inodes & _socket_inodes(pid):
            return f" by {name_of(pid)} (pid {pid})"
    return ""


def listening_inodes(port: int) -> set[str]:
    """Inodes of the sockets that listen on this port, on any address."""
    found = set()
    for table in ("tcp", "tcp6"):
        text = read_text(PROC / "net" / table) or ""
        found |= parse_listening(text, port)
    return found


def parse_listening(table: str, port: int) -> set[str]:
    """The inodes of a /proc/net/tcp table's listeners on `port`."""
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            _, _, number = fields[1].rpartition(":")
            if int(number, 16) == port:
                found.add(fields[9])
    return found


def _socket_inodes(pid: int) -> set[str]:
    folder = PROC / str(pid) / "fd"
    found = set()
    try:
        for name in os.listdir(folder):  # noqa: PTH208 (names only, of every process)
            target = os.readlink(folder / name)  # noqa: PTH115 (a name that is no path)
            if target.startswith("socket:["):
                found.add(target[len("socket:[") : -1])
    except OSError:
        pass  # it ended, or belongs to another user
    return found
