"""Hosts with addresses of their own on one machine: network namespaces around a bridge."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator

SYSTEM_FOLDERS = "/usr/sbin:/sbin"  # not on everybody's PATH
_NUMBERS = itertools.count()


def lacking() -> str:
    """Why there can be no hosts here; "" when there can."""
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    if shutil.which("ip", path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}") is None:
        return "needs ip (iproute2)"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"needs namespaces: {tried.stderr.decode().strip()}"


def _ip(*arguments: str) -> None:
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}"
    done = subprocess.run(["ip", *arguments], env={"PATH": path}, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(f"ip {' '.join(arguments)}: {done.stderr.decode().strip()}")


class Host:
    """A network namespace with one address; it reaches the others, and nobody else."""

    def __init__(self, hub: str, name: str, number: int) -> None:
        self._hub = hub
        self.namespace = f"{hub}-{name}"
        self._port = f"{hub}v{number}"  # the bridge's end of its cable
        self.address = f"10.231.77.{number}"

    def enter(self) -> list[str]:
        """What starts a program there; files, processes and control groups stay this machine's."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}"]

    def plug_in(self) -> None:
        """Makes the host and its cable."""
        _ip("netns", "add", self.namespace)
        inner = ["-n", self.namespace, "link"]
        made = ["link", "add", self._port, "type", "veth", "peer", "name", "eth0"]
        _ip("-n", self._hub, *made, "netns", self.namespace)
        _ip("-n", self._hub, "link", "set", self._port, "master", "bridge", "up")
        _ip("-n", self.namespace, "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip(*inner, "set", device, "up")

    def cut(self) -> None:
        """Nothing passes its cable any more."""
        _ip("-n", self._hub, "link", "set", self._port, "down")

    def mend(self) -> None:
        """It does again."""
        _ip("-n", self._hub, "link", "set", self._port, "up")

    def remove(self) -> None:
        """With its cable."""
        with contextlib.suppress(AssertionError):
            _ip("netns", "delete", self.namespace)


@contextlib.contextmanager
def network(*names: str) -> Iterator[dict[str, Host]]:
    """These hosts on one bridge, gone after the block; names of their own on this machine."""
    hub = f"pm{os.getpid()}x{next(_NUMBERS)}"
    hosts = {name: Host(hub, name, number) for number, name in enumerate(names, start=1)}
    try:
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        for host in hosts.values():
            host.plug_in()
        yield hosts
    finally:
        for host in hosts.values():
            host.remove()
        with contextlib.suppress(AssertionError):
            _ip("netns", "delete", hub)
