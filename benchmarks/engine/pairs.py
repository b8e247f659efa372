"""The engine's bars: flat out and paced beside wrk2, and at its own default grain."""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
from pathlib import Path

import generators as gen
import paced
import server

PACED_RPS = 10_000.0
CEILING_RPS = 80_000.0
GRAIN_NS = 20_000
# The bars; the medians are held against them.
CPU_SHARE_BAR = 0.42
LAG_NS_P99_BAR = 60_000
SERVED_SHARE_BAR = 0.999
RATIO_BARS = {"wrk2": 1.0, "FastHttpUser": 10.0}
PARTS = ("flat", "paced", "default", "ceiling")


def flat(engine: Path, url: str, args: argparse.Namespace) -> bool:
    """CPU a request, as fast as each goes on one core; true when the bars are met."""
    runners: dict[str, gen.Runner] = {
        "engine": lambda url, seconds: gen.engine(engine, url, gen.FLAT_RPS, seconds),
        **gen.peers(),
    }
    costs: dict[str, list[gen.Cost]] = {name: [] for name in runners}
    for pair in range(args.pairs):
        order = list(runners) if pair % 2 == 0 else list(reversed(runners))
        for name in order:
            costs[name].append(runners[name](url, args.seconds))
        cells = (f"{name} {cost[-1].cpu_us_per_request:.2f} us" for name, cost in costs.items())
        print(f"pair {pair + 1}: " + ", ".join(cells), flush=True)
    print("\n| generator | CPU us a request | requests a second | CPU, times the engine's | bar |")
    print("|---|---|---|---|---|")
    met = [_row(name, costs[name], costs["engine"]) for name in runners]
    return all(met)


def _row(name: str, costs: list[gen.Cost], own: list[gen.Cost]) -> bool:
    """One line of the table; true when there is no bar or it is met."""
    pairs = zip(costs, own, strict=True)
    ratio = statistics.median(a.cpu_us_per_request / b.cpu_us_per_request for a, b in pairs)
    bar = RATIO_BARS.get(name)
    met = bar is None or ratio >= bar
    told = "-" if bar is None else f"at least {bar:g}: {'met' if met else 'MISSED'}"
    print(
        f"| {name} | {statistics.median(c.cpu_us_per_request for c in costs):.2f} "
        f"| {statistics.median(c.rate_rps for c in costs):,.0f} | {ratio:.2f} | {told} |"
    )
    return met


def paced_as_wrk2(engine: Path, url: str, args: argparse.Namespace) -> bool:
    """CPU a request at 10,000 RPS with wrk2's own grain, beside wrk2; true when it is met."""
    binary = gen.find_wrk2()
    if binary is None:
        print("paced: wrk2 is missing, so nothing is compared; WRK2=/path/to/wrk2 names it")
        return False
    ratios, own, theirs = [], [], []
    for pair in range(args.pairs):
        ours = gen.engine(engine, url, PACED_RPS, args.seconds, gen.WRK2_GRAIN_NS)
        other = gen.wrk(binary, url, PACED_RPS, args.seconds)
        own.append(ours.cpu_us_per_request)
        theirs.append(other.cpu_us_per_request)
        ratios.append(theirs[-1] / own[-1])
        print(f"pair {pair + 1}: engine {own[-1]:.2f} us, wrk2 {theirs[-1]:.2f}", flush=True)
    ratio = statistics.median(ratios)
    print(
        f"paced at {PACED_RPS:,.0f} RPS with a grain of 1 ms: engine {statistics.median(own):.2f} "
        f"us a request, wrk2 {statistics.median(theirs):.2f}: {ratio:.2f} times (bar 1): "
        + ("met" if ratio >= 1 else "MISSED")
    )
    return ratio >= 1


def paced_by_default(engine: Path, url: str, args: argparse.Namespace) -> bool:
    """CPU and own-fault lag at 10,000 RPS, tuned; true when the bars are met."""
    kept: list[paced.Paced] = []
    with server.tuned() as held:
        for number in range(args.pairs):
            one = paced.trial(engine, url, PACED_RPS, args.seconds, GRAIN_NS)
            print(f"trial {number + 1}: {one or 'not counted, most seconds had steal'}", flush=True)
            kept += [one] if one else []
    if not kept:
        print("default: no trial without steal; run it again")
        return False
    share = statistics.median(one.core_share for one in kept)
    lag_ns = statistics.median(one.lag_ns_p99 for one in kept)
    served = statistics.median(one.served_share for one in kept)
    met = share <= CPU_SHARE_BAR and lag_ns <= LAG_NS_P99_BAR and served >= SERVED_SHARE_BAR
    print(
        f"default grain at {PACED_RPS:,.0f} RPS, tuned ({held}): {share:.3f} of a core (bar "
        f"{CPU_SHARE_BAR}), own-fault lag P99 {lag_ns / 1e3:.0f} us (bar "
        f"{LAG_NS_P99_BAR / 1e3:.0f}), served {served:.3%} (bar {SERVED_SHARE_BAR:.1%}): "
        + ("met" if met else "MISSED")
    )
    return met


def ceiling(engine: Path, url: str, args: argparse.Namespace) -> bool:
    """80,000 RPS from one core, or what wrk2 reaches in the same minute."""
    binary = gen.find_wrk2()
    own, theirs = [], []
    for pair in range(args.pairs):
        own.append(gen.engine(engine, url, CEILING_RPS, args.seconds).rate_rps)
        if binary:
            theirs.append(gen.wrk(binary, url, CEILING_RPS, args.seconds).rate_rps)
        told = f", wrk2 {theirs[-1]:,.0f}" if binary else ""
        print(f"pair {pair + 1}: engine {own[-1]:,.0f} a second{told}", flush=True)
    goals = [min(CEILING_RPS, rate) for rate in theirs] or [CEILING_RPS] * len(own)
    share = statistics.median(rate / goal for rate, goal in zip(own, goals, strict=True))
    met = share >= SERVED_SHARE_BAR
    print(
        f"asked for {CEILING_RPS:,.0f} RPS of one core: {statistics.median(own):,.0f} a second, "
        f"{share:.3f} of the goal (80,000 or what wrk2 reached): " + ("met" if met else "MISSED")
    )
    return met


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--build", type=Path, default=server.ROOT / "build", help="what make build left"
    )
    parser.add_argument("--port", type=int, default=29_480)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--only", choices=PARTS, action="append", help="some of the parts")
    return parser.parse_args()


def main() -> int:
    """Prints tables; 0 when every bar is met, else 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that tuning is undone
    args = parse()
    engine = args.build / "loadgen/pausemark-engine"
    if not engine.is_file():
        print(f"error: {engine}: missing, expected the built engine", file=sys.stderr)
        print("hint: make build", file=sys.stderr)
        return 4
    command = server.command(args.port, args.build)
    print(f"engine {engine}, beside it {', '.join(gen.peers())}")
    print(f"server {command[0]} on processor {server.SERVER_CPU}, generators on {gen.ENGINE_CPU}")
    measures = (flat, paced_as_wrk2, paced_by_default, ceiling)
    met = []
    with server.running(command, args.port) as url:
        for part, measure in zip(PARTS, measures, strict=True):
            if not args.only or part in args.only:
                print(f"\n== {part}", flush=True)
                met.append(measure(engine, url, args))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
