"""`make differential`: a long stream over all variants, and what it came to."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.contract.servers import REPOSITORY, Backend, discover
from tests.differential.fleet import common_profiles, comparable, judged
from tests.differential.judge import DifferenceError, Judge
from tests.differential.operations import Operation
from tests.differential.streams import streams

EXAMPLES_PER_ROUND = 500
SETTINGS = settings(
    max_examples=EXAMPLES_PER_ROUND,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@click.command()
@click.option("--operations", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--seconds", type=click.IntRange(min=1), default=3600, show_default=True)
@click.option("--seed", "first_seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--backend", "names", multiple=True, help="Only these backends, by name.")
@click.option("--backends-dir", type=Path, default=REPOSITORY / "backends")
def main(
    operations: int, seconds: int, first_seed: int, names: Sequence[str], backends_dir: Path
) -> None:
    """Play seeded streams until so many operations or seconds; exit 1 with the shortest stream."""
    found = [b for b in discover([backends_dir]) if not names or b.manifest["name"] in names]
    backends = comparable(found)
    if len(backends) < 2:
        raise click.UsageError(f"two variants or more, found {[b.name for b in backends]}")
    profiles = common_profiles(backends)
    click.echo(f"{', '.join(b.name for b in backends)}; profiles {sorted(profiles)}", err=True)
    ends_s = time.monotonic() + seconds
    with judged([(backend, ()) for backend in backends]) as judge:
        number = first_seed
        while judge.operation_count < operations and time.monotonic() < ends_s:
            try:
                play_round(judge, profiles, number)
            except DifferenceError as error:
                click.echo(f"seed {number}: {error}\n" + "\n".join(error.__notes__), err=True)
                sys.exit(1)
            number += 1
            _progress(backends, judge, number)
    click.echo(
        f"{judge.operation_count} operations, each to {len(backends)} variants, "
        f"seeds {first_seed} to {number - 1}: no difference"
    )


def _progress(backends: Sequence[Backend], judge: Judge, number: int) -> None:
    click.echo(f"{judge.operation_count} operations x {len(backends)}, seed {number}", err=True)


def play_round(judge: Judge, profiles: frozenset[str], number: int) -> None:
    """Some hundred streams of one seed; the failing one is shrunk before it is raised."""

    @seed(number)
    @SETTINGS
    @given(streams(profiles))
    def round_(stream: list[Operation]) -> None:
        try:
            judge.play(stream)
        except DifferenceError as error:
            error.add_note("the stream, after PUT of the first bucket:")
            for operation in stream:
                error.add_note(f"  {operation!r}")
            raise

    round_()


if __name__ == "__main__":
    main()
