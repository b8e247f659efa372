"""Dividing a plan among Locust's workers, and merging what their engines report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

sys.path.insert(0, str(Path(__file__).parents[2] / "loadgen" / "locust"))
from engine_plan import (
    Seconds,
    decode,
    merge_done,
    merge_histograms,
    recorded,
    shares,
    with_credentials,
    with_drawn_keys,
)

PLAN = {
    "rate_rps": 10_000.0,
    "connections": 64,
    "records_path": "/r/requests.bin",
    "seed": 1,
    "cpus": [0, 1, 2],
}


def _encoded(values: list[int]) -> str:
    histogram = HdrHistogram(1, 60_000_000_000, 3)
    for value in values:
        histogram.record_value(value)
    return str(histogram.encode().decode("ascii"))


def _second(index: int, values: list[int], **errors: int) -> dict[str, Any]:
    return {
        "event": "second",
        "index": index,
        "offered": len(values),
        "completed": len(values),
        "errors": errors,
        "histograms": {"response": _encoded(values)},
    }


def test_shares_add_up_and_shift_their_phase() -> None:
    found = shares(PLAN, ["a", "b", "c"])
    assert sum(share["rate_rps"] for share in found.values()) == 10_000
    assert sum(share["connections"] for share in found.values()) == 64
    assert [share["share"] for share in found.values()] == [
        {"index": index, "count": 3} for index in range(3)
    ]
    assert len({share["records_path"] for share in found.values()}) == 3


def test_steps_and_ramps_are_divided_and_keep_their_length() -> None:
    part = {"from_rps": 3000.0, "to_rps": 9000.0, "duration_s": 10.0}
    for share in shares({**PLAN, "parts": [part]}, ["a", "b", "c"]).values():
        assert share["parts"] == [{"from_rps": 1000.0, "to_rps": 3000.0, "duration_s": 10.0}]


def test_one_worker_gets_the_plan_as_it_is() -> None:
    assert shares(PLAN, ["a"])["a"] == {**PLAN, "share": {"index": 0, "count": 1}}


def test_more_workers_than_connections_are_refused() -> None:
    with pytest.raises(ValueError, match="3 workers cannot share 2 connections"):
        shares({**PLAN, "connections": 2}, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("cpus", "workers", "here", "wanted"),
    [
        ([0, 1, 2, 3, 4], 2, None, [[0, 2, 4], [1, 3]]),
        ([0, 1, 2], 3, None, [[0], [1], [2]]),
        ([0], 3, None, [[0], [0], [0]]),
        ([0, 1], 3, 2, [[0], [1], []]),  # the third runs on a machine of its own
        ([], 2, None, [[], []]),
    ],
)
def test_cpus_are_dealt_out_to_the_workers_of_this_machine(
    cpus: list[int], workers: int, here: int | None, wanted: list[list[int]]
) -> None:
    found = shares({**PLAN, "cpus": cpus}, [str(n) for n in range(workers)], here)
    assert [share["cpus"] for share in found.values()] == wanted


def test_merged_histograms_are_the_sum_bucket_by_bucket() -> None:
    parts = [[1_000, 2_000, 70_000], [1_000, 5_000_000], [59_000_000_000]]
    merged = HdrHistogram.decode(merge_histograms([_encoded(part) for part in parts]))
    whole = HdrHistogram(1, 60_000_000_000, 3)
    for value in (value for part in parts for value in part):
        whole.record_value(value)
    found = [
        (i.value_iterated_to, i.count_at_value_iterated_to) for i in merged.get_recorded_iterator()
    ]
    wanted = [
        (i.value_iterated_to, i.count_at_value_iterated_to) for i in whole.get_recorded_iterator()
    ]
    assert found == wanted


def test_recorded_buckets_are_those_of_the_histograms_own_iterator() -> None:
    values = [1, 999, 53_127, 53_128, 1_048_576, 20_000_000, 20_000_001, 59_999_999_999]
    histogram = decode(_encoded(values))
    assert recorded(histogram) == [
        (i.value_iterated_to, i.count_at_value_iterated_to)
        for i in histogram.get_recorded_iterator()
    ]


def test_a_second_is_held_until_every_worker_reported_it() -> None:
    seconds = Seconds(["a", "b"])
    assert seconds.add("a", _second(0, [1_000], timeout=1)) == []
    (merged,) = seconds.add("b", _second(0, [2_000, 3_000], timeout=2, reset=1))
    assert merged["offered"] == 3
    assert merged["errors"] == {"timeout": 3, "reset": 1}
    assert merged["workers"] == 2


def test_a_lost_worker_is_not_waited_for() -> None:
    seconds = Seconds(["a", "b"])
    seconds.add("a", _second(0, [1_000]))
    (released,) = seconds.lose("b")
    assert released["workers"] == 1
    assert seconds.add("a", _second(1, [1_000]))[0]["index"] == 1


def test_done_events_merge_their_totals_and_operations() -> None:
    def done(values: list[int], wall_ns: int) -> dict[str, Any]:
        part = {"good": len(values), "errors": {"timeout": 1}, "response": _encoded(values)}
        totals = {**_second(0, values), "errors": {}}
        return {
            "event": "done",
            "totals": totals,
            "by_operation": {"get": part},
            "wall_ns": wall_ns,
        }

    merged = merge_done([done([1_000], 5), done([2_000, 3_000], 7)])
    assert merged["wall_ns"] == 7
    assert merged["totals"]["offered"] == 3
    assert merged["by_operation"]["get"]["good"] == 3
    assert merged["by_operation"]["get"]["errors"] == {"timeout": 2}


def test_keys_drawn_for_the_trial_travel_and_leave_the_plan_as_it_was() -> None:
    keys = {"access_key": "a", "secret_key": "s", "region": "r"}
    plan: dict[str, Any] = {**PLAN, "target": {"port": 1, "credentials": "environment"}}
    told = with_drawn_keys(plan, {"PAUSEMARK_DRAWN_KEYS": json.dumps(keys)})
    assert told["target"] == {"port": 1, "credentials": keys}
    assert with_credentials(told, {}) == told, "a worker needs none of its own"
    assert plan["target"]["credentials"] == "environment"
    assert with_drawn_keys(plan, {"PAUSEMARK_DRAWN_KEYS": "", "AWS_ACCESS_KEY_ID": "a"}) == plan


def test_a_worker_signs_with_its_own_keys_and_says_which_is_missing() -> None:
    assert with_credentials(PLAN, {}) == PLAN
    plan = {**PLAN, "target": {"port": 1, "credentials": "environment"}}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    found = with_credentials(plan, keys)["target"]
    credentials = {"access_key": "a", "secret_key": "s", "region": "us-east-1"}
    assert found == {"port": 1, "credentials": credentials}
    assert plan["target"] == {"port": 1, "credentials": "environment"}
    with pytest.raises(KeyError, match="AWS_SECRET_ACCESS_KEY"):
        with_credentials(plan, {"AWS_ACCESS_KEY_ID": "a"})
