"""Five kills of a writing server, a mode after the other on one log; `make crash` does 200."""

from __future__ import annotations

import random
from pathlib import Path

from tests.durability.crash import rounds
from tests.durability.kit import MODES, Fleet
from tests.durability.workload import History, Operation

MODES_OF_CI = [*MODES, MODES[0]]


def test_every_answer_survives_a_kill(fleet: Fleet, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")  # noqa: T201 pytest shows it when the test fails
    assert rounds(fleet, tmp_path, MODES_OF_CI, seed) >= 50


def test_a_history_explains_prefixes_only() -> None:
    known = {"a": "0", "b": None}
    operations = [Operation("a", "1", 1, 2), Operation("b", "2", 3, 4), Operation("a", "3", 5)]
    history = History(known, operations)
    assert history.explains({"a": "1", "b": "2"}) is None
    assert history.explains({"a": "3", "b": "2"}) is None
    assert history.explains({"a": "3", "b": None}) is not None  # the second was answered
    assert history.explains({"a": "1", "b": None}) is not None
    assert history.explains({"a": "1", "b": None}, at_s=3.5) is None
    assert history.explains({"a": "3", "b": "2"}, at_s=3.5) is not None  # not sent yet
