"""Runs `bench run --json` from outside and finds the backend's processes while it runs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the scripts also read what a run left, by the harness's own readers

from harness.stages.plan import lay_out  # noqa: E402
from harness.system import environment  # noqa: E402

BENCH = [sys.executable, "-c", "from harness.cli import main; main()"]

Disturb = Callable[[threading.Event, int], None]  # (is it over, pid of the backend)
# A process of its own on the engine's core, asleep but for some microseconds: whatever held the
# backend's core for longer would be a foreign process there, during every single stop.
STOPPER = """
import json, os, signal, sys, time
pid, stop_s, cpu = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
os.sched_setaffinity(0, {cpu})
offsets, stops, start = json.load(sys.stdin), [], time.monotonic()
try:
    for offset in offsets:
        time.sleep(max(0.0, start + offset - time.monotonic()))
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic_ns()
        try:
            time.sleep(stop_s)
        finally:
            os.kill(pid, signal.SIGCONT)
        stops.append((began, time.monotonic_ns()))
except ProcessLookupError:
    pass
print(json.dumps(stops))
"""


def backend_pid(artifact: str) -> int | None:
    """The pid of the running artifact, whatever runtime holds it."""
    for process in psutil.process_iter(["name", "exe", "cmdline"]):
        line = process.info["cmdline"] or []
        if line and Path(line[0]).name == artifact:
            return int(process.pid)
    return None


def engine_runs() -> bool:
    """Whether the engine is past its preload."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if len(line) >= 2 and Path(line[0]).name == "pausemark-engine" and line[1] == "run":
            return True
    return False


def bench_run(
    *flags: str, results: Path, artifact: str = "", disturb: Disturb | None = None
) -> dict[str, Any]:
    """One run's JSON; `disturb` runs beside it from the engine's start to its end."""
    process = subprocess.Popen(
        [*BENCH, "run", "--json", "--output", str(results), *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    over = threading.Event()

    def beside() -> None:
        while not over.is_set():
            pid = backend_pid(artifact)
            if pid is not None and engine_runs() and disturb is not None:
                disturb(over, pid)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=beside, daemon=True)
    if disturb is not None:
        thread.start()
    stdout, _ = process.communicate()
    over.set()
    if disturb is not None:
        thread.join(60)
    if process.returncode not in (0, 3):
        raise SystemExit(f"bench run ended with exit status {process.returncode}")
    found: dict[str, Any] = json.loads(stdout)
    return found


def stop_at(offsets_s: list[float], stop_s: float, stops: list[tuple[int, int]]) -> Disturb:
    """A disturbance that stops the backend at each offset from the engine's start.

    `stops` is filled with when each began and ended, ns on CLOCK_MONOTONIC, once all is over.
    """

    def disturb(over: threading.Event, pid: int) -> None:
        cpu = lay_out("split", environment.usable_cpus()).engine_cpus[0]
        command = [sys.executable, "-S", "-c", STOPPER, str(pid), str(stop_s), str(cpu)]
        done = subprocess.run(
            command, input=json.dumps(offsets_s), capture_output=True, text=True, check=True
        )
        stops.extend((began, ended) for began, ended in json.loads(done.stdout))
        over.wait()

    return disturb


def milliseconds(value: int | None) -> str:
    """For tables."""
    return "-" if value is None else f"{value / 1e6:.3f}"


def verdict(*, holds: bool, text: str) -> int:
    """Prints the bar and whether it was met; the exit code."""
    print(f"{'holds' if holds else 'MISSED'}: {text}")
    return 0 if holds else 1


def newest_run(results: Path) -> Path:
    """The folder of the last run."""
    return sorted(path.parent for path in results.glob("*/plan.json"))[-1]


def only_trial(run: dict[str, Any]) -> dict[str, Any]:
    """The one trial of a run with a single subject and block."""
    (trial,) = run["trials"]
    return dict(trial)
