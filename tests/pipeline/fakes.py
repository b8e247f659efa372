"""Fakes for the pipeline's edges: a clock, a runtime with its servers, and the load of a trial.

Everything between the edges is real: planning, measuring, files, joining, judging, rendering.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from harness.drivers.load import ALONE, Load
from harness.drivers.locust import Crew
from harness.drivers.runtime import Ending, Launch, Usage
from harness.errors import BackendFailed
from harness.model.facts import CpuTimes
from harness.model.manifest import BackendManifest
from harness.model.plan import Artifact
from harness.model.signing import Signing
from harness.store.records import REQUEST_TYPE, write_requests

SECOND_NS = 1_000_000_000
Records = npt.NDArray[Any]
ERRORS = ["connect", "reset", "timeout", "closed", "parse", "status", "length", "digest"]
SEND_LAG_NS = 20_000
SERVICE_NS = 300_000
BACKEND_SHARE = 0.3  # of its core
ENGINE_SHARE = 0.2


class FakeClock:
    """Time that passes only when somebody waits; `at` calls a function at a moment."""

    def __init__(self) -> None:
        self.now_ns = 1_000 * SECOND_NS
        self._due: list[tuple[int, Callable[[], None]]] = []

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND_NS)
        due = [act for at_ns, act in self._due if at_ns <= self.now_ns]
        self._due = [(at_ns, act) for at_ns, act in self._due if at_ns > self.now_ns]
        for act in due:
            act()

    def after_s(self, seconds: float, act: Callable[[], None]) -> None:
        self._due.append((self.now_ns + int(seconds * SECOND_NS), act))

    def cpu_times(self, cpus: list[int]) -> dict[int, CpuTimes]:
        """CPU 0 is the engine's and CPU 1 the backend's; nobody steals."""
        found = {}
        for cpu in cpus:
            busy_ns = int((ENGINE_SHARE, BACKEND_SHARE)[cpu] * self.now_ns)
            found[cpu] = CpuTimes(busy_ns=busy_ns, idle_ns=self.now_ns - busy_ns, steal_ns=0)
        return found

    def process_cpu_ns(self, pid: int) -> int:
        return int(ENGINE_SHARE * self.now_ns)


@dataclass
class FakeServer:
    """A backend that uses its core evenly until `ending` is set."""

    clock: FakeClock
    launch: Launch
    ending: Ending | None = None
    stops: int = 0

    def pids(self) -> list[int]:
        return [4711]

    def binary_path(self) -> Path:
        return Path("/proc/4711/exe")

    def usage(self) -> Usage:
        return Usage(
            cpu_ns=int(BACKEND_SHARE * self.clock.now_ns),
            memory_bytes=10 * 2**20,
            memory_peak_bytes=12 * 2**20,
            throttled_ns=0,
            throttled_count=0,
        )

    def alive(self) -> Ending | None:
        return self.ending

    def stop(self) -> None:
        self.stops += 1


@dataclass
class FakeRuntime:
    """Builds nothing; `before_start` is called with each launch and may raise."""

    clock: FakeClock
    name: str = "process"
    built: list[str] = field(default_factory=list)
    servers: list[FakeServer] = field(default_factory=list)
    before_start: Callable[[int, Launch], None] = lambda number, launch: None

    def build(self, manifest: BackendManifest, folder: Path) -> Artifact:
        self.built.append(manifest.name)
        return Artifact(
            backend=manifest.name,
            runtime=self.name,
            location=f"process/{manifest.name}",
            digest=f"{manifest.name:0<64}",
            version_line=f"{manifest.name} 1.0",
            build_ns=1,
        )

    def start(self, artifact: Artifact, manifest: BackendManifest, launch: Launch) -> FakeServer:
        self.before_start(len(self.servers), launch)
        server = FakeServer(self.clock, launch)
        self.servers.append(server)
        return server


def refuses(number: int) -> Callable[[int, Launch], None]:
    """A runtime's `before_start` that fails from the trial of this number on."""

    def before_start(started: int, launch: Launch) -> None:
        if started >= number:
            raise BackendFailed(launch.subject.name, "never got ready", hint="read its log")

    return before_start


class FakeProcess:
    """Locust's master or worker."""

    def __init__(self) -> None:
        self.status: int | None = None

    def poll(self) -> int | None:
        return self.status


class FakeHiccups:
    """The platform's control: each second, each CPU is 50 us late, or as late as planted."""

    clock: FakeClock  # of the test
    late_ns: ClassVar[dict[int, int]] = {}  # by CPU

    def __init__(self, engine: Path, *, cpus: list[int], out: Path, log: Path) -> None:
        self._cpus, self._out, self._begun_ns = cpus, out, self.clock.now_ns

    def stop(self) -> None:
        ready = {"event": "ready", "cpus": self._cpus, "interval_ns": 2_000_000}
        lines = [ready]
        for start_ns in range(self._begun_ns, self.clock.now_ns, SECOND_NS):
            for cpu in self._cpus:
                encoded = _encoded(self.late_ns.get(cpu, 50_000), 500)
                end_ns = start_ns + SECOND_NS
                lines.append({"event": "second", "cpu": cpu, "start_ns": start_ns,
                              "end_ns": end_ns, "waited_ns": 0, "hiccups": encoded})  # fmt: skip
        self._out.write_text("".join(json.dumps(line) + "\n" for line in lines))


