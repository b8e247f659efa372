"""Injected 5 ms stops of every backend: how many do the no-progress gaps find, and how well?"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from proofkit import bench_run, newest_run, verdict

from harness.store.records import read_stream

STOPS = 30
STOP_NS = 5_000_000
FOUND_MIN = 28
OFF_NS_MAX = 1_000_000
FLAGS = ("--rps", "5000", "--duration", "25s", "--warmup", "5s", "--no-calibrate")
ARTIFACTS = {
    "c": "pausemark-c",
    "cpp": "pausemark-cpp",
    "rust": "pausemark-rust",
    "go": "pausemark-go",
}


def stop_once(pid: int) -> tuple[int, int]:
    """Stops a process for 5 ms; when it really was stopped, ns on CLOCK_MONOTONIC."""
    began = time.monotonic_ns()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STOP_NS / 1e9)
    os.kill(pid, signal.SIGCONT)
    return began, time.monotonic_ns()


def inject(stops: list[tuple[int, int]]) -> object:
    """A disturbance that makes 30 stops inside the measured part."""
    draw = random.Random(1)

    def disturb(over: threading.Event, pid: int) -> None:
        over.wait(8)
        while len(stops) < STOPS and not over.is_set():
            with contextlib.suppress(ProcessLookupError):
                stops.append(stop_once(pid))
            over.wait(0.4 + 0.2 * draw.random())

    return disturb


def matched(stops: list[tuple[int, int]], gaps: list[tuple[int, int]]) -> list[int]:
    """For each stop that some gap overlaps by half at least: |length of gap - length of stop|."""
    off = []
    for began, ended in stops:
        best = max(gaps, key=lambda g: min(g[1], ended) - max(g[0], began), default=None)
        if best is not None and min(best[1], ended) - max(best[0], began) >= (ended - began) // 2:
            off.append(abs((best[1] - best[0]) - (ended - began)))
    return off


def main() -> int:
    """Every backend once; further flags go to `bench run`."""
    code = 0
    for backend, artifact in ARTIFACTS.items():
        stops: list[tuple[int, int]] = []
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder)
            flags = (*FLAGS, "--backend", backend, *sys.argv[1:])
            bench_run(*flags, results=results, artifact=artifact, disturb=inject(stops))
            stream = read_stream(newest_run(results) / "trials" / "0" / "probes" / "gaps.bin")
        records = stream.records
        gaps = [(int(r["start_ns"]), int(r["end_ns"])) for r in records]
        off = matched(stops, gaps)
        median = statistics.median(off) if off else float("inf")
        code |= verdict(
            holds=len(stops) == STOPS and len(off) >= FOUND_MIN and median <= OFF_NS_MAX,
            text=f"{backend}: {len(off)} of {len(stops)} stops found (bar {FOUND_MIN}), "
            f"off by {median / 1e3:.0f} us in the median (bar {OFF_NS_MAX / 1e3:.0f})",
        )
    return code


if __name__ == "__main__":
    raise SystemExit(main())
