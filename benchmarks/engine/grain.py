"""What the grain trades: CPU a request against how late the engine sends; a table and a chart."""

from __future__ import annotations

import argparse
import html
import math
import signal
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import paced
import server

GRAINS_US = (1, 5, 10, 20, 50, 100, 200, 500, 1000)
RATE_RPS = 10_000.0
WIDTH, HEIGHT, MARGIN = 640, 340, 56


@dataclass(frozen=True, slots=True)
class Point:
    """Medians over the trials of one grain."""

    grain_us: int
    cpu_us: float  # a request
    lag_us_p50: float
    lag_us_p99: float


def measure(engine: Path, url: str, args: argparse.Namespace) -> list[Point]:
    """Every grain once a round, in turn, so that a bad minute falls on all."""
    trials: dict[int, list[paced.Paced]] = {grain: [] for grain in GRAINS_US}
    for number in range(args.rounds):
        for grain in GRAINS_US if number % 2 == 0 else reversed(GRAINS_US):
            one = paced.trial(engine, url, RATE_RPS, args.seconds, grain * 1000)
            print(f"round {number + 1}, grain {grain} us: {one or 'steal'}", file=sys.stderr)
            trials[grain] += [one] if one else []
    return [_point(grain, kept) for grain, kept in trials.items() if kept]


def _point(grain_us: int, kept: list[paced.Paced]) -> Point:
    def median(values: list[float]) -> float:
        return statistics.median(values)

    return Point(
        grain_us=grain_us,
        cpu_us=median([one.core_share for one in kept]) * 1e6 / RATE_RPS,
        lag_us_p50=median([one.lag_ns_p50 / 1e3 for one in kept]),
        lag_us_p99=median([one.lag_ns_p99 / 1e3 for one in kept]),
    )


def table(points: list[Point]) -> str:
    """Markdown."""
    head = "| grain | CPU us a request | own-fault lag P50 | P99 |\n|---|---|---|---|\n"
    rows = (
        f"| {p.grain_us} us | {p.cpu_us:.1f} | {p.lag_us_p50:.0f} us | {p.lag_us_p99:.0f} us |"
        for p in points
    )
    return head + "\n".join(rows)


def _line(points: list[Point], values: list[float], top: float) -> list[tuple[float, float]]:
    first, last = math.log(points[0].grain_us), math.log(points[-1].grain_us)
    width, height = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    return [
        (
            MARGIN + width * (math.log(point.grain_us) - first) / (last - first),
            HEIGHT - MARGIN - height * value / top,
        )
        for point, value in zip(points, values, strict=True)
    ]


def _curve(line: list[tuple[float, float]], name: str, dash: str, label: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="{name}"/>' for x, y in line)
    x, y = line[-1] if name == "lag" else line[0]
    anchor = "end" if name == "lag" else "start"
    return (
        f'<polyline points="{path}" class="{name}" fill="none" stroke-dasharray="{dash}"/>{dots}'
        f'<text x="{x:.1f}" y="{y - 10:.1f}" text-anchor="{anchor}">{html.escape(label)}</text>'
    )


def chart(points: list[Point]) -> str:
    """An SVG that reads on light and dark; two curves over the grain, each with its own top."""
    cpu = [point.cpu_us for point in points]
    lag = [point.lag_us_p99 for point in points]
    bottom = HEIGHT - MARGIN
    ticks = "".join(
        f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{point.grain_us}</text>'
        for point, (x, _) in zip(points, _line(points, cpu, max(cpu)), strict=True)
    )
    curves = _curve(
        _line(points, cpu, max(cpu) * 1.15), "cpu", "", f"CPU a request, {cpu[0]:.1f} us here"
    ) + _curve(_line(points, lag, max(lag) * 1.15), "lag", "6 4", f"lag P99, {lag[-1]:.0f} us here")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="What the grain trades: CPU a request against lag">'
        "<style>text{font:13px system-ui,sans-serif;fill:#555}.cpu{stroke:#0072b2}"
        ".lag{stroke:#d55e00}circle.cpu{fill:#0072b2}circle.lag{fill:#d55e00}"
        "@media(prefers-color-scheme:dark){text{fill:#bbb}.cpu{stroke:#56b4e9}"
        "circle.cpu{fill:#56b4e9}}</style>"
        f'<text x="{MARGIN}" y="20">What a coarser grain saves and costs at '
        f"{RATE_RPS:,.0f} RPS; both curves begin at 0.</text>"
        f'<line x1="{MARGIN}" y1="{bottom}" x2="{WIDTH - MARGIN}" y2="{bottom}" stroke="#888"/>'
        f'{ticks}<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">grain, us</text>'
        f"{curves}</svg>\n"
    )


def main() -> int:
    """Prints the table; writes the chart where `--chart` says."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that tuning is undone
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=server.ROOT / "build")
    parser.add_argument("--port", type=int, default=29_481)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--chart", type=Path, help="an SVG file to write")
    args = parser.parse_args()
    engine = args.build / "loadgen/pausemark-engine"
    command = server.command(args.port, args.build)
    with server.running(command, args.port) as url, server.tuned():
        points = measure(engine, url, args)
    if len(points) < 2:
        print("error: too few trials without steal; run it again", file=sys.stderr)
        return 1
    print(table(points))
    if args.chart:
        args.chart.write_text(chart(points))
    return 0


if __name__ == "__main__":
    sys.exit(main())
