"""`make bench-ceilings`: GETs per core of every variant beside nginx, in alternating rounds."""

from __future__ import annotations

import random
import statistics
import sys

import click
from servers import Subject, running, variants
from wrk import gets

# As Debian configures it, which is what the targets were set against: a file is opened for each
# request and sent by sendfile.
NGINX = Subject("nginx", None, ("sendfile on;",))
# Told what suits one small file: it stays open, and goes out with the head.
NGINX_TUNED = Subject("nginx, tuned", None, ("sendfile off; open_file_cache max=1000;",))
# Per core against nginx as it comes, in the same round.
TARGETS = {
    "c/epoll": 1.4,
    "cpp/epoll": 1.4,
    "cpp/beast": 0.9,
    "rust/hyper": 1.3,
    "rust/mio": 1.4,
    "go/loop": 1.0,
    "go/nethttp": 0.65,
}
# C++ controlled is to do the same work as C: a difference is a bug of one of them.
TIE = ("cpp/epoll", "c/epoll", 0.05)


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seconds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--variant", "names", multiple=True, help="Only these, as c or cpp/epoll.")
def main(rounds: int, seconds: int, names: tuple[str, ...]) -> None:
    """Print a table of median ratios; exit 1 when a target is missed."""
    subjects = [NGINX, NGINX_TUNED, *variants(names)]
    rates: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        for subject in random.sample(subjects, len(subjects)):
            with running(subject) as server:
                gets(server, 1)
                load = gets(server, seconds)
            rates[subject.name].append(load.rate_per_core_rps)
            print(
                f"round {number + 1} {subject.name}: {load.rate_per_core_rps:,.0f}", file=sys.stderr
            )
    missed = _table(rates)
    sys.exit(1 if missed else 0)


def ratios(rates: dict[str, list[float]], one: str, other: str) -> list[float]:
    """Round by round: what one did of what the other did."""
    return [a / b for a, b in zip(rates[one], rates[other], strict=True)]


def _table(rates: dict[str, list[float]]) -> bool:
    print("| variant | GETs a second of CPU | of nginx, median (least to most) | target |")
    print("|---|---|---|---|")
    missed = False
    for name, seen in rates.items():
        against = ratios(rates, name, NGINX.name)
        middle, target = statistics.median(against), TARGETS.get(name)
        said = "-" if target is None else f"{target} {'met' if middle >= target else 'MISSED'}"
        missed = missed or said.endswith("MISSED")
        spread = f"{middle:.2f} ({min(against):.2f} to {max(against):.2f})"
        print(f"| {name} | {statistics.median(seen):,.0f} | {spread} | {said} |")
    return _tie(rates) or missed


def _tie(rates: dict[str, list[float]]) -> bool:
    one, other, allowed = TIE
    if not {one, other} <= rates.keys():
        return False
    middle = statistics.median(ratios(rates, one, other))
    missed = abs(middle - 1) > allowed
    print(
        f"\n{one} of {other}: {middle:.3f}, allowed {allowed:.0%}: {'MISSED' if missed else 'met'}"
    )
    return missed


if __name__ == "__main__":
    main()
