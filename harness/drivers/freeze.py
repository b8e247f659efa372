"""Holds the server with a known answer (loadgen/freeze) as if it were a backend."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.drivers.runtime import Ending, Usage
from harness.errors import BackendFailed
from harness.model.known import Deeds
from harness.model.manifest import BackendManifest, Build, Run, Variant
from harness.stats.freeze import Freeze, drain
from harness.system import clock, sampling
from harness.system.network import answers_ready
from harness.system.process import describe_exit, last_lines, spawn

READY_TIMEOUT_S = 10.0
# A second, and a part of a slot at 1,000 RPS: freezes exactly a second apart would meet the
# schedule at one phase for ever, and a P99 at the edge of a step of 1 ms reads a step too much.
EVERY_US = 1_000_370

MANIFEST = BackendManifest(
    schema=1,
    name="freeze",
    title="the server with a known answer",
    language="Rust",
    license="Apache-2.0",
    collector="none",
    build=Build(artifact="pausemark-freeze"),
    run=Run(command=["{artifact}"]),
    variants=[
        Variant(
            name="scripted",
            title="scripted freezes",
            tracks=["idiomatic"],
            protocols=["h1"],
            default=True,
        )
    ],
)


class FreezeServer:
    """A running `pausemark-freeze`; ends with `stop`, which also completes its log."""

    def __init__(
        self,
        program: Path,
        *,
        port: int,
        freeze_us: int,
        cpus: list[int],
        folder: Path,
        script: Mapping[str, int] | None = None,
    ) -> None:
        """Starts it and waits until it answers; BackendFailed.

        `script`: further flags without their dashes, with their values.
        """
        self.log = folder / "freeze.jsonl"
        errors = folder / "server.log"
        self._process = spawn(
            [
                str(program),
                *["--address", "127.0.0.1", "--port", str(port)],
                *["--freeze-us", str(freeze_us), "--every-us", str(EVERY_US)],
                *["--body-bytes", "128", "--log", str(self.log)],
                *(word for flag, n in (script or {}).items() for word in (f"--{flag}", str(n))),
            ],
            stdout=errors,
            stderr=errors,
        )
        with contextlib.suppress(OSError):
            os.sched_setaffinity(self._process.pid, cpus)
        deadline_ns = clock.monotonic_ns() + int(READY_TIMEOUT_S * 1e9)
        while not answers_ready("127.0.0.1", port):
            if self._process.poll() is not None or clock.monotonic_ns() > deadline_ns:
                self.stop()
                raise BackendFailed(
                    "pausemark-freeze",
                    f"did not get ready: {last_lines(errors) or 'said nothing'}",
                    hint="run `make build`",
                )
            clock.sleep_s(0.02)

    def pids(self) -> list[int]:
        """Its one process."""
        return [self._process.pid]

    def binary_path(self) -> Path:
        """Through /proc."""
        return Path(f"/proc/{self._process.pid}/exe")

    def usage(self) -> Usage:
        """CPU time only."""
        return Usage(
            cpu_ns=sampling.process_cpu_ns(self._process.pid),
            memory_bytes=None,
            memory_peak_bytes=None,
            throttled_ns=None,
            throttled_count=None,
        )

    def alive(self) -> Ending | None:
        """None while it runs."""
        status = self._process.poll()
        return None if status is None else Ending("backend-died", describe_exit(status))

    def stop(self) -> None:
        """SIGTERM, which writes the end of the log."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def read_freezes(log: Path, *, start_ns: int, end_ns: int, rate_rps: float) -> list[Freeze]:
    """The freezes that began in the measured part, from the server's own log.

    A freeze is drained when the requests served since its end have caught up with those that the
    schedule sent since its beginning.
    """
    found = []
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "freeze" and start_ns <= event["start_ns"] < end_ns:
            found.append(
                drain(event["start_ns"], event["end_ns"], event["served_ns"], rate_rps=rate_rps)
            )
    return found


def read_deeds(log: Path, kind: str, *, since_ns: int) -> Deeds:
    """What the server did by its script to requests that came since then, by time of coming.

    Earlier ones are those that asked whether it is ready. BackendFailed when the log is not whole.
    """
    found: list[tuple[int, int, int]] = []
    lost: int | None = None
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == kind and event["received_ns"] >= since_ns:
            found.append((event["received_ns"], event["first_ns"], event["last_ns"]))
        elif event["event"] == "end":
            lost = event["lost"]
    if lost != 0:
        what = "ended without its log's last line" if lost is None else f"lost {lost:,} events"
        raise BackendFailed("pausemark-freeze", what, hint="see server.log beside it")
    found.sort()
    return Deeds(
        received_ns=tuple(one[0] for one in found),
        first_ns=tuple(one[1] for one in found),
        last_ns=tuple(one[2] for one in found),
    )
