"""Five kills of a writing server, a mode after the other on one log; `make crash` does 200."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.contract.servers import Backend
from tests.durability.crash import chosen, rounds
from tests.durability.kit import MODES, Fleet
from tests.durability.workload import History, Operation

MODES_OF_CI = [*MODES, MODES[0]]


def test_every_answer_survives_a_kill(fleet: Fleet, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")  # noqa: T201 pytest shows it when the test fails
    assert rounds(fleet, tmp_path, MODES_OF_CI, seed) >= 50


def test_every_durable_variant_is_killed_but_those_behind_a_front() -> None:
    variants: list[dict[str, Any]] = [
        {"name": "own"},
        {"name": "other"},
        {"name": "behind", "choices": {"front": "x"}},
    ]
    profiles = {"a": ["durable"], "b": ["durable"], "c": []}
    found = [
        Backend(Path(), {"name": name, "variants": variants, "profiles": own}, one["name"])
        for name, own in profiles.items()
        for one in variants
    ]
    assert [b.name for b in chosen(found, [])] == ["a/own", "a/other", "b/own", "b/other"]
    assert [b.name for b in chosen(found, ["b"])] == ["b/own", "b/other"]
    assert [b.name for b in chosen(found, ["other"])] == ["a/other", "b/other"]
    assert [b.name for b in chosen(found, ["b/own", "c"])] == ["b/own"]


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
