"""What the tuning is worth: off against on in alternating pairs, and the median ratio."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from proofkit import bench_run, only_trial

PAIRS = 5
FLAGS = ("--rps", "10000", "--duration", "10s", "--warmup", "3s", "--backend", "c")


def figures(trial: dict[str, Any]) -> dict[str, float]:
    """What the table compares."""
    resources = trial["resources"]
    return {
        "response P50 us": trial["response_time_ns"]["p50"] / 1e3,
        "response P99 us": trial["response_time_ns"]["p99"] / 1e3,
        "own-fault lag P99 us": trial["own_fault_lag_ns"]["p99"] / 1e3,
        "engine, share of a core": resources["engine_core_share"],
        "backend CPU us/request": resources["backend_cpu_ns_per_request"] / 1e3,
    }


def main() -> int:
    """Prints the medians of both and of their ratios; there is no bar."""
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(PAIRS):
            both = {}
            for setting in ("off", "auto"):
                flags = (*FLAGS, "--tune", setting, "--no-calibrate", *sys.argv[1:])
                results = Path(folder) / f"{number}-{setting}"
                both[setting] = figures(only_trial(bench_run(*flags, results=results)))
            pairs.append(both)
    print(f"median of {PAIRS} alternating pairs: off, tuned, tuned / off")
    for name in pairs[0]["off"]:
        off = statistics.median(pair["off"][name] for pair in pairs)
        tuned = statistics.median(pair["auto"][name] for pair in pairs)
        ratio = statistics.median(pair["auto"][name] / pair["off"][name] for pair in pairs)
        print(f"  {name:26s} {off:10.2f} {tuned:10.2f} {ratio:8.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
