"""A minute of the random stream over every variant, and proof that it finds what differs."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from tests.contract.servers import REPOSITORY, Backend, discover
from tests.differential.fleet import comparable
from tests.differential.rounds import play

FIRST_SEED = 1
SECONDS = float(os.environ.get("PAUSEMARK_DIFFERENTIAL_S", "60"))
ENOUGH = 1 << 30
OPERATIONS_MIN = 1000  # a round is begun and played to its end, some 3000, however slow the machine


def all_variants() -> Sequence[Backend]:
    return comparable(list(discover([REPOSITORY / "backends"])))


def test_every_variant_gives_the_same_answers() -> None:
    # The same streams every time: what fails is the change's; see `run.py` for others.
    played = play(
        [(backend, ()) for backend in all_variants()],
        first_seed=FIRST_SEED,
        operations=ENOUGH,
        seconds=SECONDS,
        processes=2,
    )
    assert not played.failure, played.failure
    assert played.operations >= OPERATIONS_MIN, "hardly anything was played"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_planted_difference_is_found_and_shrunk(processes: int) -> None:
    one = all_variants()[0]
    planted = [(one, ()), (one, ("--object-bytes-max=99",))]
    played = play(planted, first_seed=1, operations=ENOUGH, seconds=60, processes=processes)
    stream = [line for line in played.failure.splitlines() if line.startswith("  PUT")]
    assert len(stream) == 1, "one PUT shows it"
    assert "EntityTooLarge" in played.failure
