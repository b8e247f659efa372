"""Clean P99 of two backends over alternating runs: it repeats where observed P99 does not."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from proofkit import bench_run, milliseconds, verdict

FLAGS = ("--rps", "10000", "--duration", "30s", "--repeat", "6", "--backend", "c,rust")
SPREAD_MAX = 2.0


def main() -> int:
    """Six blocks of both in one run."""
    with tempfile.TemporaryDirectory() as folder:
        run = bench_run(*FLAGS, *sys.argv[1:], results=Path(folder))
    code = 0
    for subject in dict.fromkeys(trial["subject"] for trial in run["trials"]):
        trials = [trial for trial in run["trials"] if trial["subject"] == subject]
        print(f"{subject}: trial, observed P99 ms, clean P99 ms, touched, steal, verdict")
        for trial in trials:
            clean = trial["response_time_clean_ns"]
            touched = trial["share_touched"]
            print(
                f"  {trial['trial']:2d}  {milliseconds(trial['response_time_ns']['p99']):>8}"
                f"  {milliseconds(clean['p99'] if clean else None):>8}"
                f"  {touched if touched is None else round(touched, 3)}"
                f"  {trial['platform']['steal_share']}  {trial['verdict']['status']}"
            )
        observed = [p99 for t in trials if (p99 := t["response_time_ns"]["p99"])]
        clean = [(t["response_time_clean_ns"] or {}).get("p99") for t in trials]
        known = [value for value in clean if value]
        spread = max(known) / min(known) if known else float("inf")
        code |= verdict(
            holds=len(known) == len(trials) and spread <= SPREAD_MAX,
            text=f"{subject}: clean P99 largest over smallest {spread:.2f} (bar {SPREAD_MAX}), "
            f"observed {max(observed) / min(observed):.2f} ({len(observed)} known), "
            f"{len(known)} of {len(trials)} known",
        )
    return code


if __name__ == "__main__":
    raise SystemExit(main())
