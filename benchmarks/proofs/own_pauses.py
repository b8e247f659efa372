"""A backend's own pause is never cleaned away: stopped 5 ms every 500 ms, clean P99.9 shows it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from proofkit import bench_run, milliseconds, only_trial, stop_at, verdict

from harness.stats.freeze import Freeze, expected_delay_ns

EVERY_NS = 500_000_000
STOP_NS = 5_000_000
OFF_NS_MAX = 500_000
WARMUP_S = 5
DURATION_S = 30
RATE_RPS = 10_000
SHARE = 0.001


def main() -> int:
    """One trial; further flags go to `bench run` (such as --backend rust)."""
    stops: list[tuple[int, int]] = []

    every = EVERY_NS / 1e9
    offsets = [every * number for number in range(1, int((WARMUP_S + DURATION_S) / every) + 1)]
    disturb = stop_at(offsets, STOP_NS / 1e9, stops)
    flags = ("--rps", str(RATE_RPS), "--duration", f"{DURATION_S}s", "--no-calibrate")
    flags = (*flags, "--warmup", f"{WARMUP_S}s")
    backend = () if "--backend" in sys.argv else ("--backend", "c")
    name = sys.argv[sys.argv.index("--backend") + 1] if not backend else "c"
    with tempfile.TemporaryDirectory() as folder:
        run = bench_run(
            *flags,
            *backend,
            *sys.argv[1:],
            results=Path(folder),
            artifact=f"pausemark-{name}",
            disturb=disturb,
        )
    trial = only_trial(run)
    inside = stops[-int(DURATION_S * 1e9 / EVERY_NS) :]
    # Utilisation from the backend's own bill: its time on the CPU in a second.
    rho = trial["resources"]["backend_cpu_ns"] / (DURATION_S * 1e9)
    freezes = [Freeze(began, ended) for began, ended in inside]
    delay = expected_delay_ns(freezes, share=SHARE, duration_ns=DURATION_S * 10**9, rho=rho)
    clean = trial["response_time_clean_ns"]
    expected = delay + (clean["p50"] if clean else 0)
    found = clean["p999"] if clean else None
    print(f"verdict {trial['verdict']['status']}, touched {trial['share_touched']}, rho {rho:.3f}")
    print(f"observed P99.9 {milliseconds(trial['response_time_ns']['p999'])} ms")
    return verdict(
        holds=found is not None and abs(found - expected) <= OFF_NS_MAX,
        text=f"{name}: clean P99.9 {milliseconds(found)} ms, analytic {expected / 1e6:.3f} ms "
        f"(bar {OFF_NS_MAX / 1e6} ms) {trial['clean_withheld']}",
    )


if __name__ == "__main__":
    raise SystemExit(main())
