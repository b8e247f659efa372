"""Go with a large live heap: mark phases show, and with GOGC=off they vanish."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from proofkit import bench_run, milliseconds, only_trial, verdict

FLAGS = ("--scenario", "live-heap", "--backend", "go", "--no-calibrate")
# A live heap of a gigabyte is collected once another quarter has been allocated: often enough in
# this time for a P99 inside. (With GOGC=100 it is once a minute.)
DURATION = {"25": "90s", "off": "30s"}


def main() -> int:
    """Collected often, then never; further flags go to `bench run` (such as --rps)."""
    rate = () if "--rps" in sys.argv else ("--rps", "8000")
    marks, inside = [], []
    with tempfile.TemporaryDirectory() as folder:
        for setting, duration in DURATION.items():
            flags = (
                *FLAGS,
                "--duration",
                duration,
                *rate,
                "--set",
                f"go.gogc={setting}",
                *sys.argv[1:],
            )
            trial = only_trial(bench_run(*flags, results=Path(folder) / setting))
            collector = trial["collector"]
            stops = collector["stop_the_world"] or {}
            print(
                f"GOGC={setting}: cycles {collector['cycles']}, stops {stops.get('count')}, "
                f"longest {milliseconds(stops.get('max_ns'))} ms, "
                f"mark share {collector['mark_share']}, "
                f"P99 inside {milliseconds(collector['p99_inside'])} ms, "
                f"outside {milliseconds(collector['p99_outside'])} ms, "
                f"memory {trial['resources']['memory_peak_bytes']}, "
                f"{trial['verdict']['status']}"
            )
            marks.append(collector["mark_share"])
            inside.append(collector["p99_inside"])
    shows = marks[0] is not None and marks[0] > 0 and inside[0] is not None
    vanish = marks[1] == 0 and inside[1] is None
    return verdict(
        holds=shows and vanish,
        text=f"mark share {marks[0]} and {marks[1]}, P99 inside a cycle "
        f"{milliseconds(inside[0])} and {milliseconds(inside[1])} ms",
    )


if __name__ == "__main__":
    raise SystemExit(main())
