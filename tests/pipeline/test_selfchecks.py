"""A load generator that misbehaves in a whole run is told by id, with the page that explains it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.model.verdict import Reason, Status, page_of
from tests.pipeline.conftest import Stage
from tests.pipeline.fakes import SECOND_NS, FakeHiccups, FakeLoad, Records


def judged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, act: Callable[[FakeLoad], None]
) -> dict[str, Reason]:
    """The reasons of the only trial of a run whose load generator was planted with a fault."""
    monkeypatch.setattr(FakeLoad, "script", staticmethod(act))
    stage.run()
    (trial,) = stage.only_run().trials()
    return {reason.id: reason for reason in trial.read_data().verdict.reasons}


def tampered(change: Callable[[Records], Records]) -> Callable[[FakeLoad], None]:
    return lambda load: setattr(load, "tamper", change)


def late(records: Records) -> Records:
    """Half a second of the measured part is sent at its end."""
    at = records["intended_ns"] - records["intended_ns"][3000]
    hit = at < SECOND_NS // 2
    hit &= records["intended_ns"] >= records["intended_ns"][3000]
    send = records["intended_ns"][3000] + SECOND_NS // 2
    for name in ("sent_ns", "first_byte_ns", "last_byte_ns"):
        records[name][hit] += send - records["intended_ns"][hit]
    return records


def waiting(records: Records) -> Records:
    """Four connections at 1,000 RPS, of which each answer takes 4.5 ms."""
    free = [0] * 4
    for record in records:
        at = min(range(4), key=free.__getitem__)
        start = max(int(record["intended_ns"]), free[at])
        record["flags"] |= 1 if start > record["intended_ns"] else 0
        record["sent_ns"], record["connection"] = start + 1_000, at
        free[at] = start + 4_500_000
        record["first_byte_ns"] = record["last_byte_ns"] = free[at]
    return records


def test_an_engine_that_loses_a_slot_is_invalid(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judged(stage, monkeypatch, tampered(lambda records: np.delete(records, 4_000)))
    assert found["schedule-slots"].status is Status.INVALID
    assert "1 missing" in found["schedule-slots"].text


def test_an_engine_that_sends_in_a_heap_does_not_conform(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judged(stage, monkeypatch, tampered(late))
    assert found["schedule-nonconforming"].status is Status.DEGRADED
    assert "schedule-slots" not in found


def test_records_that_miss_a_tenth_break_littles_law(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judged(stage, monkeypatch, tampered(lambda records: records[records["connection"] > 0]))
    assert found["littles-law"].status is Status.INVALID


def test_a_pool_that_is_too_small_is_told_with_its_size(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judged(stage, monkeypatch, tampered(waiting))
    assert found["connections-exhausted"].status is Status.DEGRADED
    assert "--connections 5 would have been enough" in found["connections-exhausted"].text


@pytest.mark.parametrize(("wait_ms", "status"), [(10, None), (50, Status.DEGRADED)])
def test_a_busy_core_of_the_engine(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, wait_ms: int, status: Status | None
) -> None:
    def act(load: FakeLoad) -> None:
        for index in range(10):
            line = {"event": "second", "index": index, "runqueue_ns": wait_ms * 1_000_000}
            load.at(load.start_ns + (index + 1) * SECOND_NS, line)

    reason = judged(stage, monkeypatch, act).get("generator-runqueue")
    assert (reason.status if reason else None) is status


def test_the_terminal_names_the_page_of_each_id_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeLoad, "script", staticmethod(lambda load: setattr(load, "wrong", 5)))
    finished = stage.run("--repeat", "2")
    assert finished.stderr.count("backend-wrong: ") == 2
    assert finished.stderr.count(f"what it means: {page_of('backend-wrong')}") == 1


def test_a_platform_that_wakes_nobody_is_told_beside_the_response_times(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeHiccups, "late_ns", {1: 3_000_000})  # CPU 1 is the backend's
    finished = stage.run()
    assert (
        "platform hiccups: backend's CPUs P99 3.00 ms, P99.9 too few, max 3.00 ms"
        in finished.stderr
    )
    assert "engine's CPUs P99 50.0 µs" in finished.stderr
    (trial,) = stage.only_run().trials()
    (reason,) = trial.read_data().verdict.reasons
    assert (reason.id, reason.status) == ("platform-hiccups", Status.DEGRADED)
    assert "the backend's CPU 1 woke 3.00 ms late" in reason.text
    page = stage.only_run().report.read_text(encoding="utf-8")
    assert "P99 hiccups" in page


def test_a_quiet_platform_is_no_reason(stage: Stage) -> None:
    stage.run()
    (trial,) = stage.only_run().trials()
    data = trial.read_data()
    assert data.verdict.reasons == []
    assert data.hiccups is not None
    assert data.hiccups.waited_is_off
    assert data.hiccups.by_role["backend"].p99 == pytest.approx(50_000, rel=0.001)
