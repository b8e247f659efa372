"""The small interface of a runtime: where a backend is built and how its process is held."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from harness.model.manifest import BackendManifest
from harness.model.plan import Artifact, Subject


class Usage(msgspec.Struct, frozen=True):
    """Counters of a backend's process tree; None: cannot be read here, never zero."""

    cpu_ns: int | None
    memory_bytes: int | None
    memory_peak_bytes: int | None
    throttled_ns: int | None
    throttled_count: int | None


class Ending(msgspec.Struct, frozen=True):
    """Why a backend no longer runs; `id` is backend-died or runtime-lost."""

    id: str
    text: str


class Launch(msgspec.Struct, frozen=True):
    """How one server is to be started."""

    name: str
    subject: Subject
    address: str
    port: int
    threads: int
    cpus: list[int]
    memory_limit_bytes: int
    cpu_quota: float | None
    pids_limit: int
    data_directory: Path
    log: Path
    protocol: str = "h1"  # what will be spoken with it
    credential: str = ""  # ID:SECRET, of one that verifies signatures


class Server(Protocol):
    """A running backend."""

    def pids(self) -> list[int]:
        """Host pids of the roots of its process tree."""
        ...

    def binary_path(self) -> Path:
        """The artifact as the host can open it: /proc/PID/exe or /proc/PID/root/..."""
        ...

    def usage(self) -> Usage:
        """Its counters now."""
        ...

    def alive(self) -> Ending | None:
        """None while it runs; cheap enough for once a second."""
        ...

    def stop(self) -> None:
        """Ends it and everything it started; nothing is left behind. Never raises."""
        ...


class Runtime(Protocol):
    """docker or process."""

    name: str

    def build(self, manifest: BackendManifest, folder: Path) -> Artifact:
        """Builds the backend of this folder and runs its version command; BuildFailed."""
        ...

    def start(self, artifact: Artifact, manifest: BackendManifest, launch: Launch) -> Server:
        """Starts it and waits until it is ready; BackendFailed, EnvironmentLacking."""
        ...
