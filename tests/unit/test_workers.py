"""Trials whose load came from several workers: records, histograms, and what a lost one owes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from harness.model.collected import Collected
from harness.model.recording import FLAG_BACKLOG
from harness.model.verdict import Status
from harness.stages.collect import collect
from harness.stages.judge import judge
from harness.store.records import read_recording
from tests.unit import recordings
from tests.unit.recordings import SECOND, START

SECONDS = 10
RATE = 500  # of each worker


def _collected(folder: Path) -> Collected:
    return collect(read_recording(folder), judge)


def _write_worker(folder: Path, index: int, *, service_ns: int, seconds: int = SECONDS) -> None:
    step = SECOND // RATE
    intended = START + index * step // 2 + np.arange(RATE * seconds, dtype=np.int64) * step
    name = f"requests.bin.{index}" if index else "requests.bin"
    recordings.write_load(folder, intended, intended, intended + service_ns, name=name)


def _encoded(value: int, count: int) -> str:
    histogram = HdrHistogram(1, 60 * SECOND, 3)
    histogram.record_value(value, count)
    return str(histogram.encode().decode("ascii"))


def _write_done(folder: Path, completed: int, lost: list[dict[str, Any]]) -> None:
    offered = completed + sum(one["planned"] - one["offered"] for one in lost)
    kinds = ("response", "service", "own_fault_lag", "backlog_lag")
    totals = {
        "offered": offered, "sent": completed, "completed": completed, "good": completed,
        "errors": {}, "bytes_in": 0, "bytes_out": 0,
        "histograms": dict.fromkeys(kinds, _encoded(200_000, completed)),
    }  # fmt: skip
    done = {"event": "done", "totals": totals, "lost": lost}
    (folder / "engine.jsonl").write_text(json.dumps(done) + "\n")


def test_the_records_of_all_workers_are_read_together(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS, collector="none", workers=2)
    _write_worker(tmp_path, 0, service_ns=100_000)
    _write_worker(tmp_path, 1, service_ns=300_000)
    requests = read_recording(tmp_path).requests
    assert requests is not None
    assert len(requests) == 2 * RATE * SECONDS
    assert np.all(np.diff(requests.intended_ns) > 0), "their schedules interleave"
    fast = requests.last_byte_ns - requests.intended_ns == 100_000
    assert set(requests.connection[fast]) == {0, 1, 2, 3}
    assert set(requests.connection[~fast]) == {4, 5, 6, 7}
    data = _collected(tmp_path).data
    assert data.latency is not None
    assert data.latency.response.count == 2 * RATE * SECONDS
    assert (data.latency.response.p50, data.latency.response.max) == (100_000, 300_000)


def test_backlog_is_split_on_each_workers_own_connections(tmp_path: Path) -> None:
    """With numbers that met, the other worker's answer would look like the one waited for."""
    recordings.write_facts(tmp_path, 1, collector="none", workers=2)
    for index, waited_ns in enumerate((0, 900_000)):
        intended = START + np.array([0, 1_000_000], np.int64)
        sent = intended + np.array([0, waited_ns], np.int64)
        ends = np.array([START + 1_000_000 + waited_ns, sent[1] + 100_000], np.int64)
        recordings.write_load(
            tmp_path, intended, sent, ends, backlog=np.array([0, FLAG_BACKLOG], np.int64),
            name=f"requests.bin.{index}" if index else "requests.bin",
        )  # fmt: skip
        path = tmp_path / (f"requests.bin.{index}" if index else "requests.bin")
        head = path.read_bytes()
        # both of one worker on its connection 0
        body = bytearray(head[4096:])
        body[32:34] = body[72:74] = (0).to_bytes(2, "little")
        path.write_bytes(head[:4096] + body)
    latency = _collected(tmp_path).data.latency
    assert latency is not None
    assert latency.own_fault_lag.max == 0
    assert latency.backlog_lag.max == 900_000


def test_a_missing_file_of_one_worker_is_said(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS, collector="none", workers=2)
    _write_worker(tmp_path, 0, service_ns=100_000)
    data = _collected(tmp_path).data
    assert "requests.bin.1 is missing" in data.not_measured["requests"]


def test_load_of_other_machines_is_observed_only_and_says_so(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS, collector="none", workers=1, workers_elsewhere=2)
    _write_worker(tmp_path, 0, service_ns=100_000)  # a third of the load: never taken for all
    _write_done(tmp_path, 15_000, [])
    data = _collected(tmp_path).data
    assert data.latency is not None
    assert data.latency.response.count == 15_000
    assert data.latency.clean.response is None
    assert data.latency.clean.withheld == (
        "observed only: the load came from 2 other machines, where no probe watches"
    )
    assert "2 of 3 workers ran on other machines" in data.not_measured["requests"]


@pytest.mark.parametrize(
    ("completed", "status"),
    [(4_900, Status.DEGRADED), (2_500, Status.INVALID), (4_999, Status.DEGRADED)],
)
def test_a_lost_worker_is_charged_with_what_it_owes(
    tmp_path: Path, completed: int, status: Status
) -> None:
    recordings.write_facts(tmp_path, SECONDS, collector="none", workers=2)
    _write_worker(tmp_path, 0, service_ns=200_000)
    _write_worker(tmp_path, 1, service_ns=200_000, seconds=5)
    one = {"name": "here-2", "why": "its processes ended", "planned": 5_000,
           "offered": completed, "completed": completed}  # fmt: skip
    _write_done(tmp_path, 5_000 + completed, [one])
    data = _collected(tmp_path).data
    assert data.load is not None
    assert data.load.offered == 10_000
    (reason,) = (r for r in data.verdict.reasons if r.id == "worker-lost")
    assert reason.status is status
    assert reason.who == "worker here-2"
    assert reason.value == (5_000 - completed) / 10_000
    assert "its processes ended" in reason.text
    assert "rate-missed" not in {r.id for r in data.verdict.reasons}
