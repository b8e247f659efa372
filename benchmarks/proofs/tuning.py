"""What the tuning is worth: off against on in alternating pairs, and the median ratio."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from proofkit import bench_run, only_trial

PAIRS = 5
FLAGS = ("--rps", "10000", "--duration", "20s", "--warmup", "3s", "--backend", "c")


def figures(trial: dict[str, Any]) -> dict[str, float]:
    """What the table compares; a percentile with too few tail episodes is left out."""
    resources, response, lag = (
        trial[name] for name in ("resources", "response_time_ns", "own_fault_lag_ns")
    )
    found = {
        "response P50 us": (response["p50"], 1e3),
        "response P90 us": (response["p90"], 1e3),
        "response P99 us": (response["p99"], 1e3),
        "own-fault lag P99 us": (lag["p99"], 1e3),
        "engine, share of a core": (resources["engine_core_share"], 1.0),
        "backend CPU us/request": (resources["backend_cpu_ns_per_request"], 1e3),
    }
    return {name: value / unit for name, (value, unit) in found.items() if value is not None}


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
    print(f"median of {PAIRS} alternating pairs: off, tuned, tuned / off, pairs that have both")
    for name in dict.fromkeys(name for pair in pairs for both in pair.values() for name in both):
        known = [p for p in pairs if name in p["off"] and name in p["auto"]]
        if not known:
            print(f"  {name:26s} not in any pair")
            continue
        off = statistics.median(pair["off"][name] for pair in known)
        tuned = statistics.median(pair["auto"][name] for pair in known)
        ratio = statistics.median(pair["auto"][name] / pair["off"][name] for pair in known)
        print(f"  {name:26s} {off:10.2f} {tuned:10.2f} {ratio:8.2f} {len(known):4d}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
