"""Collect and judge on trial folders with known contents."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from harness.errors import UsageError
from harness.model.collected import Collected
from harness.model.facts import Incident
from harness.model.recording import FLAG_BACKLOG, Ints
from harness.model.verdict import Status
from harness.stages.collect import collect
from harness.stages.judge import judge
from harness.stats import operations
from harness.store.records import read_recording
from tests.unit import recordings
from tests.unit.recordings import SECOND, START

SECONDS = 30


def collected(folder: Path) -> Collected:
    return collect(read_recording(folder), judge)


def slots(rate: int = 1000, seconds: int = SECONDS) -> Ints:
    return START + np.arange(rate * seconds, dtype=np.int64) * (SECOND // rate)


def quiet(folder: Path, **facts: object) -> Ints:
    recordings.write_facts(folder, SECONDS, **facts)  # type: ignore[arg-type]
    intended = slots()
    rng = np.random.default_rng(1)
    service = rng.gamma(4, 25_000, len(intended)).astype(np.int64)
    recordings.write_load(folder, intended, intended + 10_000, intended + 10_000 + service)
    return intended


def test_requests_alone_leave_the_rest_not_measured(tmp_path: Path) -> None:
    quiet(tmp_path)
    trial = collected(tmp_path).data
    assert trial.verdict.status is Status.VALID
    assert trial.load is not None
    assert trial.load.good == 30_000
    assert trial.latency is not None
    assert trial.latency.response.p99 is not None
    assert trial.latency.own_fault_lag.p50 == 10_000
    assert trial.latency.clean.response is None
    assert "platform" in trial.latency.clean.withheld
    assert trial.pauses is None
    assert trial.collector is None
    assert {"gaps", "platform", "gc", "server_time"} <= set(trial.not_measured)
    assert trial.resources is not None
    assert trial.resources.backend_cpu_ns == int(0.3 * SECONDS * SECOND)


def test_each_operation_is_told_by_itself(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS)
    intended = slots()
    puts = np.arange(len(intended)) % 10 == 0
    ends = intended + np.where(puts, 2_000_000, 100_000)
    recordings.write_load(tmp_path, intended, intended, ends, puts=puts)
    found = collected(tmp_path).data.operations
    assert list(found) == ["get", "put"]
    assert (found["get"].count, found["get"].p50, found["get"].errors) == (27_000, 100_000, 0)
    # Every hundredth request failed, and all of those were puts.
    assert (found["put"].count, found["put"].p99, found["put"].errors) == (3_000, 2_000_000, 300)


def test_without_records_the_engine_tells_of_each_operation() -> None:
    histogram = HdrHistogram(1, 60_000_000_000, 3)
    for value in range(1000, 2000):
        histogram.record_value(value)
    encoded = histogram.encode().decode("ascii")
    done = {"get": {"good": 990, "errors": 10, "response": encoded}}
    found = operations.of_done(done)["get"]
    assert (found.count, found.errors) == (1000, 10)
    assert found.p50 == pytest.approx(1500, rel=0.01)
    assert found.p99 is None, "ten requests beyond it are too few"


def test_a_closed_loop_has_a_throughput_and_no_response_times(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS, closed_loop=True)
    sent = slots()
    service = np.full(len(sent), 4_000_000, np.int64)
    recordings.write_load(tmp_path, sent, sent, sent + service)
    found = collected(tmp_path)
    trial = found.data
    assert trial.verdict.status is Status.VALID
    assert trial.latency is None
    assert trial.not_measured["latency"] == "closed loop: no promise about response times"
    assert trial.closed_loop is not None
    # What ended after the end, 4 ms of requests, is no part of it.
    assert trial.closed_loop.throughput_rps == (30_000 - 4) / SECONDS
    assert trial.closed_loop.in_flight == 4
    assert trial.closed_loop.service is not None
    assert trial.closed_loop.service.p50 == 4_000_000
    assert {(row.offered, row.p99_ns, row.own_fault_p99_ns) for row in found.series} == {
        (1000, None, None)
    }


def test_a_closed_loop_that_its_generator_bounds_says_so(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS, closed_loop=True)
    path = tmp_path / "facts.json"
    facts = json.loads(path.read_bytes())
    for second, sample in enumerate(facts["samples"]):
        sample["engine_cpu_ns"] = int(0.97 * second * SECOND)
    path.write_text(json.dumps(facts))
    recordings.write_load(tmp_path, slots(), slots(), slots() + 50_000)
    verdict = collected(tmp_path).data.verdict
    assert verdict.status is Status.DEGRADED
    assert [reason.id for reason in verdict.reasons] == ["generator-bound"]
    assert "97% of its threads' time" in verdict.reasons[0].text
    facts["engine_threads"] = 2
    path.write_text(json.dumps(facts))
    assert collected(tmp_path).data.verdict.status is Status.VALID


def test_a_truncated_file_is_read_to_its_last_whole_record(tmp_path: Path) -> None:
    quiet(tmp_path)
    path = tmp_path / "requests.bin"
    path.write_bytes(path.read_bytes()[:-60])
    trial = collected(tmp_path).data
    assert trial.load is not None
    assert trial.load.completed == 29_998
    assert "ends inside a record" in trial.not_measured["requests"]


def test_no_requests_at_all_is_not_zero(tmp_path: Path) -> None:
    died = Incident("backend-died", "go/nethttp (pid 7)", "go/nethttp ended with signal 9", START)
    recordings.write_facts(tmp_path, SECONDS, incidents=[died])
    trial = collected(tmp_path).data
    assert trial.latency is None
    assert trial.load is None
    assert trial.not_measured["requests"] == "requests.bin is missing"
    assert trial.verdict.status is Status.INVALID
    assert trial.verdict.reasons[0].who == "go/nethttp (pid 7)"


def test_silence_is_never_valid(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS)
    verdict = collected(tmp_path).data.verdict
    assert verdict.status is Status.INVALID
    assert [reason.id for reason in verdict.reasons] == ["load-missing"]


def test_histograms_stand_in_for_records_that_are_elsewhere(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS)
    histogram = HdrHistogram(1, 60_000_000_000, 3)
    for value in range(1, 10_001):
        histogram.record_value(value * 1_000)
    encoded = histogram.encode().decode()
    names = ("response", "service", "own_fault_lag", "backlog_lag")
    totals = {
        **dict.fromkeys(("offered", "sent", "completed", "good"), 10_000),
        "errors": {},
        "histograms": dict.fromkeys(names, encoded),
    }
    line = json.dumps({"event": "done", "totals": totals, "records_dropped": 0})
    (tmp_path / "engine.jsonl").write_text(line + "\n")
    trial = collected(tmp_path).data
    assert trial.latency is not None
    assert trial.latency.response.p99 is not None
    assert abs(trial.latency.response.p99 - 9_900_000) < 9_900
    assert trial.latency.clean.response is None
    assert "generator-lag" in {reason.id for reason in trial.verdict.reasons}


def test_no_collector_is_said(tmp_path: Path) -> None:
    quiet(tmp_path, collector="none")
    trial = collected(tmp_path).data
    assert trial.collector is not None
    assert trial.collector.kind == "none"
    assert trial.collector.stop_the_world is None
    assert "gc" not in trial.not_measured


def stopped_generator(folder: Path, **facts: object) -> None:
    recordings.write_facts(folder, SECONDS, **facts)  # type: ignore[arg-type]
    intended = slots()
    into = (intended - START) % SECOND
    sent = np.where(into < 20_000_000, intended - into + 20_000_000, intended) + 1_000
    recordings.write_load(folder, intended, sent, sent + 100_000)


def test_a_stopped_generator_is_invalid_and_named(tmp_path: Path) -> None:
    stopped_generator(tmp_path)
    verdict = collected(tmp_path).data.verdict
    assert verdict.status is Status.INVALID
    stalled = next(reason for reason in verdict.reasons if reason.id == "generator-stalled")
    assert stalled.status is Status.INVALID
    assert stalled.value == 1.0
    assert stalled.who == "the load generator"
    assert "20.0 ms" in stalled.text or "19.0 ms" in stalled.text


def test_a_stolen_cpu_of_the_engine_is_named_as_steal(tmp_path: Path) -> None:
    stopped_generator(tmp_path)
    rows: list[tuple[object, ...]] = [
        (0, START + s * SECOND, START + s * SECOND + 20_000_000, 1, 0, 2, 0, b"")
        for s in range(SECONDS)
    ]
    recordings.write_stream(
        tmp_path, "platform", "platform", recordings.PLATFORM_FIELDS, rows,
        {"kind": recordings.PLATFORM_KINDS, "role": {"1": "backend", "2": "engine"}},
    )  # fmt: skip
    recordings.write_probes(tmp_path, "platform")
    verdict = collected(tmp_path).data.verdict
    assert [reason.id for reason in verdict.reasons] == []  # 2.0% is not beyond the limit
    rows = [
        (0, START + s * SECOND, START + s * SECOND + 22_000_000, 1, 0, 2, 0, b"")
        for s in range(SECONDS)
    ]
    recordings.write_stream(
        tmp_path, "platform", "platform", recordings.PLATFORM_FIELDS, rows,
        {"kind": recordings.PLATFORM_KINDS},
    )  # fmt: skip
    verdict = collected(tmp_path).data.verdict
    assert [reason.id for reason in verdict.reasons] == ["steal-engine"]
    assert "CPU 0" in verdict.reasons[0].text


def test_steal_without_probes_explains_the_lag(tmp_path: Path) -> None:
    stopped_generator(tmp_path, steal=(0.03, 0.0))
    verdict = collected(tmp_path).data.verdict
    assert [reason.id for reason in verdict.reasons] == ["steal-engine"]


def test_a_backlog_is_not_the_generators_fault(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, SECONDS)
    intended = slots()
    into = (intended - START) % SECOND
    frozen = into < 20_000_000
    # Four connections: the first four requests of a freeze are sent at once, the others wait.
    waits = frozen & (into >= 4_000_000)
    thaw = intended - into + 20_000_000
    ends = np.where(frozen, thaw + (into // 1_000_000) * 1_000, intended + 100_000)
    before = np.concatenate([np.zeros(4, np.int64), ends[:-4]])
    sent = np.where(waits, np.maximum(before, intended), intended) + 2_000
    ends = np.maximum(ends, sent + 500)
    recordings.write_load(tmp_path, intended, sent, ends, backlog=np.where(waits, FLAG_BACKLOG, 0))
    trial = collected(tmp_path).data
    assert trial.latency is not None
    assert trial.verdict.status is Status.VALID
    assert trial.latency.backlog_lag.p99 is not None
    assert trial.latency.backlog_lag.p99 > 5_000_000
    assert (trial.latency.own_fault_lag.max or 0) < 100_000


def test_pauses_and_gc_join(tmp_path: Path) -> None:
    quiet(tmp_path)
    ms = 1_000_000
    gaps: list[tuple[object, ...]] = []
    gc: list[tuple[object, ...]] = []
    platform: list[tuple[object, ...]] = []
    for second in range(SECONDS):
        t = START + second * SECOND + 500 * ms
        gaps.append((0, t, t + 10 * ms, 3, 0))
        gc.append((0, t, t + 2 * ms, 1, 2, 0, second, 1))
        gc.append((0, t + 2 * ms, t + 52 * ms, 2, 0, 0, second, 1))
        gc.append((0, t + 9 * ms, t + 10 * ms, 1, 6, 0, second, 1))  # stopped, but not for GC
        gc.append((1 << 30, t, t + SECOND, 1, 2, 0, second, 1))  # discarded by its own header
        platform.append((0, t + 1 * ms, t + 4 * ms, 1, 1, 1, 0, b""))
        platform.append((0, t + 600 * ms, t + 601 * ms, 3, 1, 1, 99, b"hog"))
    recordings.write_stream(tmp_path, "sockets", "gaps", recordings.GAP_FIELDS, gaps, {})
    recordings.write_stream(
        tmp_path, "gc", "gc", recordings.GC_FIELDS, gc, {"kind": recordings.GC_KINDS}
    )
    recordings.write_stream(
        tmp_path, "platform", "platform", recordings.PLATFORM_FIELDS, platform,
        {"kind": recordings.PLATFORM_KINDS},
    )  # fmt: skip
    recordings.write_probes(tmp_path, "sockets", "gc", "platform")
    found = collected(tmp_path)
    pauses, collector = found.data.pauses, found.data.collector
    assert pauses is not None
    assert collector is not None
    assert pauses.all.count == SECONDS
    split = {cause: total.total_ns // SECONDS for cause, total in pauses.by_cause.items()}
    assert split["stop_the_world"] == 3 * ms
    assert split["vcpu_not_run"] == 2 * ms
    assert split["mark"] == 5 * ms
    assert split["unattributed"] == 0
    assert sum(split.values()) == 10 * ms
    assert collector.cycles == SECONDS
    assert collector.mark_share is not None
    assert abs(collector.mark_share - 0.05) < 1e-9
    assert collector.stop_the_world is not None
    assert collector.stop_the_world.count == SECONDS
    assert collector.stop_the_world.max_ns == 2 * ms
    assert collector.requests_inside == 52 * SECONDS
    assert found.data.platform is not None
    assert found.data.platform.foreign_holders == {
        "backend": {"hog": (SECONDS - 1) * ms},
        "engine": {},
    }
    assert found.series[3].mark_ns == 50 * ms
    assert found.series[3].stop_the_world_ns == 2 * ms
    assert found.slow[0].response_ns >= found.slow[-1].response_ns


def test_three_million_requests_take_seconds(tmp_path: Path) -> None:
    recordings.write_facts(tmp_path, 300)
    intended = slots(10_000, 300)
    rng = np.random.default_rng(3)
    ends = intended + rng.gamma(4, 25_000, len(intended)).astype(np.int64)
    recordings.write_load(tmp_path, intended, intended + 5_000, ends + 5_000)
    start = rng.integers(START, START + 300 * SECOND, 300_000)
    rows: list[tuple[object, ...]] = [(0, s, s + 70_000, 2, 1, 1, 0, b"") for s in start.tolist()]
    recordings.write_stream(
        tmp_path, "platform", "platform", recordings.PLATFORM_FIELDS, rows,
        {"kind": recordings.PLATFORM_KINDS},
    )  # fmt: skip
    recordings.write_probes(tmp_path, "platform")
    begun = time.process_time()
    trial = collected(tmp_path).data
    spent = time.process_time() - begun
    assert trial.latency is not None
    assert trial.latency.clean.response is not None
    assert spent < 30  # about 5 s on a quiet core: the bound is for a crowded one


def test_counters_that_only_the_engine_has_are_no_zeros_without_it(tmp_path: Path) -> None:
    quiet(tmp_path)
    trial = collected(tmp_path).data
    assert trial.load is not None
    for name in ("connections_lost", "records_dropped", "bytes_in", "bytes_out"):
        assert getattr(trial.load, name) is None
        assert trial.not_measured[f"load.{name}"] == "the engine did not say it"


def test_a_trial_without_its_engines_events_says_that_reason(tmp_path: Path) -> None:
    quiet(tmp_path)
    told = collected(tmp_path).data.not_measured
    assert told["checks.runqueue"] == "the engine told of no second of the measured part"
    assert "steal.backend" not in told
    facts = json.loads((tmp_path / "facts.json").read_bytes())
    cut = {**facts, "samples": facts["samples"][:2]}
    (tmp_path / "facts.json").write_text(json.dumps(cut))
    told = collected(tmp_path).data.not_measured
    for name in ("steal.backend", "steal.engine", "checks.engine_throttled_ns", "resources"):
        assert told[name] == "the samples do not span the measured part", name
    never = {**facts, "start_ns": 0, "measure_ns": 0, "end_ns": 0}
    (tmp_path / "facts.json").write_text(json.dumps(never))
    told = collected(tmp_path).data.not_measured
    for name in ("steal.backend", "steal.engine", "checks.engine_throttled_ns", "resources"):
        assert told[name] == "the measured part never began", name


DAMAGED_LINES = [
    {"event": "second"},
    {"event": "second", "index": "first"},
    {"event": "second", "index": -1},
    {"event": "done", "totals": []},
    {"event": "done", "totals": {"offered": -5}},
    {"event": "done", "totals": {"errors": {"reset": "many"}}},
    {"event": "done", "totals": {"histograms": {"response": "no histogram"}}},
    {"event": "done", "by_operation": {"get": {"good": 1}}},
    {"event": "done", "pace": "fast"},
    {"event": "done", "lost": [{"name": "a"}]},
]


@pytest.mark.parametrize("line", DAMAGED_LINES)
def test_a_damaged_event_is_a_reason_and_no_traceback(
    tmp_path: Path, line: dict[str, object]
) -> None:
    quiet(tmp_path)
    (tmp_path / "engine.jsonl").write_text(json.dumps(line) + "\n")
    trial = collected(tmp_path).data
    assert trial.not_measured["engine.jsonl"].startswith("engine.jsonl: event 1")
    assert trial.load is not None
    assert trial.load.good == 30_000, "its records are whole"


def test_a_header_of_records_that_is_none_is_a_reason(tmp_path: Path) -> None:
    quiet(tmp_path)
    path = tmp_path / "requests.bin"
    whole = path.read_bytes()
    text = b'{"operations": 5}'
    path.write_bytes(whole[:8] + len(text).to_bytes(4, "little") + text + whole[12 + len(text) :])
    trial = collected(tmp_path).data
    assert "its header is none" in trial.not_measured["requests"]


@pytest.mark.parametrize(
    "told",
    [
        {"connections": 0},
        {"pipeline": 0},
        {"streams": -1},
        {"engine_threads": 0},
        {"parts": [{"from_rps": 1e308, "to_rps": 1, "duration_s": 1}]},
        {"parts": [{"from_rps": 1, "to_rps": 1, "duration_s": -1}]},
        {"start_ns": None},
    ],
)
def test_facts_that_cannot_be_are_refused(tmp_path: Path, told: dict[str, object]) -> None:
    quiet(tmp_path)
    facts = json.loads((tmp_path / "facts.json").read_bytes())
    (tmp_path / "facts.json").write_text(json.dumps({**facts, **told}))
    with pytest.raises(UsageError, match="is not a facts file"):
        read_recording(tmp_path)
