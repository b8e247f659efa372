"""`bench capacity` with everything real, against a store whose capacity is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness.model.capacity import Answer
from harness.store import run_folder
from tests.e2e.conftest import ROOT, Bench

pytestmark = pytest.mark.e2e
# Few objects: putting them takes 2 ms each.
SCENARIO = """
schema = 1
name = "few"
title = "Few objects, GET"
[objects]
bucket = "bench"
count = 50
size_bytes = 128
key = "object-{index}"
[[operations]]
name = "get"
weight = 1
status = 200
"""
# Four connections, each held for 2 ms or more a request.
LIMIT_RPS = 4 / 0.002


def test_a_known_capacity_is_bracketed(bench: Callable[..., Bench], tmp_path: Path) -> None:
    scenario = tmp_path / "few.toml"
    scenario.write_text(SCENARIO)
    one = bench(
        *["capacity", "--slo", "p50=20ms", "--json", "--scenario", str(scenario)],
        *["--backends-dir", str(ROOT / "tests" / "backends"), "--backend", "delayed/late"],
        *["--runtime", "process", "--connections", "4", "--from", "600", "--to", "9600"],
        *["--resolution", "100", "--trial", "2s", "--duration", "3s", "--warmup", "0.5s"],
        *["--probes", "off", "--tune", "off", "--no-calibrate"],
    )
    code = one.end()
    document = json.loads(one.stdout)
    (answer,) = document["answers"]
    # A machine that is busy with something else may end the search early, and then says so.
    invalid = msgspec.convert(answer, Answer).ended_invalid
    expected = 3 if invalid else 1 if answer["rate_rps"] is None else 0
    assert code == expected, one.stderr
    if code == 0:
        assert answer["state"] == "found"
        assert 600 <= answer["rate_rps"] <= LIMIT_RPS, answer
        assert answer["rate_rps"] < answer["broken_rps"] <= 2400
        assert any("P50" in why or "served" in why for why in answer["broke"]), answer
        assert answer["trials"][-1]["step"] == "confirm"
    for tried in answer["trials"]:
        folder = run_folder.open_run(one.output / document["folder"] / tried["run"])
        assert folder.report.is_file()
        assert tried["outcome"] != "kept" or tried["rate_rps"] <= LIMIT_RPS
    one.leaves_nothing()
