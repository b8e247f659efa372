"""How the suite finds, builds and starts backends: the one seam between the tests and a runtime."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.contract.wire import ClosedError, Wire

BUILD_TIMEOUT_S = 900
READY_TIMEOUT_S = 10.0
REPOSITORY = Path(__file__).resolve().parents[2]
AUTH_VERIFY = "--auth=verify"
OK, FORBIDDEN = 200, 403
NOT_SOURCES = {"target", "build", "node_modules"}


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend's folder, its manifest, and the variant of it under test."""

    folder: Path
    manifest: dict[str, Any]
    variant: str
    settings: tuple[tuple[str, str], ...] = ()  # options that are not at their default

    @property
    def name(self) -> str:
        """Name and variant, as the ids of tests show them."""
        chosen = ",".join(f"{option}={value}" for option, value in self.settings)
        return f"{self.manifest['name']}/{self.variant}" + (f"[{chosen}]" if chosen else "")

    @property
    def build_folder(self) -> Path:
        """Where the artifact goes: per backend, kept between runs."""
        return REPOSITORY / "build" / "contract" / self.folder.name

    @property
    def artifact(self) -> Path:
        """The built program."""
        return self.build_folder / str(self.manifest["build"]["artifact"])

    @property
    def profiles(self) -> frozenset[str]:
        """What the manifest declares beyond the core."""
        return frozenset(self.manifest.get("profiles", ()))

    @property
    def tracks(self) -> list[str]:
        """The comparisons that the variant takes part in."""
        return list(self._variant()["tracks"])

    @property
    def protocols(self) -> frozenset[str]:
        """What the variant speaks."""
        return frozenset(self._variant()["protocols"])

    def chooses(self, what: str) -> bool:
        """Whether manifest or variant declares that it departs from the contract's letter here."""
        declared = (self.manifest.get("choices", {}), self._variant().get("choices", {}))
        return any(what in choices for choices in declared)

    def command(
        self, port: int, data_folder: Path, extra: Sequence[str] = (), artifact: str | None = None
    ) -> list[str]:
        """The command line of the manifest with its placeholders filled in."""
        values = {
            "artifact": artifact or str(self.artifact),
            "address": "127.0.0.1",
            "port": str(port),
            "threads": "1",
            "data_directory": str(data_folder),
        }
        command = [part.format(**values) for part in self.manifest["run"]["command"]]
        chosen = [
            self.manifest["options"][option]["argument"].format(value=value)
            for option, value in self.settings
            if "argument" in self.manifest["options"][option]
        ]
        return [*command, *self._variant().get("arguments", ()), *chosen, *extra]

    def environment(self) -> dict[str, str]:
        """Variables that the variant adds."""
        chosen = {
            self.manifest["options"][option]["environment"]: value
            for option, value in self.settings
            if "environment" in self.manifest["options"][option]
        }
        return {**self._variant().get("environment", {}), **chosen}

    def arguments_of(self, protocol: str) -> list[str]:
        """What the variant is given beside its arguments while this is spoken."""
        return list(self._variant().get("by_protocol", {}).get(protocol, {}).get("arguments", ()))

    def _variant(self) -> dict[str, Any]:
        found: dict[str, Any] = next(
            v for v in self.manifest["variants"] if v["name"] == self.variant
        )
        return found


class Running(Protocol):
    """A started backend."""

    port: int

    def signal(self, number: int) -> None:
        """Send a signal to the server's main process."""

    def wait(self, timeout_s: float) -> int:
        """Wait for the end and return the exit code."""

    def output(self) -> tuple[str, str]:
        """What stood on stdout and stderr so far."""

    def memory_bytes(self) -> int:
        """What the server's main process holds in memory now."""

    def stop(self) -> None:
        """End it whatever its state; safe to call twice."""


class Launcher(Protocol):
    """One runtime: the seam at which docker joins the process runtime."""

    def start(self, backend: Backend, extra: Sequence[str] = ()) -> Running:
        """Start the backend on a free port with extra arguments; it is ready on return."""


def discover(folders: Sequence[Path]) -> Iterator[Backend]:
    """Every HTTP/1.1 variant of every folder that holds a backend.toml, by name."""
    for folder in folders:
        for manifest_path in sorted(folder.glob("*/backend.toml")):
            manifest = tomllib.loads(manifest_path.read_text())
            for variant in manifest["variants"]:
                if "h1" in variant["protocols"]:
                    yield Backend(manifest_path.parent, manifest, variant["name"])


def build(backend: Backend) -> None:
    """`make build` into the build folder, unless the artifact is newer than every source."""
    if backend.artifact.exists():
        built_at = backend.artifact.stat().st_mtime
        if all(path.stat().st_mtime <= built_at for path in _sources(backend.folder)):
            return
    backend.build_folder.mkdir(parents=True, exist_ok=True)
    # A make that runs us would have its command line's variables, FLAGS among them, set there too.
    ours = {name: value for name, value in os.environ.items() if not _is_of_a_make(name)}
    done = subprocess.run(
        ["make", "-C", str(backend.folder), "build", f"OUT={backend.build_folder}"],
        env=ours,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"make build failed for {backend.name}:\n{done.stdout}\n{done.stderr}")
    backend.artifact.touch()  # make may have found nothing to do; the next run asks for this time


def _is_of_a_make(name: str) -> bool:
    return name.startswith("MAKE") or name == "MFLAGS"


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not NOT_SOURCES & set(path.relative_to(folder).parts):
            yield path


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ProcessRunning:
    """A backend that runs as a child process."""

    def __init__(self, command: list[str], environment: dict[str, str], port: int) -> None:
        """Start the command at once, in a session of its own, its output in files."""
        self.port = port
        self._files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
            env={**os.environ, **environment},
            start_new_session=True,
        )

    def signal(self, number: int) -> None:
        """Send a signal to the server's main process."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(timeout_s)

    def output(self) -> tuple[str, str]:
        """What stood on stdout and stderr so far."""
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return texts[0], texts[1]

    def memory_bytes(self) -> int:
        """What the server's main process holds in memory now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        """End it whatever its state; safe to call twice."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        for file in self._files:
            file.close()


class ProcessLauncher:
    """The process runtime: the artifact as a child of the test."""

    def __init__(self, data_folder: Path) -> None:
        """Give every server the same folder for data; the in-memory store leaves it empty."""
        self._data_folder = data_folder

    def start(self, backend: Backend, extra: Sequence[str] = ()) -> ProcessRunning:
        """Start the backend on a free port with extra arguments; it is ready on return."""
        port = free_port()
        command = backend.command(port, self._data_folder, extra)
        running = ProcessRunning(command, backend.environment(), port)
        try:
            wait_until_ready(backend, running, FORBIDDEN if AUTH_VERIFY in extra else OK)
        except BaseException:
            running.stop()
            raise
        return running


def wait_until_ready(backend: Backend, running: ProcessRunning, status: int = OK) -> None:
    """Return when the server answers; a process that ended or took too long is an error."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not is_ready(running.port, status):
        if running.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{backend.name} never got ready: {running.output()}")
        time.sleep(0.01)


def is_ready(port: int, status: int = OK) -> bool:
    """Ready is what the contract says: `GET /` answers 200, or 403 where requests are verified."""
    try:
        with Wire(port, timeout_s=1.0) as wire:
            return wire.ask("GET", "/").status == status
    except (OSError, ClosedError):
        return False


def log_lines(text: str) -> list[str]:
    """Lines of a log that are not empty."""
    return [line for line in re.split(r"\r?\n", text) if line]
