"""Drives one trial's load: a Locust master and one local worker, which hosts the native engine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import LoadFailed, PausemarkError, UsageError
from harness.model.facts import Incident
from harness.model.plan import Plan, TrialSpec
from harness.system.clock import monotonic_ns, sleep_s
from harness.system.ports import free_port
from harness.system.process import describe_exit, last_lines, run, spawn

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
PRELOAD_TIMEOUT_S = 900.0
_ENGINE_HINT = "locust.log and server.log in the trial's folder have the rest"


class Target(msgspec.Struct, frozen=True):
    """Where the engine sends; with a `path` it asks for that instead of the scenario's objects."""

    address: str
    port: int
    host: str | None = None
    path: str | None = None


def engine_plan(
    plan: Plan, spec: TrialSpec, *, target: Target, records: Path | None
) -> dict[str, Any]:
    """The engine's plan (loadgen/CONTRACT.md) of one trial."""
    request = plan.request
    return {
        "schema": 1,
        "target": _without_none(target),
        "scenario": None if target.path else _without_none(request.scenario),
        "rate_rps": request.rate_rps,
        "warmup_s": request.warmup_s,
        "duration_s": request.duration_s,
        "connections": request.connections,
        "threads": 1,
        "protocol": request.protocol_of(spec.subject),
        "pipeline": request.pipeline,
        "streams": request.streams_of(spec.subject),
        "arrivals": request.arrivals,
        "seed": spec.seed,
        "grain_ns": request.grain_ns,
        "share": {"index": 0, "count": 1},
        "timeout_ns": request.timeout_ns,
        "cpus": plan.layout.engine_cpus,
        "start_at_ns": None,
        "records_path": str(records) if records else None,
    }


def _without_none(noun: msgspec.Struct) -> Any:
    """A noun as the engine reads it: what is not there is left out."""

    def pruned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: pruned(inner) for key, inner in value.items() if inner is not None}
        return [pruned(inner) for inner in value] if isinstance(value, list) else value

    return pruned(msgspec.to_builtins(noun))


def _engine_failure(where: str, stdout: str, stderr: str) -> PausemarkError:
    """The engine's own `error` event as ours."""
    for line in stdout.splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if event.get("event") == "error":
                return failure_of(event)
    said = stderr.strip() or stdout.strip() or "said nothing"
    return LoadFailed(where, said[-400:], hint=_ENGINE_HINT)


def failure_of(event: dict[str, Any]) -> PausemarkError:
    """An engine's `error` event as an error of ours."""
    what = str(event.get("what", "failed"))
    if event.get("expected"):
        what += f", expected {event['expected']}, got {event.get('found')}"
    hint = str(event.get("hint") or _ENGINE_HINT)
    return LoadFailed(f"engine: {event.get('where', 'unknown')}", what, hint=hint)


def preload(engine: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """Puts the scenario's objects; returns the engine's `done` event."""
    result = run([str(engine), "preload"], input_text=json.dumps(plan), timeout_s=PRELOAD_TIMEOUT_S)
    if result.exit_status != 0:
        raise _engine_failure("engine preload", result.stdout, result.stderr)
    events = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    done: dict[str, Any] = next(e for e in events if e["event"] == "done")
    return done


class Load:
    """The processes of one trial's load, and what their event file says."""

    def __init__(self, *, engine: Path, locustfile: Path, plan: Path, out: Path, log: Path) -> None:
        """Starts master and worker; they wait for each other and then start the engine."""
        if not engine.is_file():
            raise UsageError(str(engine), "the engine is not built", hint="run `make build`")
        port = free_port("127.0.0.1")
        locust = [sys.executable, "-m", "locust", "-f", str(locustfile), "--loglevel", "WARNING"]
        common = {**os.environ, "PAUSEMARK_ENGINE": str(engine)}
        self._out = out
        self._log = log
        self._offset = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []
        out.touch()
        self.master = spawn(
            [
                *[*locust, "--master", "--headless", "-u", "1", "-r", "1"],
                *["--expect-workers", "1", "--master-bind-host", "127.0.0.1"],
                *["--master-bind-port", str(port), "--only-summary", "--reset-stats"],
            ],
            env={**common, "PAUSEMARK_PLAN": str(plan), "PAUSEMARK_OUT": str(out)},
            stdout=log,
            stderr=log,
        )
        self.worker = spawn(
            [*locust, "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)],
            env=common,
            stdout=log,
            stderr=log,
        )

    def poll(self) -> list[dict[str, Any]]:
        """Events since the last call; histograms are left in the file, not parsed here."""
        with self._out.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read()
        self._offset += len(chunk)
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        new = [json.loads(line) for line in lines if b'"event":"second"' not in line[:40]]
        self.events += new
        return new

    def event(self, name: str) -> dict[str, Any] | None:
        """The first event of this name so far."""
        return next((event for event in self.events if event["event"] == name), None)

    def wait_for(self, name: str, timeout_s: float = READY_TIMEOUT_S) -> dict[str, Any]:
        """Waits for an event; LoadFailed when the engine or Locust ends before it comes."""
        deadline_ns = monotonic_ns() + int(timeout_s * 1e9)
        while monotonic_ns() < deadline_ns:
            self.poll()
            found = self.event(name)
            if found is not None:
                return found
            error = self.event("error")
            if error is not None:
                raise failure_of(error)
            if self.ended_badly() is not None:
                break
            sleep_s(0.02)
        raise LoadFailed(
            "locust",
            f"the engine never said {name!r}: {self.ended_badly() or 'no answer in time'}",
            hint=f"its log ends with: {last_lines(self._log, 3) or '(nothing)'}",
        )

    def ended_badly(self) -> str | None:
        """Who ended before the trial did, in a sentence; None while all is well."""
        ended = self.event("engine_ended")
        if ended is not None and ended["exit_status"] != 0:
            return f"the engine {describe_exit(ended['exit_status'])}"
        if self.event("worker_lost") is not None:
            return "Locust lost its worker: no heartbeat came for half a minute"
        if self.event("locust_done") is not None:
            return None
        for name, process in (("master", self.master), ("worker", self.worker)):
            status = process.poll()
            if status is not None:
                return f"Locust's {name} {describe_exit(status)}"
        return None

    def incident(self, at_ns: int) -> Incident | None:
        """The same as an incident for the verdict."""
        text = self.ended_badly()
        if text is None:
            return None
        who = "engine" if "engine" in text else "locust"
        return Incident(id="engine-died", who=who, text=text, at_ns=at_ns)

    def stop(self) -> None:
        """Ends whatever still runs; the engine dies with its worker."""
        processes = (self.worker, self.master)
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
