"""Platform hiccups: what they count, and which stalls of the engine they explain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.model.trial import TrialData
from harness.model.verdict import Status
from harness.stages.collect import collect
from harness.stages.judge import judge
from harness.store.records import read_recording
from tests.unit import recordings
from tests.unit.recordings import SECOND, START

SECONDS, RATE = 20, 1000
INTERVAL = 2_000_000
USUAL = 60_000
READY = {"event": "ready", "interval_ns": INTERVAL}
BACKEND, ENGINE = recordings.LAYOUT.backend_cpus, recordings.LAYOUT.engine_cpus


def trial(
    folder: Path,
    hiccups: list[dict[str, Any]],
    *,
    stall: tuple[int, int] = (0, 0),
    probe_saw_ns: int | None = None,
) -> TrialData:
    """`stall`: in which second the engine stood still, how long; `probe_saw_ns`: of that."""
    recordings.write_facts(folder, SECONDS)
    intended = START + np.arange(RATE * SECONDS, dtype=np.int64) * (SECOND // RATE)
    begin, sent = START + stall[0] * SECOND + SECOND // 2, intended + 10_000
    stopped = (intended >= begin) & (intended < begin + stall[1])
    sent = np.where(stopped, begin + stall[1], sent)
    recordings.write_load(folder, intended, sent, sent + 100_000)
    if probe_saw_ns is not None:
        rows: list[tuple[object, ...]] = [(0, begin, begin + probe_saw_ns, 1, 0, 2, 0, b"")]
        recordings.write_stream(
            folder, "platform", "platform", recordings.PLATFORM_FIELDS, rows,
            {"kind": recordings.PLATFORM_KINDS, "role": {"1": "backend", "2": "engine"}},
        )  # fmt: skip
        recordings.write_probes(folder, "platform")
    if hiccups:
        text = "".join(json.dumps(line) + "\n" for line in hiccups)
        (folder / "hiccups.jsonl").write_text(text)
    return collect(read_recording(folder), judge).data


def seconds(
    late_ns: int = USUAL,
    *,
    at: int | None = None,
    cpus: list[int] | None = None,
    waited_ns: int | None = 7,
    offset_ns: int = 0,
) -> list[dict[str, Any]]:
    """A sleeper on each of `cpus`, two seconds before the measured part on; late in second `at`."""
    return [READY] + [
        {"event": "second", "cpu": cpu, "start_ns": START + second * SECOND + offset_ns,
         "end_ns": START + (second + 1) * SECOND + offset_ns, "waited_ns": waited_ns,
         "hiccups": recordings.encoded(_late(late_ns if at in (None, second) else USUAL, at))}
        for second in range(-2, SECONDS)
        for cpu in (BACKEND + ENGINE if cpus is None else cpus)
    ]  # fmt: skip


def _late(late_ns: int, at: int | None) -> np.ndarray[Any, np.dtype[np.int64]]:
    values = np.full(500, USUAL, np.int64)
    values[slice(None) if at is None else slice(1)] = late_ns
    return values


def reasons(data: TrialData) -> dict[str, Status]:
    return {reason.id: reason.status for reason in data.verdict.reasons}


def test_hiccups_count_in_the_measured_part_only(tmp_path: Path) -> None:
    lines = seconds(900_000)
    for line in lines[1:5]:
        line["hiccups"] = recordings.encoded(np.full(500, 50_000_000))
    quiet = trial(tmp_path, lines)
    assert quiet.hiccups is not None
    assert quiet.hiccups.by_role["engine"].count == 500 * SECONDS
    assert reasons(quiet) == {}
    assert reasons(trial(tmp_path, seconds(1_100_000))) == {"platform-hiccups": Status.DEGRADED}


def test_a_control_that_did_not_run_is_not_measured(tmp_path: Path) -> None:
    without = trial(tmp_path, [])
    assert without.hiccups is None
    assert "missing" in without.not_measured["hiccups"]
    refused = trial(tmp_path, [{"event": "error", "where": "--cpus", "what": "no"}])
    assert refused.not_measured["hiccups"] == "--cpus: no"
    half = trial(tmp_path, seconds(cpus=ENGINE))
    assert half.hiccups is not None
    assert list(half.hiccups.by_role) == ["engine"]
    assert "backend" in half.not_measured["hiccups.backend"]


@pytest.mark.parametrize(
    "line",
    [
        {"event": "ready"},
        {"event": "second", "cpu": 0},
        {"event": "second", "cpu": 0, "start_ns": 0, "end_ns": 1, "hiccups": "none"},
        {"event": "second", "cpu": None, "start_ns": 0, "end_ns": 1, "hiccups": ""},
    ],
)
def test_damaged_hiccups_are_a_reason(tmp_path: Path, line: dict[str, Any]) -> None:
    damaged = trial(tmp_path, [line])
    assert damaged.hiccups is None
    assert damaged.not_measured["hiccups"].startswith("hiccups.jsonl: event 1")


STALL = (7, 6_000_000)  # over 5 ms; not with a sleeper's 2 ms and its 4.2 ms taken off
SEEN = 4_200_000


@pytest.mark.parametrize("offset_ns", [0, 400_000_000])
def test_a_stall_that_the_sleeper_beside_it_had_too_is_the_machines(
    tmp_path: Path, offset_ns: int
) -> None:
    assert reasons(trial(tmp_path, [], stall=STALL)) == {"generator-stalled": Status.DEGRADED}
    seen = seconds(SEEN, at=7, offset_ns=offset_ns)
    assert reasons(trial(tmp_path, seen, stall=STALL)) == {}


@pytest.mark.parametrize(
    "hiccups",
    [
        seconds(),
        seconds(SEEN, at=9),
        seconds(SEEN, at=7, cpus=BACKEND),
        seconds(SEEN, at=7, waited_ns=None),
        seconds(900_000, at=7),
    ],
    ids=["none", "another second", "the backend's CPU", "waits not counted", "as usual"],
)
def test_nothing_else_explains_a_stall(tmp_path: Path, hiccups: list[dict[str, Any]]) -> None:
    found = reasons(trial(tmp_path, hiccups, stall=STALL))
    assert found == {"generator-stalled": Status.DEGRADED}


def test_beside_the_probe_the_sleeper_tells_the_stop_that_it_missed(tmp_path: Path) -> None:
    stalled = {"generator-stalled": Status.DEGRADED}
    seen = seconds(SEEN, at=7)
    assert reasons(trial(tmp_path, seconds(), stall=STALL, probe_saw_ns=1_000)) == stalled
    assert reasons(trial(tmp_path, seen, stall=STALL, probe_saw_ns=1_000)) == {}
    # 10 of 20 ms, seen by the probe and some of them by the sleeper, are taken off once.
    long = (STALL[0], 20_000_000)
    assert reasons(trial(tmp_path, seen, stall=long, probe_saw_ns=10_000_000)) == stalled


def test_a_stall_that_is_longer_than_the_sleepers_is_the_engines(tmp_path: Path) -> None:
    found = reasons(trial(tmp_path, seconds(SEEN, at=7), stall=(7, 12_000_000)))
    assert found == {"generator-stalled": Status.DEGRADED}
