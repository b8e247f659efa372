"""`make bench-durability`: PUTs of 1 KiB by mode: batch beside ram, sync beside sync."""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from servers import Subject, fail, running, variants
from wrk import puts

MODES = ("ram", "buffered", "batch", "sync")
BATCH_OF_RAM, SYNC_APART = 0.55, 0.15
SYNC_TRACK = "controlled"  # elsewhere the stacks differ, and one core has to carry them
LOG_BYTES_MAX = 16 << 30  # a log grows without compaction: what a short load writes must fit

Rates = dict[str, dict[str, list[float]]]  # by variant, by mode: PUTs a second, round by round


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seconds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--variant", "names", multiple=True, help="Only these, as c or cpp/epoll.")
@click.option("--folder", type=Path, help="Where logs lie: a file system on the device to judge.")
def main(rounds: int, seconds: int, names: tuple[str, ...], folder: Path | None) -> None:
    """Print medians and ratios; exit 1 when batch or sync miss what is asked of them."""
    found = [one for one in variants(names) if one.backend and "durable" in one.backend.profiles]
    if not found:
        raise fail("no variant of these keeps its writes", "bench list shows who is durable")
    rates: Rates = {subject.name: {mode: [] for mode in MODES} for subject in found}
    for number in range(rounds):
        for subject, mode in _order(found):
            rate = _rate(subject, mode, seconds, folder)
            rates[subject.name][mode].append(rate)
            print(f"round {number + 1} {subject.name} {mode}: {rate:,.0f}", file=sys.stderr)
    controlled = {one.name for one in found if one.backend and SYNC_TRACK in one.backend.tracks}
    sys.exit(1 if _table(rates, controlled) else 0)


def _order(found: list[Subject]) -> Iterator[tuple[Subject, str]]:
    """At random, but what is compared stays together: modes of a variant, and all that sync.

    The machine's other tenants come and go within a minute, and its disk's pace with them.
    """
    parts = [[(subject, mode) for mode in MODES if mode != "sync"] for subject in found]
    parts.append([(subject, "sync") for subject in found])
    for part in random.sample(parts, len(parts)):
        yield from random.sample(part, len(part))


def _rate(subject: Subject, mode: str, seconds: int, folder: Path | None) -> float:
    assert subject.backend is not None
    extra = (f"--durability={mode}", f"--log-bytes-max={LOG_BYTES_MAX}")
    with running(Subject(subject.name, subject.backend, extra), folder) as server:
        puts(server, 1)
        return puts(server, seconds).rate_rps


def _table(rates: Rates, controlled: set[str]) -> bool:
    print("| variant | ram | buffered | batch | sync | batch of ram | sync of the fastest sync |")
    print("|---|---|---|---|---|---|---|")
    middles = {name: {m: statistics.median(r[m]) for m in MODES} for name, r in rates.items()}
    fastest = max(middle["sync"] for middle in middles.values())
    missed = False
    for name, middle in middles.items():
        pairs = zip(rates[name]["batch"], rates[name]["ram"], strict=True)
        share = statistics.median(batch / ram for batch, ram in pairs)
        apart = middle["sync"] / fastest
        is_apart = name in controlled and apart < 1 - SYNC_APART
        missed = missed or share < BATCH_OF_RAM or is_apart
        cells = " | ".join(f"{middle[mode]:,.0f}" for mode in MODES)
        print(f"| {name} | {cells} | {share:.2f} | {apart:.2f} |")
    said = "MISSED" if missed else "met"
    print(
        f"\nbatch at least {BATCH_OF_RAM} of ram; sync within {SYNC_APART:.0%} on the track "
        f"{SYNC_TRACK} ({', '.join(sorted(controlled))}): {said}"
    )
    return missed


if __name__ == "__main__":
    main()
