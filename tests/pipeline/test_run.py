"""`bench run` from flags to a report, with fakes at the edges."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness.model.verdict import Status
from harness.system import clock, environment, machine
from tests.pipeline.conftest import Stage

REQUESTS = 8 * 1000
DURABILITY = """
[options.durability]
about = "when a write is acknowledged"
values = ["ram", "batch"]
default = "ram"
argument = "--durability={value}"
"""


def test_a_run_leaves_every_file_and_a_table(stage: Stage) -> None:
    finished = stage.run("--repeat", "2", backends="alpha,beta")
    assert finished.code == 0, finished.stderr
    assert "alpha/v" in finished.stdout
    assert "beta/v" in finished.stdout
    assert "VALID" in finished.stdout
    assert "no GC" in finished.stdout
    folder = stage.only_run()
    for name in ("plan", "environment", "artifacts", "calibration", "analysis"):
        assert (folder.path / f"{name}.json").is_file(), name
    assert "<html" in folder.report.read_text(encoding="utf-8")
    assert f"report: {folder.report}" in finished.stderr
    trials = folder.trials()
    assert len(trials) == 4
    for trial in trials:
        left = {path.name for path in trial.path.iterdir()}
        assert left >= {"trial.json", "facts.json", "probes.json", "engine.jsonl", "requests.bin",
                        "engine-plan.json", "series.parquet", "slow.parquet", "probes"}  # fmt: skip
        data = trial.read_data()
        assert data.verdict.status is Status.VALID, data.verdict
        assert data.load is not None
        assert data.load.offered == data.load.good == REQUESTS
    assert not list(folder.path.rglob(".*")), "a temporary file was left"


def test_every_result_names_what_its_subjects_ran_with(stage: Stage) -> None:
    manifest = stage.root / "backends" / "beta" / "backend.toml"
    manifest.write_text(manifest.read_text() + DURABILITY)
    finished = stage.run("--set", "beta.durability=batch", "--json", backends="alpha,beta")
    assert finished.code == 0, finished.stderr
    core = {"auth": "parse", "durability": "ram"}
    found = {s["name"]: s["options"] for s in json.loads(finished.stdout)["subjects"]}
    assert found == {"alpha/v": core, "beta/v[durability=batch]": {**core, "durability": "batch"}}
    folder = stage.only_run()
    assert folder.plan().options_effective == found
    page = folder.report.read_text(encoding="utf-8")
    assert "<dt>Every subject</dt><dd>auth parse</dd>" in page
    assert "<dt>alpha/v</dt><dd>durability ram</dd>" in page
    told = stage.bench("report", str(folder.path)).stdout
    assert re.search(r"^ +beta/v\[durability=batch\] +durability batch *$", told, re.M), told


def test_each_block_holds_every_subject_once(stage: Stage) -> None:
    stage.run("--repeat", "3", "--twin", backends="alpha,beta")
    specs = [trial.read_data().spec for trial in stage.only_run().trials()]
    for block in range(3):
        names = sorted(spec.subject.name for spec in specs if spec.block == block)
        assert names == ["alpha/v", "alpha/v (twin)", "beta/v", "beta/v (twin)"]
        assert len({spec.seed for spec in specs if spec.block == block}) == 1
    assert stage.runtime.built == ["alpha", "beta"], "twins are the same image"


def test_every_server_and_load_is_stopped(stage: Stage) -> None:
    stage.run("--repeat", "2", backends="alpha,beta")
    assert [server.stops for server in stage.runtime.servers] == [1] * 4
    assert [load.stopped for load in stage.loads] == [True] * 4


def test_the_engine_gets_what_was_asked(stage: Stage) -> None:
    stage.run("--arrivals", "poisson", "--seed", "7", "--grain", "1.5ms")
    (load,) = stage.loads
    assert load.plan["grain_ns"] == 1_500_000
    assert load.plan["rate_rps"] == 1000.0
    assert load.plan["connections"] == 4
    assert load.plan["arrivals"] == "poisson"
    assert load.plan["cpus"] == [0]
    assert load.plan["target"]["port"] == stage.runtime.servers[0].launch.port
    assert load.plan["scenario"]["objects"]["key"] == "object-{index:08d}"
    assert stage.runtime.servers[0].launch.cpus == [1]


def test_the_grain_stands_in_every_result(stage: Stage) -> None:
    finished = stage.run("--grain", "1ms")
    assert "1,000 requests/s, wake-ups batched up to 1 ms" in finished.stdout
    folder = stage.only_run()
    assert folder.plan().request.grain_ns == 1_000_000
    page = folder.report.read_text(encoding="utf-8")
    assert "<dt>Grain</dt><dd>wake-ups batched up to 1 ms</dd>" in page
    assert "--grain 1000us" in page


def test_steps_are_told_one_by_one(stage: Stage) -> None:
    finished = stage.run("--rps", "500:1500:500", "--duration", "6", "--engine-threads", "2")
    (load,) = stage.loads
    assert load.plan["rate_rps"] == 500.0
    assert load.plan["threads"] == 2
    assert [part["to_rps"] for part in load.plan["parts"]] == [500.0, 1000.0, 1500.0]
    assert "steps of 500, 1,000 and 1,500 requests/s (over all rates together)" in finished.stdout
    assert re.search(r"alpha/v at 1,000 requests/s +VALID +1,000 +1,000", finished.stdout)
    page = stage.only_run().report.read_text(encoding="utf-8")
    assert "How did it do at each rate?" in page
    assert "alpha/v at 1,500 requests/s" in page
    assert "--rps 500,1000,1500 " in page
    (trial,) = stage.only_run().trials()
    assert [part.offered for part in trial.read_data().parts] == [1000, 2000, 3000]


def test_a_saturation_run_has_a_table_of_its_own(stage: Stage) -> None:
    finished = stage.run("--saturate", "--pace", "auto")
    (load,) = stage.loads
    assert (load.plan["closed_loop"], load.plan["pace"]) == (True, "auto")
    said = " ".join(finished.stdout.split())
    assert "a closed loop on 4 connections, no promise about response times" in said
    assert "P99.9" not in finished.stdout
    page = stage.only_run().report.read_text(encoding="utf-8")
    assert "How much can it do? A closed loop: no promise about response times" in page
    assert "P99 observed" not in page
    assert "--saturate" in page
    document = json.loads(stage.run("--saturate", "--json").stdout)
    assert document["rate_rps"] is None
    assert document["trials"][0]["response_time_ns"] is None
    assert document["trials"][0]["closed_loop"]["throughput_rps"] > 0


def test_a_maximum_is_not_compared_with_a_fixed_rate(stage: Stage) -> None:
    stage.run("--saturate")
    stage.run("--rps", "500")
    stage.run("--rps", "500,1000")
    runs = [str(path.parent) for path in sorted(stage.results.glob("*/plan.json"))]
    for base, new in itertools.permutations(runs, 2):
        refused = stage.bench("compare", base, new)
        assert refused.code == 2
        assert "compare runs at fixed rates" in refused.stderr
    assert stage.bench("compare", runs[0], runs[0]).code == 0


def test_a_trial_is_saved_before_the_next_begins(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []

    def look(number: int, launch: object) -> None:
        saved.append(len(list(stage.results.glob("*/trials/*/trial.json"))))

    stage.runtime.before_start = look
    stage.run("--repeat", "3")
    assert saved == [0, 1, 2]


def test_json_is_one_object_of_integers_in_ns(stage: Stage) -> None:
    finished = stage.run("--json", backends="alpha,beta")
    assert finished.code == 0
    assert finished.stderr == "", "quiet but for errors"
    document = json.loads(finished.stdout)
    assert document["schema"] == 1
    assert document["run_id"] == stage.only_run().run_id
    assert [row["name"] for row in document["subjects"]] == ["alpha/v", "beta/v"]
    for trial in document["trials"]:
        assert trial["verdict"]["status"] == "VALID"
        assert trial["load"]["offered"] == REQUESTS
        assert trial["load"]["achieved_rps"] == pytest.approx(1000, rel=0.001)
        for name in ("response_time_ns", "service_time_ns", "own_fault_lag_ns", "backlog_lag_ns"):
            assert all(_integer(value) for key, value in trial[name].items() if key != "count")
        assert trial["response_time_ns"]["p50"] == pytest.approx(320_000, rel=0.001)
        assert trial["service_time_ns"]["p50"] == pytest.approx(300_000, rel=0.001)
        assert trial["own_fault_lag_ns"]["p50"] == pytest.approx(20_000, rel=0.001)
        assert trial["server_time_ns"] is None
        assert "server_time" in trial["not_measured"] or trial["not_measured"]
        assert trial["collector"]["kind"] == "none"
        assert trial["resources"]["backend_cpu_ns_per_request"] == pytest.approx(300_000, rel=0.01)


def _integer(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def test_report_is_made_again_from_the_files(stage: Stage) -> None:
    stage.run(backends="alpha,beta")
    folder = stage.only_run()
    first = folder.report.read_bytes()
    folder.report.unlink()
    (folder.path / "analysis.json").unlink()
    finished = stage.bench("report", str(folder.path))
    assert finished.code == 0, finished.stderr
    assert folder.report.read_bytes() == first
    assert "alpha/v" in finished.stdout
    again = stage.bench("report", "newest", "--output", str(stage.results))
    assert again.code == 0
    assert again.stdout == finished.stdout


def test_a_folder_of_another_schema_is_refused_by_name(stage: Stage) -> None:
    stage.run()
    folder = stage.only_run()
    for name in ("plan.json", "trials/0/trial.json"):
        path = folder.path / name
        kept = path.read_bytes()
        path.write_bytes(json.dumps({**json.loads(kept), "schema": 99}).encode())
        finished = stage.bench("report", str(folder.path))
        assert finished.code == 2
        assert f"error: {path}: schema: expected 1, got 99" in finished.stderr
        assert "hint: " in finished.stderr
        path.write_bytes(kept)


def test_a_damaged_file_is_refused_by_name(stage: Stage) -> None:
    stage.run()
    path = stage.only_run().path / "trials/0/trial.json"
    path.write_bytes(path.read_bytes()[:-100])
    finished = stage.bench("report", str(stage.only_run().path))
    assert finished.code == 2
    assert f"error: {path}: " in finished.stderr


def test_results_folders_are_made_exclusively(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "utc_stamp", lambda: "20260101T000000Z")
    monkeypatch.setattr(clock, "utc_now", lambda: "2026-01-01T00:00:00Z")
    assert stage.run().code == 0
    before = stage.only_run().report.read_bytes()
    again = stage.run()
    assert again.code == 2
    assert "another run has this folder" in again.stderr
    assert stage.only_run().report.read_bytes() == before


def test_the_layout_is_of_all_cpus_though_the_harness_confines_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def confined(cpus: list[int]) -> Iterator[None]:
        with monkeypatch.context() as inside:
            inside.setattr(environment, "usable_cpus", lambda: cpus)
            yield

    monkeypatch.setattr(machine, "quiet_harness", confined)
    stage.run()
    layout = stage.only_run().plan().layout
    assert (layout.name, layout.backend_cpus, layout.engine_cpus) == ("split", [1], [0])


def test_the_plan_and_the_machine_are_recorded(stage: Stage) -> None:
    stage.run()
    folder = stage.only_run()
    plan = folder.plan()
    assert plan.layout.backend_cpus == [1]
    assert plan.trials[0].subject.artifact_digest == f"{'alpha':0<64}"
    assert folder.artifacts()[0].version_line == "alpha 1.0"
    document = folder.document("environment")
    assert document["runtime"] == {"name": "process", "why": "a fake"}
    assert all(line["state"] in {"off", "already", "absent", "refused"}
               for line in document["tuning"])  # fmt: skip
    assert len(document["fingerprint"]) == 12


def test_runs_of_two_grains_are_compared_with_a_note(stage: Stage) -> None:
    for grain in ("20us", "100us"):
        assert stage.run("--grain", grain).code == 0
    first, second = sorted(path.parent.name for path in stage.results.glob("*/plan.json"))
    finished = stage.bench("compare", first, second, "--output", str(stage.results))
    said = " ".join((finished.stdout + finished.stderr).split())
    assert "grain: 20 us against 100 us" in said or "grain: 100 us against 20 us" in said
