"""`make bench-durability`: PUTs of 1 KiB by mode: batch beside ram, sync beside sync."""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
from servers import Subject, fail, running, variants
from wrk import puts

MODES = ("ram", "buffered", "batch", "sync")
BATCH_OF_RAM, SYNC_APART = 0.55, 0.15  # at least; at most, from the fastest language
SYNC_TRACK = "controlled"  # elsewhere the stacks differ, and one core has to carry them
LOG_BYTES_MAX = 16 << 30  # a log grows without compaction: what a short load writes must fit

YARDSTICK_S = 0.5
YARDSTICK_BYTES = 4096

Rates = dict[str, dict[str, list[float]]]  # by variant, by mode: PUTs a second, round by round
DISK = "sync of the disk"  # beside the modes: PUTs that sync over bare syncs before and after


@click.command()
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Of the modes but sync.",
)
@click.option(
    "--sync-rounds",
    type=click.IntRange(min=1),
    default=25,
    show_default=True,
    help="Of sync: on a shared disk fewer than twenty do not tell 15%.",
)
@click.option("--seconds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--variant", "names", multiple=True, help="Only these, as c or cpp/epoll.")
@click.option("--mode", "modes", multiple=True, type=click.Choice(MODES), help="Only these.")
@click.option("--folder", type=Path, help="Where logs lie: a file system on the device to judge.")
def main(
    rounds: int,
    sync_rounds: int,
    seconds: int,
    names: tuple[str, ...],
    modes: tuple[str, ...],
    folder: Path | None,
) -> None:
    """Print medians and ratios; exit 1 when batch or sync miss what is asked of them."""
    found = [one for one in variants(names) if one.backend and "durable" in one.backend.profiles]
    if not found:
        raise fail("no variant of these keeps its writes", "bench list shows who is durable")
    wanted = tuple(mode for mode in MODES if not modes or mode in modes)
    rates: Rates = {subject.name: defaultdict(list) for subject in found}
    of_mode = {mode: sync_rounds if mode == "sync" else rounds for mode in wanted}
    for number in range(max(of_mode.values())):
        for subject, mode in _order(found, [mode for mode in wanted if number < of_mode[mode]]):
            before = bare_syncs(folder) if mode == "sync" else 0.0
            rate = _rate(subject, mode, seconds, folder)
            rates[subject.name][mode].append(rate)
            said = f"round {number + 1} {subject.name} {mode}: {rate:,.0f}"
            if mode == "sync":
                bare = (before + bare_syncs(folder)) / 2
                rates[subject.name][DISK].append(rate / bare)
                said += f"; the disk alone {bare:,.0f}"
            print(said, file=sys.stderr)
    controlled = {one.name for one in found if one.backend and SYNC_TRACK in one.backend.tracks}
    sys.exit(1 if _table(rates, wanted, controlled) else 0)


def _order(found: list[Subject], wanted: list[str]) -> Iterator[tuple[Subject, str]]:
    """At random, but what is compared stays together: modes of a variant, and all that sync.

    The machine's other tenants come and go within a minute, and its disk's pace with them.
    """
    parts = [[(subject, mode) for mode in wanted if mode != "sync"] for subject in found]
    parts.append([(subject, "sync") for subject in found if "sync" in wanted])
    for part in random.sample(parts, len(parts)):
        yield from random.sample(part, len(part))


def _rate(subject: Subject, mode: str, seconds: int, folder: Path | None) -> float:
    assert subject.backend is not None
    extra = (f"--durability={mode}", f"--log-bytes-max={LOG_BYTES_MAX}")
    with running(Subject(subject.name, subject.backend, extra), folder) as server:
        puts(server, 1)
        return puts(server, seconds).rate_rps


def bare_syncs(folder: Path | None) -> float:
    """How often a second the disk syncs a page of a file of zeros, asked by nothing else.

    A disk that is shared is twice as fast in one minute as in the next: `sync` is compared as a
    share of this, measured just before and just after.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        os.pwrite(file.fileno(), bytes(YARDSTICK_BYTES), 0)
        os.fsync(file.fileno())
        count, begun_s = 0, time.monotonic()
        while (took_s := time.monotonic() - begun_s) < YARDSTICK_S:
            os.pwrite(file.fileno(), bytes(YARDSTICK_BYTES), 0)
            os.fdatasync(file.fileno())
            count += 1
        return count / took_s


def _table(rates: Rates, wanted: tuple[str, ...], controlled: set[str]) -> bool:
    """Medians, and whether a bar was missed; what was not asked for is blank."""
    print("| variant | ram | buffered | batch | sync | batch of ram | sync of the fastest sync |")
    print("|---|---|---|---|---|---|---|")
    judged = {"batch", "ram"} <= set(wanted), "sync" in wanted
    syncs = {name: statistics.median(r[DISK]) for name, r in rates.items() if r[DISK]}
    fastest = max(syncs.values(), default=1.0)
    missed = False
    for name, by_mode in rates.items():
        cells = [f"{statistics.median(by_mode[m]):,.0f}" if by_mode[m] else "" for m in MODES]
        batch = [batch / ram for batch, ram in zip(by_mode["batch"], by_mode["ram"], strict=False)]
        share = statistics.median(batch) if judged[0] else None
        missed = missed or (share is not None and share < BATCH_OF_RAM)
        apart = syncs[name] / fastest if judged[1] else None
        cells += ["" if value is None else f"{value:.2f}" for value in (share, apart)]
        print(f"| {name} | {' | '.join(cells)} |")
    alike = {name: sync for name, sync in syncs.items() if name in controlled}
    allowed = (1 - SYNC_APART) * max(alike.values(), default=0.0)
    missed = missed or any(sync < allowed for sync in alike.values())
    said = "MISSED" if missed else "met"
    bars = [f"batch at least {BATCH_OF_RAM} of ram"] if judged[0] else []
    if judged[1]:
        bars.append(
            f"sync, as a share of the disk's bare syncs, within {SYNC_APART:.0%} across languages "
            f"on the track {SYNC_TRACK} ({', '.join(sorted(alike))})"
        )
    print(f"\n{'; '.join(bars) or 'no bar was asked for'}: {said}")
    return missed


if __name__ == "__main__":
    main()
