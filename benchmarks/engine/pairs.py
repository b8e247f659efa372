"""What a request costs the engine, in pairs beside wrk2 and Locust, and what pacing costs."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import generators as gen
from hdrh.histogram import HdrHistogram

HALT_POLL = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")
HALT_POLL_NS = 200_000
FLAT_RPS = 1_000_000.0  # more than one core can send
PACED_RPS = 10_000.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STEAL_SHARE_MAX = 0.01
# The bars of the issue; the medians are held against them.
CPU_SHARE_BAR = 0.5
LAG_NS_P99_BAR = 80_000
LOCUST_RATIO_BAR = 10.0


@contextlib.contextmanager
def tuned() -> Iterator[bool]:
    """Idle processors of the guest poll for a while before they halt; undone at every exit."""
    before = HALT_POLL.read_text() if os.access(HALT_POLL, os.W_OK) else None
    if before is None:
        yield False
        return
    try:
        HALT_POLL.write_text(str(HALT_POLL_NS))
        yield True
    finally:
        HALT_POLL.write_text(before)


def steal_ticks() -> int:
    """Stolen time of the engine's processor so far."""
    for line in Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields[0] == f"cpu{gen.ENGINE_CPU}":
            return int(fields[8])
    return 0


def flat(engine: Path, wrk: str | None, url: str, args: argparse.Namespace) -> bool:
    """CPU a request, asked for more than one core can send; true when the bars are met."""
    columns: dict[str, list[float]] = {"engine": [], "wrk": [], "locust": []}
    for pair in range(args.pairs):
        costs = {"engine": gen.engine(engine, url, FLAT_RPS, args.seconds)}
        if wrk:
            costs["wrk"] = gen.wrk(wrk, url, FLAT_RPS, args.seconds)
        if args.locust:
            costs["locust"] = gen.locust(url, args.seconds)
        cells = []
        for name, cost in costs.items():
            columns[name].append(cost.cpu_us_per_request)
            rate_rps = cost.requests / cost.seconds
            cells.append(f"{name} {cost.cpu_us_per_request:7.2f} us at {rate_rps:7.0f}/s")
        print(f"pair {pair + 1}: " + "   ".join(cells), flush=True)
    own = statistics.median(columns["engine"])
    good = True
    for name, bar in (("wrk", 1.0), ("locust", LOCUST_RATIO_BAR)):
        if columns[name]:
            pairs = zip(columns[name], columns["engine"], strict=True)
            ratio = statistics.median(theirs / ours for theirs, ours in pairs)
            good &= ratio >= bar
            print(
                f"engine {own:.2f} us a request, {name} {statistics.median(columns[name]):.2f}: "
                f"{name} takes {ratio:.2f} times as much (median of pairs; bar {bar:g})"
            )
    return good


def paced_once(engine: Path, url: str, seconds: int) -> tuple[list[dict[str, Any]], int]:
    """The seconds with little steal, and how many there were."""
    kept: list[dict[str, Any]] = []
    before, count = steal_ticks(), 0
    for event in gen.engine_events(engine, gen.plan(url, PACED_RPS, seconds)):
        if event["event"] == "start":
            before = steal_ticks()
        if event["event"] != "second" or not event["offered"]:
            continue
        now = steal_ticks()
        share = (now - before) / TICKS_PER_S
        before = now
        count += 1
        if share <= STEAL_SHARE_MAX:
            kept.append(event)
    return kept, count


def paced(engine: Path, url: str, args: argparse.Namespace) -> bool:
    """CPU and own-fault lag at 10,000 RPS; true when the bars are met."""
    shares, lags = [], []
    with tuned() as is_tuned:
        for trial in range(args.pairs):
            kept, count = paced_once(engine, url, args.seconds)
            lag = HdrHistogram(1, 60_000_000_000, 3)
            for second in kept:
                lag.decode_and_add(second["histograms"]["own_fault_lag"])
            left_out = 1 - len(kept) / max(1, count)
            if left_out > 0.5:
                print(f"trial {trial + 1}: not counted, {left_out:.0%} of seconds had steal")
                continue
            shares.append(statistics.mean(second["cpu_ns"] for second in kept) / 1e9)
            lags.append(lag.get_value_at_percentile(99))
            waited = statistics.mean(second["runqueue_ns"] for second in kept) / 1e9
            print(
                f"trial {trial + 1}: {shares[-1]:.3f} of a core, own-fault lag P50 "
                f"{lag.get_value_at_percentile(50) / 1e3:.0f} us, P99 {lags[-1] / 1e3:.0f} us; "
                f"run queue {waited:.1%}; {left_out:.0%} of seconds left out for steal",
                flush=True,
            )
    if not shares:
        print("paced: no trial without steal; run it again")
        return False
    share, lag_ns = statistics.median(shares), statistics.median(lags)
    state = "tuned" if is_tuned else "NOT tuned (no guest halt polling here)"
    print(
        f"paced at {PACED_RPS:.0f} RPS, {state}: {share:.3f} of a core (bar {CPU_SHARE_BAR}), "
        f"own-fault lag P99 {lag_ns / 1e3:.0f} us (bar {LAG_NS_P99_BAR / 1e3:.0f})"
    )
    return bool(share <= CPU_SHARE_BAR and lag_ns <= LAG_NS_P99_BAR)


def server_command(port: int, build: Path) -> list[str]:
    """The C backend if it is built, else the freeze server that never freezes."""
    backend = build / "process/c/pausemark-c"
    if backend.is_file():
        return [str(backend), "--address", "127.0.0.1", "--port", str(port), "--threads", "1"]
    freeze = build / "loadgen/pausemark-freeze"
    return [str(freeze), "--port", str(port), "--freeze-us", "0", "--body-bytes", "1024"]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--build", type=Path, default=gen.ROOT / "build", help="what make build left"
    )
    parser.add_argument("--port", type=int, default=29_480)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--only", choices=["flat", "paced"], help="one of the two parts")
    parser.add_argument("--locust", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


def main() -> int:
    """Prints tables; 0 when every bar is met, else 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that tuning is undone
    args = parse()
    engine = args.build / "loadgen/pausemark-engine"
    if not engine.is_file():
        print(
            f"error: {engine}: missing, expected the built engine\nhint: make build",
            file=sys.stderr,
        )
        return 4
    wrk = os.environ.get("WRK2") or shutil.which("wrk2") or shutil.which("wrk")
    print(f"engine {engine}; beside it {wrk or 'no wrk (set WRK2)'}, Locust: {args.locust}")
    command = server_command(args.port, args.build)
    print(f"server {command[0]} on processor {gen.SERVER_CPU}, generators on {gen.ENGINE_CPU}")
    good = True
    with gen.server(command, args.port) as url:
        if args.only != "paced":
            good &= flat(engine, wrk, url, args)
        if args.only != "flat":
            good &= paced(engine, url, args)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
