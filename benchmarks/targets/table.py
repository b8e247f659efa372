"""One mixed, signed scenario against stores that others wrote and against our backends: a table.

Run it by `make s3-targets`; exit status 1 when an answer was wrong, or a request failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BENCH = [sys.executable, "-c", "from harness.cli import main; main()"]
STORES = ("minio", "versitygw", "nginx")
BACKENDS = ("c", "cpp", "rust", "go")
READS_ONLY = {"nginx": "read-only"}
WARMUP_S = 2
HEAD = (
    *("target", "scenario", "payload", "offered", "good", "errors", "digests", "wrong"),
    *("signed late", "P50 ms", "P99 ms"),
)


def command(name: str, flags: argparse.Namespace, output: Path) -> list[str]:
    """The `bench` command that measures one target."""
    common = [
        *("--scenario", READS_ONLY.get(name, flags.scenario), "--rps", str(flags.rps)),
        *("--duration", flags.duration, "--warmup", f"{WARMUP_S}s", "--payload", flags.payload),
        *("--connections", str(flags.connections), "--output", str(output), "--json"),
    ]
    if name in STORES:
        return [*BENCH, "load", "--target", name, *common]
    alone = ["--runtime", "process", "--probes", "off", "--tune", "off", "--no-calibrate"]
    return [*BENCH, "run", "--backend", name, "--set", f"{name}.auth=verify", *common, *alone]


def measure(name: str, flags: argparse.Namespace) -> tuple[list[str], str]:
    """A row of the table, and what went wrong ("" when nothing did)."""
    with tempfile.TemporaryDirectory(prefix="pausemark-targets-") as folder:
        made = subprocess.run(
            command(name, flags, Path(folder)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found = sorted(Path(folder).rglob("engine.jsonl"))
        lines = found[0].read_text().splitlines() if found else []
    done = next((json.loads(line) for line in reversed(lines) if '"event":"done"' in line), None)
    scenario = READS_ONLY.get(name, flags.scenario)
    if done is None:
        said = " | ".join(made.stderr.strip().splitlines()[-2:])
        return [name, scenario, flags.payload, *["-"] * 8], f"{name}: not measured: {said}"
    return row(name, scenario, flags.payload, done)


def row(name: str, scenario: str, payload: str, done: dict[str, Any]) -> tuple[list[str], str]:
    """From the engine's `done` event."""
    totals, summary = done["totals"], done["totals"]["summary"]
    errors = ", ".join(f"{kind} {count}" for kind, count in totals["errors"].items())
    cells = [
        *(name, scenario, payload, str(totals["offered"]), str(totals["good"]), errors or "0"),
        *(str(done["digests_checked"]), str(done["digests_wrong"]), str(done["signed_late"])),
        *(f"{summary[f'response_ns_{point}'] / 1e6:.3f}" for point in ("p50", "p99")),
    ]
    bad = errors or done["digests_wrong"] or totals["good"] != totals["offered"]
    unchecked = "" if done["digests_checked"] else f"{name}: no digest was checked"
    return cells, f"{name}: errors or missing answers" if bad else unchecked


def main() -> int:
    """Measures each, prints the table, tells what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", action="append", help="one of the targets; all when left out")
    parser.add_argument("--scenario", default="s3-mixed")
    parser.add_argument("--rps", type=float, default=200.0)
    parser.add_argument("--duration", default="60s")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--payload", choices=["unsigned", "hex"], default="hex")
    flags = parser.parse_args()
    known = (*STORES, *BACKENDS)
    chosen = flags.target or known
    if unknown := [name for name in chosen if name not in known]:
        parser.error(f"--target: expected some of {', '.join(known)}, got {', '.join(unknown)}")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    faults = []
    for name in chosen:
        cells, fault = measure(name, flags)
        print(f"| {' | '.join(cells)} |", flush=True)
        faults += [fault] if fault else []
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
