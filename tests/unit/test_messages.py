"""What another process sends: a damaged or hostile message is named, and takes nothing down."""

from __future__ import annotations

import base64
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from harness.drivers.load import failure_of

sys.path.insert(0, str(Path(__file__).parents[2] / "loadgen" / "locust"))
from members import Member
from messages import flaw_of_event, flaw_of_plan


def _encoded(highest: int = 60_000_000_000) -> str:
    histogram = HdrHistogram(1, highest, 3)
    histogram.record_value(1_000)
    return str(histogram.encode().decode("ascii"))


def _bomb() -> str:
    """What inflates to 64 MiB."""
    packed = zlib.compress(bytes(64 << 20))
    head = base64.b64decode(_encoded())[:4] + struct.pack(">I", len(packed))
    return base64.b64encode(head + packed).decode("ascii")


def _histograms(encoded: str) -> dict[str, str]:
    return dict.fromkeys(("response", "service", "own_fault_lag", "backlog_lag"), encoded)


def _second(**other: Any) -> dict[str, Any]:
    counts = {"offered": 1, "completed": 1, "errors": {"reset": 0}, "runqueue_ns": None}
    whole = {"event": "second", "index": 3, **counts, "histograms": _histograms(_encoded())}
    return {**whole, **other}


def _done(**other: Any) -> dict[str, Any]:
    operation = {"good": 1, "errors": 0, "response": _encoded()}
    totals = {"offered": 1, "errors": {}, "histograms": _histograms(_encoded())}
    whole = {"event": "done", "wall_ns": 1, "totals": totals, "by_operation": {"get": operation}}
    return {**whole, **other}


START = {"event": "start", "start_ns": 1, "measure_ns": 2, "end_ns": 3, "ahead_ns": -4}


@pytest.mark.parametrize(
    "event",
    [
        {"event": "ready", "pid": 7, "version": "0.1.0"},
        START,
        _second(),
        _second(histograms={}),
        _done(),
        {"event": "engine_ended", "exit_status": -9},
        {"event": "error", "where": "plan", "what": "is\nnone", "found": None},
    ],
)
def test_what_an_engine_says_is_taken(event: dict[str, Any]) -> None:
    assert flaw_of_event(event, decoding=True) == ""


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (None, "unknown"),
        (["second"], "unknown"),
        ({"event": ["second"]}, "unknown"),
        ({"event": "locust_done", "workers": 1}, "unknown"),  # the master's own to say
        ({"event": "worker_lost", "worker": "other"}, "unknown"),
        ({"event": "ready"}, "number pid"),
        ({"event": "ready", "pid": True}, "number pid"),
        ({**START, "end_ns": "soon"}, "number end_ns"),
        (_second(index=-1), "week"),
        (_second(index=10**9), "week"),
        (_second(index=10**30), "number index"),
        (_second(completed=-1), "completed"),
        (_second(completed=1.5), "completed"),
        (_second(errors=[1]), "errors"),
        (_second(errors={"\x1b[2J": 1}), "errors"),
        (_second(errors={f"kind {n}": 1 for n in range(1000)}), "errors"),
        (_second(histograms={"response": _encoded()}), "other histograms"),
        (_second(histograms=_histograms("?")), "decoded"),
        (_second(histograms=_histograms(_encoded(10**15))), "decoded"),
        (_second(histograms=_histograms(_bomb())), "decoded"),
        (_done(totals=None), "totals"),
        (_done(totals={"offered": "many"}), "totals"),
        (_done(by_operation=[]), "operations"),
        (_done(by_operation={"get": {"good": 1}}), "operation"),
        (_done(by_operation={"get": {"good": 1, "errors": 0}}), "histogram"),
        ({"event": "error", "where": {}, "what": "x"}, "words"),
    ],
)
def test_what_no_engine_says_is_named(event: Any, told: str) -> None:
    assert told in flaw_of_event(event, decoding=True)


def test_workers_of_this_machine_are_not_decoded_once_more() -> None:
    """Their histograms cost the core that the engine wants."""
    assert flaw_of_event(_second(histograms=_histograms("?")), decoding=False) == ""


PLAN = {"rate_rps": 1.0, "connections": 1, "target": {"address": "127.0.0.1", "port": 1}}


def test_a_plan_is_taken_by_its_shape() -> None:
    assert flaw_of_plan({"plan": PLAN, "start_in_ns": None}) == ""
    assert flaw_of_plan({"plan": PLAN, "start_in_ns": 3_000_000_000}) == ""
    hostile: list[tuple[Any, str]] = [
        (None, "no plan"),
        ({"plan": "x"}, "no plan"),
        ({"plan": PLAN, "start_in_ns": 10**18}, "within an hour"),
        ({"plan": {**PLAN, "rate_rps": "1"}}, "rate"),
        ({"plan": {**PLAN, "connections": -1}}, "connections"),
        ({"plan": {**PLAN, "target": []}}, "target"),
        ({"plan": {**PLAN, "target": {"address": "\x1b[2J", "port": 1}}}, "target"),
    ]
    for told, flaw in hostile:
        assert flaw in flaw_of_plan(told), told


def test_names_and_errors_of_others_move_no_cursor() -> None:
    name = "\x1b[2Jbox\n" + "x" * 500
    assert Member(f"{name}_0a1b", 0, {}, None).title == f"??2Jbox?{'x' * 56}"
    error = failure_of({"where": "a\x1b[2J", "what": "b\n" * 5000, "hint": "c\r"})
    assert error.where == "engine: a [2J"
    assert error.what.startswith("b b b ")
    assert len(error.what) < 1100
    assert error.hint == "c "
