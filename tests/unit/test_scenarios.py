"""Scenarios are refused with the line and key of every fault, by the rules that the engine has."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any

import pytest

from harness.drivers import manifests
from harness.drivers.load import _without_none
from harness.errors import UsageError
from harness.model import scenario_rules, toml_lines
from harness.model.manifest import LognormalSize, Objects, TableSize
from harness.stats import workload

ROOT = Path(__file__).parents[2]
CASES: dict[str, Any] = json.loads(
    (ROOT / "loadgen" / "engine" / "tests" / "scenarios.json").read_text(encoding="utf-8")
)


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """The good scenario with these changes; None takes a key out."""
    document: dict[str, Any] = copy.deepcopy(CASES["base"])
    for pointer, value in changes.items():
        *parents, key = pointer.split("/")[1:]
        table: Any = document
        for parent in parents:
            table = table[int(parent) if isinstance(table, list) else parent]
        if isinstance(table, list):
            table[int(key)] = value
        elif value is None:
            del table[key]
        else:
            table[key] = value
    return document


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: json.dumps(case["set"])[:60])
def test_the_engine_and_the_harness_have_the_same_rules(case: dict[str, Any]) -> None:
    found = [fault.key for fault in scenario_rules.faults(changed(case["set"]))]
    assert found == ([case["wrong"]] if case["wrong"] else [])


def test_every_fault_is_told_with_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        """# a comment with [brackets] and an = sign
schema = 1
name = "bad"
title = \'\'\'
count = 3
\'\'\'

[objects]
bucket = "Bad Bucket"
"count" = 0
key = "object-{index}"

[objects.size]
distribution = "table"
rows = [
    [1024, 1],  # good
    [0, 1],
]

[[operations]]
name = "get"
weight = 1
status = 200

[[operations]]
name = "fetch"
weight = 1
status = 42
colour = "red"

[check]
digest_one_in = "all"
""",
        encoding="utf-8",
    )
    with pytest.raises(UsageError) as raised:
        manifests.read_scenario(path)
    error = raised.value
    told = [where.removeprefix(f"{path}:") for where, _ in ((error.where, error.what), *error.more)]
    assert told == [
        "9: objects.bucket",
        "10: objects.count",
        "17: objects.size.rows.1.0",
        "26: operations.1.name",
        "28: operations.1.status",
        "29: operations.1.colour",
        "32: check.digest_one_in",
    ]
    assert error.what == "expected 3 to 63 of a-z, 0-9, '-' and '.', got 'Bad Bucket'"


def test_what_is_missing_is_told_at_its_table(tmp_path: Path) -> None:
    path = tmp_path / "few.toml"
    path.write_text("schema = 1\nname = 'few'\ntitle = ''\n[objects]\ncount = 1\nkey = '{index}'\n")
    with pytest.raises(UsageError) as raised:
        manifests.read_scenario(path)
    assert raised.value.where == f"{path}:1: operations"
    assert [where for where, _ in raised.value.more] == [f"{path}:4: objects.bucket"]


def test_lines_of_inline_tables_and_dotted_keys() -> None:
    text = 'a.b = 1\nc = { d = [1,\n 2], "e" = {} }\n[f]\n[[f.g]]\nh = "x # y"\n'
    text += "[[f.g]]\nh = 2\n[f.g.i]\nj = 1\n"
    found = toml_lines.lines(text)
    expected = {
        ("a", "b"): 1, ("c", "d"): 2, ("c", "d", 1): 3, ("c", "e"): 3, ("f",): 4,
        ("f", "g", 0, "h"): 6, ("f", "g", 1): 7, ("f", "g", 1, "h"): 8, ("f", "g", 1, "i", "j"): 10,
    }  # fmt: skip
    assert {path: found.get(path) for path in expected} == expected
    assert toml_lines.line_of(found, ("f", "g", 1, "k")) == 7


def test_a_backend_is_refused_with_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "zig"
    folder.mkdir()
    path = folder / "backend.toml"
    path.write_text("schema = 1\nname = 'zig'\ntitle = 1\n")
    with pytest.raises(UsageError) as raised:
        manifests.read_backend(folder)
    assert raised.value.where == f"{path}:3"


def test_the_shipped_scenarios_are_right_and_named_by_their_file() -> None:
    found = manifests.find_scenarios(ROOT / "loadgen" / "scenarios")
    assert found
    for name, path in found.items():
        assert manifests.read_scenario(path).name == name


def test_the_engine_gets_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "all.toml"
    path.write_text(
        """
schema = 1
name = "all"
title = "t"
needs = ["list-v2"]
[objects]
bucket = "bench"
count = 10
key = "{group}/{index}"
group = 5
churn = 4
[objects.size]
distribution = "lognormal"
median_bytes = 50
sigma = 1
min_bytes = 1
max_bytes = 100
[[operations]]
name = "list"
weight = 1
status = 200
keys = 7
prefix = "{group}/"
[[operations]]
name = "put"
weight = 1
status = 200
[[operations]]
name = "delete"
weight = 1
status = 204
[preload]
parallel = 3
"""
    )
    assert _without_none(manifests.read_scenario(path)) == {
        "schema": 1,
        "name": "all",
        "title": "t",
        "needs": ["list-v2"],
        "objects": {
            "bucket": "bench",
            "count": 10,
            "key": "{group}/{index}",
            "size": {
                "distribution": "lognormal",
                "median_bytes": 50,
                "sigma": 1.0,
                "min_bytes": 1,
                "max_bytes": 100,
            },
            "group": 5,
            "churn": 4,
            "popularity": "uniform",
        },
        "operations": [
            {"name": "list", "weight": 1, "status": 200, "keys": 7, "prefix": "{group}/"},
            {"name": "put", "weight": 1, "status": 200},
            {"name": "delete", "weight": 1, "status": 204},
        ],
        "check": {"digest_one_in": 0},
        "preload": {"parallel": 3},
    }


def test_what_objects_hold_follows_from_their_sizes() -> None:
    lognormal = LognormalSize(median_bytes=65_536, sigma=1.5, min_bytes=512, max_bytes=8 << 20)
    draws = NormalDist(math.log(65_536), 1.5).samples(200_000, seed=3)
    drawn = fmean(min(max(math.exp(draw), 512), 8 << 20) for draw in draws)
    objects = Objects("bench", 10, "{index}", size=lognormal)
    assert workload.mean_bytes(objects) == pytest.approx(drawn, rel=0.02)
    table = Objects("bench", 10, "{index}", size=TableSize([(10, 3), (100, 1)]))
    assert workload.mean_bytes(table) == 32.5
