"""A minute of the random stream over every variant, and proof that it finds what differs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest

from tests.contract.servers import REPOSITORY, Backend, discover
from tests.differential.fleet import common_profiles, comparable, judged
from tests.differential.judge import DifferenceError
from tests.differential.run import play_round

FIRST_SEED = 1
SECONDS = float(os.environ.get("PAUSEMARK_DIFFERENTIAL_S", "60"))


def all_variants() -> Sequence[Backend]:
    return comparable(list(discover([REPOSITORY / "backends"])))


def test_every_variant_gives_the_same_answers() -> None:
    backends = all_variants()
    ends_s = time.monotonic() + SECONDS
    seed = FIRST_SEED  # the same streams every time: what fails is the change's; see `run.py`
    with judged([(backend, ()) for backend in backends]) as judge:
        while time.monotonic() < ends_s:
            try:
                play_round(judge, common_profiles(backends), seed)
            except DifferenceError as error:
                pytest.fail(f"seed {seed}: {error}\n" + "\n".join(error.__notes__))
            seed += 1


def test_a_planted_difference_is_found_and_shrunk() -> None:
    one = all_variants()[0]
    planted = [(one, ()), (one, ("--object-bytes-max=99",))]
    with judged(planted) as judge, pytest.raises(DifferenceError) as found:
        play_round(judge, frozenset(), 1)
    stream = [line for line in found.value.__notes__ if line.startswith("  ")]
    assert len(stream) == 1, "one PUT shows it"
    assert "EntityTooLarge" in str(found.value)
