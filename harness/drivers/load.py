"""Drives one trial's load: a Locust master and its workers, which host the native engines."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from harness.drivers import locust
from harness.drivers.locust import Crew
from harness.errors import EnvironmentLacking, LoadFailed, PausemarkError, UsageError
from harness.model.facts import Incident
from harness.model.plan import Plan, TrialSpec
from harness.model.signing import Signing
from harness.model.words import printable
from harness.system.clock import monotonic_ns, sleep_s
from harness.system.ports import free_port
from harness.system.process import describe_exit, last_lines, run

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
PRELOAD_TIMEOUT_S = 900.0
ALONE = Crew()
FROM_ENVIRONMENT = "environment"  # the keys: a worker takes them from its own (engine_plan.py)
_ENGINE_HINT = "locust.log and server.log in the trial's folder have the rest"


class Target(msgspec.Struct, frozen=True):
    """Where the engine sends; with a `path` it asks for that instead of the scenario's objects.

    With `signing`, requests are signed.
    """

    address: str
    port: int
    host: str | None = None
    path: str | None = None
    signing: Signing | None = None
    bucket: str = "make"  # make | new | none: what becomes of the scenario's bucket


def engine_plan(
    plan: Plan, spec: TrialSpec, *, target: Target, records: Path | None
) -> dict[str, Any]:
    """The engine's plan (loadgen/CONTRACT.md) of one trial.

    Plans are kept, so there is no key in it: keys are put in where an engine is started.
    """
    request = plan.request
    return {
        "schema": 1,
        "target": _target(target),
        "bucket": target.bucket,
        "scenario": None if target.path else _without_none(request.scenario),
        "rate_rps": request.first_rate_rps,
        "parts": msgspec.to_builtins(request.parts),
        "closed_loop": request.closed_loop,
        "warmup_s": request.warmup_s,
        "duration_s": request.duration_s,
        "connections": request.connections,
        "threads": request.engine_threads,
        "protocol": request.protocol_of(spec.subject),
        "pipeline": request.pipeline,
        "streams": request.streams_of(spec.subject),
        "arrivals": request.arrivals,
        "seed": spec.seed,
        "grain_ns": request.grain_ns,
        "pace": request.pace,
        "share": {"index": 0, "count": 1},
        "timeout_ns": request.timeout_ns,
        "cpus": plan.layout.engine_cpus,
        "start_at_ns": None,
        "records_path": str(records) if records else None,
    }


def _target(target: Target) -> dict[str, Any]:
    plain = {"address": target.address, "port": target.port}
    optional = {"host": target.host, "path": target.path}
    plain |= {name: value for name, value in optional.items() if value is not None}
    if target.signing is not None:
        plain |= {"credentials": FROM_ENVIRONMENT, "payload": target.signing.payload}
    return plain


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
    where = f"engine: {event.get('where', 'unknown')}"
    return LoadFailed(printable(where), printable(what), hint=printable(hint))


def ask_engine(
    engine: Path, verb: str, plan: dict[str, Any], signing: Signing | None
) -> dict[str, Any]:
    """One of the engine's other verbs, such as `preload`; returns its `done` event."""
    if signing is not None:
        plan = {**plan, "target": {**plan["target"], "credentials": signing.credentials}}
    result = run([str(engine), verb], input_text=json.dumps(plan), timeout_s=PRELOAD_TIMEOUT_S)
    if result.exit_status != 0:
        raise _engine_failure(f"engine {verb}", result.stdout, result.stderr)
    events = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    done: dict[str, Any] = next(e for e in events if e["event"] == "done")
    return done


class Load:
    """The processes of one trial's load, and what their event file says."""

    def __init__(
        self,
        *,
        engine: Path,
        locustfile: Path,
        plan: Path,
        out: Path,
        log: Path,
        crew: Crew = ALONE,
        signing: Signing | None = None,
    ) -> None:
        """Starts master and workers; they wait for each other and then start the engines."""
        if not engine.is_file():
            raise UsageError(str(engine), "the engine is not built", hint="run `make build`")
        self._out = out
        self._log = log
        self._offset = 0
        self._rest = b""
        self._crew = crew
        self.events: list[dict[str, Any]] = []
        out.touch()
        port = crew.bind_port or free_port("127.0.0.1")
        self.master = locust.start_master(
            crew, locustfile=locustfile, port=port, plan=plan, out=out, log=log, signing=signing
        )
        self.workers = locust.start_here(
            crew, locustfile=locustfile, port=port, engine=engine, log=log, signing=signing
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

    def wait_for(self, name: str, timeout_s: float | None = None) -> list[dict[str, Any]]:
        """Waits for this event of every worker that was not lost; the first ones of each.

        Raises:
            LoadFailed: the engine or Locust ended before it came.
            EnvironmentLacking: workers of other machines did not join.
        """
        limit_s = READY_TIMEOUT_S + self._crew.join_s if timeout_s is None else timeout_s
        deadline_ns = monotonic_ns() + int(limit_s * 1e9)
        while monotonic_ns() < deadline_ns:
            self.poll()
            found = self._of_each(name)
            if found and len(found) >= self._crew.count - len(self._of_each("worker_lost")):
                return found
            error = self.event("error")
            if error is not None:
                raise failure_of(error)
            self._require_workers()
            if self.ended_badly() is not None:
                break
            sleep_s(0.02)
        raise LoadFailed(
            "locust",
            f"the engine never said {name!r}: {self.ended_badly() or 'no answer in time'}",
            hint=f"its log ends with: {last_lines(self._log, 3) or '(nothing)'}",
        )

    def _of_each(self, name: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for event in self.events:
            if event["event"] == name:
                found.setdefault(str(event.get("worker", "")), event)
        return list(found.values())

    def _require_workers(self) -> None:
        missing = self.event("workers_missing")
        if missing is None:
            return
        refused = " (others were refused: their token is another)" if missing["refused"] else ""
        raise EnvironmentLacking(
            "--expect-workers",
            f"expected {missing['expected']} workers from other machines within "
            f"{self._crew.join_s:g} s, {missing['came']} came{refused}",
            hint="start each with `bench worker --master HOST`, and the same PAUSEMARK_TOKEN",
        )

    def ended_badly(self) -> str | None:
        """Who ended before the trial did, in a sentence; None while all is well.

        Of several workers the trial goes on without those that are lost, until none is left.
        """
        ended = self.event("engine_ended")
        if ended is not None and ended["exit_status"] != 0:
            return f"the engine {describe_exit(ended['exit_status'])}"
        lost = self._of_each("worker_lost")
        if len(lost) == self._crew.count:
            if len(lost) == 1:
                return f"Locust lost its worker: {lost[0]['why']}"
            return f"the engines of all {len(lost)} workers were lost: {lost[-1]['why']}"
        if self.event("locust_done") is not None:
            return None
        processes = {"master": self.master}
        if self._crew.count == 1 and self.workers:
            processes["worker"] = self.workers[0]
        for name, process in processes.items():
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
        """Ends whatever still runs; an engine dies with its worker."""
        processes = (*self.workers, self.master)
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