class FakeLoad(Load):
    """Load without processes: what the engine would write appears in the files when it is due.

    Reading the events, waiting and telling who died are the real thing's.
    """

    clock: FakeClock  # of the test
    started: list[FakeLoad]  # those of the test, in order
    script: Callable[[FakeLoad], None]  # called once each, may plant a fault

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
        self._crew = crew
        self.signing = signing
        self._out, self._log = out, log
        self._offset, self._rest = 0, b""
        self.events: list[dict[str, Any]] = []
        self.master: Any = FakeProcess()
        self.workers: Any = [FakeProcess()]
        self.plan: dict[str, Any] = json.loads(plan.read_bytes())
        self.stopped = False
        self.wrong = 0  # answers with a wrong status
        self.service_ns = SERVICE_NS
        self.send_lag_ns = SEND_LAG_NS
        self.tamper: Callable[[Records], Records] = lambda records: records
        self._due: list[tuple[int, dict[str, Any]]] = []
        self._schedule()
        out.touch()
        log.touch()
        self.started.append(self)
        type(self).script(self)

    def _schedule(self) -> None:
        start_ns = self.clock.now_ns + SECOND_NS // 5
        self.start_ns = start_ns
        self.measure_ns = start_ns + int(self.plan["warmup_s"] * SECOND_NS)
        self.end_ns = self.measure_ns + int(self.plan["duration_s"] * SECOND_NS)
        ready = {"event": "ready", "pid": 4712, "version": "fake", "clock_ns": self.clock.now_ns}
        start = {"start_ns": start_ns, "measure_ns": self.measure_ns, "end_ns": self.end_ns}
        self.at(self.clock.now_ns, {**ready, "connections": self.plan["connections"]})
        self.at(self.clock.now_ns, {"event": "start", **start})
        over = self.end_ns + SECOND_NS // 100
        self.at(over, {"event": "done"})
        self.at(over, {"event": "engine_ended", "exit_status": 0, "worker": "w"})
        self.at(over, {"event": "locust_done", "workers": 1})

    def at(self, at_ns: int, event: dict[str, Any]) -> None:
        self._due.append((at_ns, event))

    def die(self, at_ns: int, status: int) -> None:
        """The engine ends at this moment: nothing that was to come later comes."""
        self._due = [(when, event) for when, event in self._due if when < at_ns]
        self.at(at_ns, {"event": "engine_ended", "exit_status": status, "worker": "w"})
        self.at(at_ns, {"event": "locust_done", "workers": 1})

    def poll(self) -> list[dict[str, Any]]:
        due = [event for at_ns, event in self._due if at_ns <= self.clock.now_ns]
        self._due = [(at_ns, event) for at_ns, event in self._due if at_ns > self.clock.now_ns]
        with self._out.open("a", encoding="utf-8") as file:
            for event in due:
                whole = self._done() if event["event"] == "done" else event
                file.write(json.dumps(whole) + "\n")
        return super().poll()

    def stop(self) -> None:
        self.stopped = True

    def _done(self) -> dict[str, Any]:
        """Writes requests.bin, and says what is in it."""
        intended = self._intended()
        count = len(intended)
        records = np.zeros(count, REQUEST_TYPE)
        records["intended_ns"] = intended
        records["sent_ns"] = records["intended_ns"] + self.send_lag_ns
        records["last_byte_ns"] = records["sent_ns"] + self.service_ns
        records["first_byte_ns"] = records["last_byte_ns"]
        records["connection"] = np.arange(count) % self.plan["connections"]
        records["status"] = 200
        warm = records["intended_ns"] < self.measure_ns
        records["flags"][warm] = 2
        measured = np.flatnonzero(~warm)
        records["outcome"][measured[: self.wrong]] = 1 + ERRORS.index("status")
        header = {"schema": 1, "operations": ["get", "put"], "errors": ERRORS,
                  "connections": self.plan["connections"]}  # fmt: skip
        write_requests(Path(self.plan["records_path"]), header, self.tamper(records))
        return self._totals(len(measured))

    def _intended(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Level stretches only; a closed loop asks 1,000 times a second of this fake."""
        parts = self.plan.get("parts") or [{"from_rps": self.plan["rate_rps"] or 1000}]
        rates = [parts[0]["from_rps"], *(part["from_rps"] for part in parts)]
        times, begin_ns = [], self.start_ns
        for at, rate in enumerate(rates):
            end_ns = self.measure_ns + at * (self.end_ns - self.measure_ns) // len(parts)
            slots = np.arange(round((end_ns - begin_ns) / SECOND_NS * rate))
            times.append(begin_ns + (slots * SECOND_NS / rate).astype("u8"))
            begin_ns = end_ns
        return np.concatenate(times)

    def _totals(self, count: int) -> dict[str, Any]:
        times = {
            "response": self.send_lag_ns + self.service_ns,
            "service": self.service_ns,
            "own_fault_lag": self.send_lag_ns,
            "backlog_lag": 0,
        }
        totals = {
            "offered": count,
            "sent": count,
            "completed": count,
            "good": count - self.wrong,
            "errors": {"status": self.wrong} if self.wrong else {},
            "bytes_in": 1024 * count,
            "bytes_out": 100 * count,
            "histograms": {kind: _encoded(ns, count) for kind, ns in times.items()},
        }
        return {
            "event": "done",
            "totals": totals,
            "connections_lost": 0,
            "records": count,
            "records_dropped": 0,
            "unfinished": 0,
            "grain_ns": self.plan["grain_ns"],
            "pace": {
                "asked": self.plan["pace"],
                "chosen": "sleep",
                "why": "made up",
                "wake_late_ns_p90": None,
            },
        }


def _encoded(value_ns: int, count: int) -> str:
    histogram = HdrHistogram(1, 60 * SECOND_NS, 3)
    histogram.record_value(value_ns, count)
    return str(histogram.encode().decode("ascii"))
