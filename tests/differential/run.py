"""`make differential`: a long stream over all variants, and what it came to."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from tests.contract.servers import REPOSITORY, discover
from tests.differential.fleet import common_profiles, comparable
from tests.differential.rounds import play


@click.command()
@click.option("--operations", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--seconds", type=click.IntRange(min=1), default=3600, show_default=True)
@click.option("--seed", "first_seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--processes", type=click.IntRange(min=1, max=64), default=1, show_default=True)
@click.option("--backend", "names", multiple=True, help="Only these backends, by name.")
@click.option("--backends-dir", type=Path, default=REPOSITORY / "backends")
def main(
    operations: int,
    seconds: int,
    first_seed: int,
    processes: int,
    names: Sequence[str],
    backends_dir: Path,
) -> None:
    """Play seeded streams until so many operations or seconds; exit 1 with the shortest stream."""
    found = [b for b in discover([backends_dir]) if not names or b.manifest["name"] in names]
    backends = comparable(found)
    if len(backends) < 2:
        raise click.UsageError(f"two variants or more, found {[b.name for b in backends]}")
    profiles = sorted(common_profiles(backends))
    click.echo(f"{', '.join(b.name for b in backends)}; profiles {profiles}", err=True)
    began_s = time.monotonic()
    played = play(
        [(backend, ()) for backend in backends],
        first_seed=first_seed,
        operations=operations,
        seconds=seconds,
        processes=processes,
    )
    if played.failure:
        click.echo(played.failure, err=True)
        sys.exit(1)
    rate = played.operations / (time.monotonic() - began_s)
    click.echo(
        f"{played.operations} operations, each to {len(backends)} variants, {played.rounds} seeds "
        f"from {first_seed} on: no difference; {rate:.0f} operations a second"
    )


if __name__ == "__main__":
    main()
