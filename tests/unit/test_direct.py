"""`bench load` puts away what it made: always, and without hiding what went wrong first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import direct
from harness.drivers.load import Target, engine_plan
from harness.errors import LoadFailed
from harness.model.direct import Asked
from harness.stages.plan import make_plan

TARGET = Target(address="127.0.0.1", port=9000, bucket="make")


class Engine:
    """Answers the verbs that are not named as failing."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.asked: list[tuple[str, str]] = []

    def ask(
        self, program: Path, verb: str, plan: dict[str, Any], signing: object
    ) -> dict[str, Any]:
        self.asked.append((verb, plan["bucket"]))
        if verb in self.failing:
            raise LoadFailed("engine", f"{verb} failed", hint="none")
        return {}


def drive(engine: Engine, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setattr(direct, "ask_engine", engine.ask)
    plain = Asked(
        rate_rps=10,
        duration_s=1,
        warmup_s=0,
        connections=1,
        grain_ns=1000,
        tune="off",
        scenario=direct.ONE_PATH,
    )
    asked = msgspec.structs.replace(plain, **changes)
    plan = make_plan(direct._request(asked), cpus=[0], created_utc="", version="0")
    with direct._objects(plan, TARGET, asked, Path("build"), lambda _: None):
        engine.asked.append(("measure", ""))
        if "measure" in engine.failing:
            raise KeyboardInterrupt


def test_what_was_made_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    drive(engine, monkeypatch)
    verbs = [("bucket", "new"), ("preload", "none"), ("measure", ""), ("cleanup", "make")]
    assert engine.asked == verbs


def test_a_bucket_of_somebody_else_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    drive(engine, monkeypatch, into_existing=True)
    assert engine.asked == [("preload", "none"), ("measure", ""), ("cleanup", "none")]


def test_objects_stay_where_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    drive(engine, monkeypatch, keep_objects=True)
    assert [verb for verb, _ in engine.asked] == ["bucket", "preload", "measure"]


def test_the_first_failure_is_told_and_not_that_of_putting_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine("preload", "cleanup")
    with pytest.raises(LoadFailed, match="preload failed"):
        drive(engine, monkeypatch)
    assert engine.asked[-1] == ("cleanup", "make")


def test_an_interrupt_puts_away_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("measure")
    with pytest.raises(KeyboardInterrupt):
        drive(engine, monkeypatch)
    assert engine.asked[-1] == ("cleanup", "make")


def test_a_failing_cleanup_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LoadFailed, match="cleanup failed"):
        drive(Engine("cleanup"), monkeypatch)


def test_the_protocol_asked_for_is_the_plans() -> None:
    asked = Asked(
        rate_rps=10,
        duration_s=1,
        warmup_s=0,
        connections=1,
        grain_ns=1000,
        tune="off",
        protocol="h2c",
        streams=8,
    )
    plan = make_plan(direct._request(asked), cpus=[0], created_utc="", version="0")
    told = engine_plan(plan, plan.trials[0], target=TARGET, records=None)
    assert (told["protocol"], told["pipeline"], told["streams"]) == ("h2c", 1, 8)
