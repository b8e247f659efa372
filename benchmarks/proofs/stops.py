"""Injected 5 ms stops of every backend: how many do the no-progress gaps find, and how well?"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from pathlib import Path

from proofkit import bench_run, newest_run, stop_at, verdict

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


def offsets_s() -> list[float]:
    """Where the stops stand, from the engine's start: 30 inside the measured part, unevenly."""
    draw = random.Random(1)
    offsets = [8.0]
    while len(offsets) < STOPS:
        offsets.append(offsets[-1] + 0.4 + 0.2 * draw.random())
    return offsets


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
            bench_run(
                *flags,
                results=results,
                artifact=artifact,
                disturb=stop_at(offsets_s(), STOP_NS / 1e9, stops),
            )
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
