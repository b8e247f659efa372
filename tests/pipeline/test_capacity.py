"""`bench capacity` from flags to its folder, with fakes at the edges."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness import calibrating
from harness.model.capacity import Answer, Capacity, State
from harness.store import run_folder
from tests.pipeline.conftest import Finished, Stage
from tests.pipeline.fakes import FakeLoad

SLOW_NS = 9_000_000  # beyond the SLO of these tests
LATE_NS = 8_000_000  # a generator's own fault that no trial may have


def _server(
    monkeypatch: pytest.MonkeyPatch,
    *,
    holds_rps: float,
    generates_rps: float = 1e9,
    act: Callable[[FakeLoad], None] = lambda load: None,
) -> None:
    """Slow answers beyond one rate, a late generator beyond another."""

    def script(load: FakeLoad) -> None:
        if load.plan["rate_rps"] > holds_rps:
            load.service_ns = SLOW_NS
        if load.plan["rate_rps"] > generates_rps:
            load.send_lag_ns = LATE_NS
        act(load)

    monkeypatch.setattr(FakeLoad, "script", staticmethod(script))


def _capacity(stage: Stage, *more: str, backends: str = "alpha") -> Finished:
    return stage.bench(
        *["capacity", "--slo", "p99=5ms", "--backend", backends, "--from", "100", "--to", "6400"],
        *["--duration", "8s", "--trial", "3s", "--warmup", "1s", "--connections", "64"],
        *["--tune", "off", "--probes", "off", "--no-calibrate"],
        *["--output", str(stage.results), "--backends-dir", str(stage.root / "backends")],
        *more,
    )


def _written(stage: Stage) -> Capacity:
    (path,) = stage.results.glob("*-capacity/capacity.json")
    return msgspec.json.decode(path.read_bytes(), type=Capacity)


def _only(stage: Stage) -> Answer:
    (answer,) = _written(stage).answers
    return answer


def test_the_edge_is_found_and_every_trial_is_an_ordinary_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _server(monkeypatch, holds_rps=1000)
    finished = _capacity(stage)
    assert finished.code == 0, finished.stderr
    answer = _only(stage)
    assert answer.state is State.FOUND
    assert answer.rate_rps == answer.kept_rps
    assert 950 <= (answer.rate_rps or 0) <= 1000 < (answer.broken_rps or 0) <= 1050
    assert answer.broke == ["P99 9.02 ms, beyond 5 ms"]
    assert f"{answer.rate_rps:,.0f} requests/s" in finished.stdout
    assert f"{(answer.broken_rps or 0) / (answer.kept_rps or 1) - 1:.1%}" in finished.stdout
    assert "P99 9.02 ms, beyond 5 ms" in finished.stdout
    for tried in answer.trials:
        folder = run_folder.open_run(stage.results / _written(stage).folder / tried.run)
        request = folder.plan().request
        assert (request.rate_rps, request.duration_s) == (tried.rate_rps, tried.duration_s)
        assert folder.report.is_file()
        assert folder.analysis().rows[0].subject.name == "alpha/v"
        assert tried.served_share == pytest.approx(1, abs=0.001)
    assert [tried.step for tried in answer.trials].count("confirm") == 1
    assert (answer.trials[-1].step, answer.trials[-1].duration_s) == ("confirm", 8)
    assert all(server.stops == 1 for server in stage.runtime.servers)
    assert stage.runtime.built == ["alpha"], "built once, for all trials"


def test_json_is_what_the_folder_holds(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _server(monkeypatch, holds_rps=1000)
    finished = _capacity(stage, "--json", backends="alpha,beta")
    assert finished.code == 0
    assert finished.stderr == ""
    document = json.loads(finished.stdout)
    (path,) = stage.results.glob("*-capacity/capacity.json")
    assert document == json.loads(path.read_bytes())
    assert [answer["subject"] for answer in document["answers"]] == ["alpha/v", "beta/v"]


def test_a_search_that_nothing_breaks_says_at_least(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _server(monkeypatch, holds_rps=1e9)
    finished = _capacity(stage, "--to", "400")
    assert finished.code == 0, finished.stderr
    assert (_only(stage).state, _only(stage).rate_rps) == (State.AT_LEAST, 400)
    assert "at least 400 requests/s" in finished.stdout


def test_a_slo_that_the_lowest_rate_breaks_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _server(monkeypatch, holds_rps=10)
    finished = _capacity(stage)
    assert finished.code == 1
    assert _only(stage).state is State.BELOW
    assert "below 100 requests/s" in finished.stdout


def test_a_late_generator_is_the_limit_and_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _server(monkeypatch, holds_rps=1e9, generates_rps=1000)
    finished = _capacity(stage)
    assert finished.code == 3, finished.stderr
    answer = _only(stage)
    assert (answer.state, answer.rate_rps, answer.broken_rps) == (State.AT_LEAST, 800, None)
    assert answer.stopped.startswith(
        "the generator, not the backend, is the limit at 1,600 requests/s: "
    )
    assert [tried.rate_rps for tried in answer.trials].count(1600) == 3
    assert "the generator, not the backend, is the limit at 1,600" in finished.stdout


def test_confirming_trials_that_all_break_end_it_without_a_rate(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(load: FakeLoad) -> None:
        if load.plan["duration_s"] == 8:
            load.service_ns = SLOW_NS

    _server(monkeypatch, holds_rps=1e9, act=act)
    finished = _capacity(stage)
    assert finished.code == 1, "every trial was valid"
    answer = _only(stage)
    assert (answer.state, answer.rate_rps) == (State.STOPPED, None)
    assert answer.stopped == "8 confirming trials in a row broke it"
    assert "not found" in finished.stdout


def test_trials_that_are_not_valid_outweigh_a_subject_without_a_rate(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(load: FakeLoad) -> None:
        if len(load.started) == 1:
            load.service_ns = SLOW_NS
        else:
            load.send_lag_ns = LATE_NS

    _server(monkeypatch, holds_rps=1e9, act=act)
    finished = _capacity(stage, backends="alpha,beta")
    assert finished.code == 3
    states = [answer.state for answer in _written(stage).answers]
    assert states == [State.BELOW, State.STOPPED]


def test_wrong_answers_break_whatever_the_latency(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(load: FakeLoad) -> None:
        load.wrong = 3 if load.plan["rate_rps"] >= 400 else 0

    _server(monkeypatch, holds_rps=1e9, act=act)
    _capacity(stage)
    answer = _only(stage)
    assert (answer.rate_rps or 0) < 400 <= (answer.broken_rps or 0)
    assert "3 errors (3 status)" in answer.broke


def test_an_interrupted_search_keeps_what_it_tried(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(load: FakeLoad) -> None:
        if len(load.started) == 3:
            raise KeyboardInterrupt

    _server(monkeypatch, holds_rps=1e9, act=act)
    finished = _capacity(stage)
    assert finished.code == 130
    answer = _only(stage)
    assert (answer.state, answer.rate_rps) == (State.UNFINISHED, None)
    assert [tried.rate_rps for tried in answer.trials] == [100, 200]


def test_a_failed_calibration_ends_it_before_the_first_trial(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failed:
        passed = False
        text = "read 25 ms for 20"

    monkeypatch.setattr(calibrating, "before_a_run", lambda *_: [Failed])
    finished = _capacity(stage)
    assert finished.code == 3
    assert "error: calibration: read 25 ms for 20" in finished.stderr
    assert stage.loads == []
    assert _written(stage).answers == []
    stage.bench("prune", "--keep", "0", "--output", str(stage.results))
    assert _folders(stage) == []


def test_a_search_is_pruned_as_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _server(monkeypatch, holds_rps=1000)
    _capacity(stage)
    stage.bench("prune", "--records", "--output", str(stage.results))
    assert not list(stage.results.rglob("requests.bin"))
    (folder,) = _folders(stage)
    assert (folder / "capacity.json").is_file()
    stage.bench("prune", "--keep", "0", "--output", str(stage.results))
    assert _folders(stage) == []


def _folders(stage: Stage) -> list[Path]:
    return list(stage.results.glob("*"))
