"""epoll against io_uring: a sketch of the engine's inner job, by either, in alternating pairs."""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import generators as gen
import server

SOURCE = Path(__file__).resolve().parent / "polling" / "polling.c"
WAYS = ("epoll", "uring")
PACED_RPS = 10_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of the sketch."""

    cpu_us: float  # a request
    rate_rps: float
    wakes: float | None  # a request
    lag_us_p50: float
    lag_us_p99: float


def build(folder: Path) -> Path:
    """Compiles the sketch."""
    compiler = shutil.which("cc")
    program = folder / "polling"
    if compiler is None:
        raise SystemExit("error: cc: not found, a C compiler is expected; apt-get install gcc")
    folder.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", "-Wall", "-o", str(program), str(SOURCE), "-luring"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        raise SystemExit(f"error: {SOURCE.name}: needs liburing-dev (2.3 or later)\n{built.stderr}")
    return program


def sample(program: Path, way: str, port: int, path: str, rate_rps: int, seconds: int) -> Sample:
    """One run, pinned to the generators' processor."""
    words = [way, str(port), path, str(rate_rps), str(seconds), str(gen.CONNECTIONS)]
    text, _ = gen.ran([str(program), *words])
    found = json.loads(text)
    return Sample(
        cpu_us=found["cpu_s"] * 1e6 / found["requests"],
        rate_rps=found["requests"] / seconds,
        wakes=found["wakes"] / found["requests"],
        lag_us_p50=found["lag_ns_p50"] / 1e3,
        lag_us_p99=found["lag_ns_p99"] / 1e3,
    )


def whole_engine(binary: Path, url: str, rate_rps: int, seconds: int) -> Sample:
    """The engine itself beside the sketch: everything it does for a request, its own grain."""
    events = list(gen.engine_events(binary, gen.plan(url, rate_rps, seconds)))
    every = [event for event in events if event["event"] == "second"]
    requests = sum(second["completed"] for second in every)
    lag = gen.merged(every, "own_fault_lag")
    return Sample(
        cpu_us=events[-1]["cpu_s"] * 1e6 / requests,
        rate_rps=requests / seconds,
        wakes=None,
        lag_us_p50=lag.get_value_at_percentile(50) / 1e3,
        lag_us_p99=lag.get_value_at_percentile(99) / 1e3,
    )


def compare(program: Path, url: str, rate_rps: int, args: argparse.Namespace) -> None:
    """Prints the medians of the pairs, and of their ratios."""
    address, path = url.removeprefix("http://").split("/", 1)
    port = int(address.rpartition(":")[2])
    engine = args.build / "loadgen/pausemark-engine"
    ways: dict[str, Callable[[], Sample]] = {
        way: functools.partial(sample, program, way, port, f"/{path}", rate_rps, args.seconds)
        for way in WAYS
    }
    if rate_rps and engine.is_file():
        ways["the engine"] = functools.partial(whole_engine, engine, url, rate_rps, args.seconds)
    samples: dict[str, list[Sample]] = {way: [] for way in ways}
    for pair in range(args.pairs):
        for way in ways if pair % 2 == 0 else reversed(ways):
            samples[way].append(ways[way]())
        told = (f"{way} {found[-1].cpu_us:.2f} us" for way, found in samples.items())
        print(f"pair {pair + 1}: " + ", ".join(told), file=sys.stderr)
    print("| | CPU us a request | requests a second | waits a request | lag P50 | P99 |")
    print("|---|---|---|---|---|---|")
    for way, found in samples.items():
        cells = [f"{statistics.median(one.cpu_us for one in found):.2f}"]
        cells += [f"{statistics.median(one.rate_rps for one in found):,.0f}"]
        wakes = [one.wakes for one in found if one.wakes is not None]
        cells += [f"{statistics.median(wakes):.2f}" if wakes else "not counted"]
        for name in ("lag_us_p50", "lag_us_p99"):
            lag = statistics.median(getattr(one, name) for one in found)
            cells += [f"{lag:.0f} us" if rate_rps else "-"]
        print(f"| {way} | {' | '.join(cells)} |")
    print()
    for way in list(ways)[1:]:
        pairs = zip(samples[way], samples["epoll"], strict=True)
        ratios = [one.cpu_us / epoll.cpu_us for one, epoll in pairs]
        low, high = min(ratios), max(ratios)
        told = f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"
        print(f"CPU by {way}, times that of the sketch by epoll: {told}")
    print()


def main() -> None:
    """Runs both ways at a fixed rate and flat out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--build", type=Path, default=server.ROOT / "build", help="what make build left"
    )
    parser.add_argument("--port", type=int, default=29_482)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    program = build(args.build / "benchmarks")
    what = server.command(args.port, args.build)
    with server.running(what, args.port) as url, server.tuned() as held:
        print(f"tuned: {held}\n\n== paced at {PACED_RPS:,} RPS\n")
        compare(program, url, PACED_RPS, args)
        print("== as fast as answers come\n")
        compare(program, url, 0, args)


if __name__ == "__main__":
    main()
