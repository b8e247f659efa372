"""A busy loop on the backend's core: observed P99 moves, clean P99 does not, the hog is named."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path
from subprocess import Popen

from proofkit import bench_run, milliseconds, only_trial, verdict

SHIFT_MAX = 1.5
FLAGS = ("--rps", "10000", "--duration", "30s", "--no-calibrate")
LOOP = """
import os, time
os.sched_setaffinity(0, {cpus})
while True:
    end = time.monotonic() + 0.010
    while time.monotonic() < end:
        pass
    time.sleep(0.020)
"""


def disturb(over: threading.Event, pid: int) -> None:
    """10 ms on, 20 ms off, nice 0, on the backend's own CPUs."""
    cpus = os.sched_getaffinity(pid)
    hog = Popen([sys.executable, "-c", LOOP.format(cpus=cpus)])
    try:
        over.wait()
    finally:
        hog.kill()
        hog.wait()


def main() -> int:
    """One undisturbed trial, one disturbed; further flags go to `bench run`."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        flags = (*FLAGS, "--backend", "c", *sys.argv[1:])
        calm = only_trial(bench_run(*flags, results=results / "calm"))
        hogged = only_trial(
            bench_run(*flags, results=results / "hog", artifact="pausemark-c", disturb=disturb)
        )
    values = []
    for name, trial in (("calm", calm), ("hogged", hogged)):
        clean = trial["response_time_clean_ns"]
        values.append((trial["response_time_ns"]["p99"], clean["p99"] if clean else None))
        print(
            f"{name}: observed P99 {milliseconds(values[-1][0])} ms, "
            f"clean {milliseconds(values[-1][1])} ms, touched {trial['share_touched']}, "
            f"{trial['verdict']['status']} {[r['text'] for r in trial['verdict']['reasons']]}"
        )
    (observed, clean), (observed_hog, clean_hog) = values
    named = any(r["id"] == "core-shared" for r in hogged["verdict"]["reasons"])
    shift = clean_hog / clean if clean and clean_hog else float("inf")
    moved = observed_hog / observed
    return verdict(
        holds=1 / SHIFT_MAX <= shift <= SHIFT_MAX and moved > SHIFT_MAX and named,
        text=f"clean P99 times {shift:.2f} (bar {SHIFT_MAX}), observed times {moved:.1f}, "
        f"core-shared in the verdict: {named}",
    )


if __name__ == "__main__":
    raise SystemExit(main())
