"""Speaks to one probe: JSON lines to its stdin, JSON lines from its stdout (ebpf/CONTRACT.md)."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
from pathlib import Path
from typing import Any

from harness.errors import ProbeFailed
from harness.model.facts import BpfCost, ProbeOutcome
from harness.model.manifest import ProbeManifest
from harness.system.clock import monotonic_ns
from harness.system.process import spawn

READY_TIMEOUT_S = 90.0  # compiling takes 1.5 s on an idle core, and all probes compile at once
ANSWER_TIMEOUT_S = 30.0
LINE_BYTES_MAX = 4 * 1024 * 1024
INTERPRETER = "/usr/bin/python3"  # Debian's BPF Compiler Collection belongs to the system Python


class Probe:
    """One probe's process; after it died every call says so in the outcome and does nothing."""

    def __init__(self, folder: Path, manifest: ProbeManifest, log: Path) -> None:
        """Starts the process; `configure` makes it compile."""
        self.manifest = manifest
        self.name = manifest.name
        self.state = "off"
        self.reason = ""
        self._unavailable: list[dict[str, str]] = []
        self._rest = b""
        self._process = spawn(
            [INTERPRETER, str(folder / f"{manifest.name}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )

    @property
    def pid(self) -> int:
        """Of the user side."""
        return int(self._process.pid)

    @property
    def usable(self) -> bool:
        """It can be started for a trial."""
        return self.state == "measured"

    def send(self, command: dict[str, Any]) -> None:
        """One command; a dead probe is noted, not raised."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._die()

    def configure(self, settings: dict[str, Any]) -> None:
        """Begins to compile; `wait_ready` tells how it went."""
        self.send({"command": "configure", "schema": 1, **settings})

    def wait_ready(self) -> None:
        """Sets `state` to "measured" (usable) or "unavailable" with the reason."""
        event = self._answer(READY_TIMEOUT_S)
        if event is None:
            return
        if event["event"] == "ready":
            self.state = "measured"
            self._unavailable = event.get("unavailable", [])
        else:
            self.state = "unavailable"
            self.reason = event.get("reason") or event.get("what") or f"answered {event}"

    def start(self, settings: dict[str, Any]) -> None:
        """Begins to record for one trial."""
        if not self.usable:
            return
        self.send({"command": "start", **settings})
        event = self._answer(ANSWER_TIMEOUT_S)
        if event is not None and event.get("event") == "unavailable":
            # only now is the binary known: this one has nothing to hook
            self.state, self.reason = "unavailable", str(event.get("reason", ""))
        elif event is not None:
            self._check(event, "started")

    def add_engines(self, pids: list[int]) -> None:
        """Tells which processes are the engine."""
        if self.usable:
            self.send({"command": "add", "engine_pids": pids})
            self._expect("added")

    def ask_stop(self) -> None:
        """Ends the recording; `outcome` waits for the answer."""
        if self.usable:
            self.send({"command": "stop"})

    def outcome(self) -> ProbeOutcome:
        """What this trial's recording came to; call after `ask_stop`."""
        event = self._expect("stopped") if self.usable else None
        if event is None:
            return ProbeOutcome(
                name=self.name,
                state=self.state,
                reason=self.reason,
                unavailable=self._unavailable,
            )
        bpf = event.get("bpf") or {}
        return ProbeOutcome(
            name=self.name,
            state="measured",
            records=event.get("records", {}),
            drops=event.get("drops", {}),
            cpu_ns=event.get("cpu_ns"),
            bpf=BpfCost(runs=bpf.get("runs"), run_ns=bpf.get("run_ns")),
            unavailable=self._unavailable,
            summary=event.get("summary", {}),
        )

    def has_died(self) -> bool:
        """Whether the process ended without being asked; checked without waiting."""
        if self.state == "measured" and self._process.poll() is not None:
            self._die()
        return self.state == "died"

    def close(self) -> None:
        """Ends the process; never raises."""
        with contextlib.suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _die(self) -> None:
        status = self._process.poll()
        self.state = "died"
        self.reason = (
            f"ended by signal {-status}"
            if status is not None and status < 0
            else f"ended with exit status {status}"
        )

    def _expect(self, event_name: str) -> dict[str, Any] | None:
        event = self._answer(ANSWER_TIMEOUT_S)
        return event if event is not None and self._check(event, event_name) else None

    def _check(self, event: dict[str, Any], event_name: str) -> bool:
        if event.get("event") == event_name:
            return True
        self.state = "died"
        self.reason = f"answered {event.get('what', event)!r} instead of {event_name}"
        return False

    def _answer(self, timeout_s: float) -> dict[str, Any] | None:
        line = self._read_line(timeout_s)
        if line is None:
            return None
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise ProbeFailed(
                f"probe {self.name}",
                f"expected a JSON line, got {line[:80]!r}",
                hint="run the probe by hand, see ebpf/README.md",
            ) from error
        return event

    def _read_line(self, timeout_s: float) -> bytes | None:
        """One line, or None with `state` set when the process died or said nothing in time."""
        assert self._process.stdout is not None
        deadline_ns = monotonic_ns() + int(timeout_s * 1e9)
        descriptor = self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                left_s = (deadline_ns - monotonic_ns()) / 1e9
                if left_s <= 0 or len(self._rest) > LINE_BYTES_MAX:
                    self.state = "died"
                    self.reason = f"did not answer within {timeout_s:.0f} s"
                    return None
                if not selector.select(left_s):
                    continue
                chunk = os.read(descriptor, 65536)
                if not chunk:
                    self._process.wait()
                    self._die()
                    return None
                self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line
