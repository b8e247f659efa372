"""Workers on hosts with addresses of their own: joining, merging, and losing two of three.

The hosts are network namespaces of this machine: one clock and one file system, which the program
under test is not told and does not use.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from harness.model.verdict import Status
from harness.system import process_table
from tests.e2e import hosts
from tests.e2e.conftest import Bench, skip, until
from tests.e2e.hosts import Host

pytestmark = pytest.mark.e2e
TOKEN = {"PAUSEMARK_TOKEN": "of-the-namespaces-test"}
NAMES = ("one", "two", "three")
KINDS = ("response", "service", "own_fault_lag", "backlog_lag")
BRIEF = [
    *["run", "--backend", "c", "--runtime", "process", "--tune", "off", "--no-calibrate"],
    *["--probes", "off", "--rps", "600", "--connections", "8", "--warmup", "1s"],
    *["--workers", "0", "--expect-workers", "3", "--join-timeout", "150s"],
]


@pytest.fixture
def net() -> Iterator[dict[str, Host]]:
    why = hosts.lacking()
    if why:
        skip(why)
    with hosts.network("master", *NAMES) as made:
        yield made


@pytest.fixture
def start(
    bench: Callable[..., Bench], net: dict[str, Host], tmp_path: Path
) -> Callable[..., dict[str, Bench]]:
    """Three workers, and the run that waits for them."""

    def begin(*more: str, environment: dict[str, str]) -> dict[str, Bench]:
        address = net["master"].address
        started = {
            name: bench(
                *["worker", "--master", address, "--name", name],
                *["--keep", str(tmp_path / "kept" / name)],
                environment=environment,
                results=f"worker-{name}",
                enter=net[name].enter(),
            )
            for name in NAMES
        }
        started["run"] = bench(
            *[*BRIEF, "--address", address, "--master-bind-host", address, *more],
            environment=environment,
            enter=net["master"].enter(),
        )
        return started

    return begin


def _events(path: Path, name: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["event"] == name]


def _buckets(encoded: str) -> dict[int, int]:
    return {
        item.value_iterated_to: item.count_at_value_iterated_to
        for item in HdrHistogram.decode(encoded).get_recorded_iterator()
    }


def _summed(parts: list[str]) -> dict[int, int]:
    """By hand: the merging under test is not asked."""
    total: dict[int, int] = {}
    for part in parts:
        for value, count in _buckets(part).items():
            total[value] = total.get(value, 0) + count
    return total


def test_three_hosts_share_each_trial_and_their_histograms_add_up(
    bench: Callable[..., Bench],
    net: dict[str, Host],
    start: Callable[..., dict[str, Bench]],
    tmp_path: Path,
) -> None:
    # Signed with keys that are drawn for each trial: the workers are told them.
    signed = ["--set", "c.auth=verify"]
    started = start("--duration", "4s", "--repeat", "2", *signed, environment=TOKEN)
    stranger = bench(
        *["worker", "--master", net["master"].address, "--name", "stranger"],
        environment={"PAUSEMARK_TOKEN": "another-token-than-theirs"},
        results="stranger",
        enter=net["one"].enter(),
    )
    one = started["run"]
    assert one.end() in {0, 3}, one.stderr
    assert stranger.end() == 2, stranger.stderr
    assert "has another one, or none" in stranger.stderr
    assert "trial: " not in stranger.stderr
    for number, trial in enumerate(one.trials()):
        assert trial.load is not None
        assert trial.load.offered == 2400
        assert trial.load.completed == trial.load.good == 2400
        assert trial.load.workers_lost == []
        assert trial.latency is not None
        assert trial.latency.response.count == 2400
        assert trial.latency.clean.response is None
        assert trial.latency.clean.withheld.startswith("observed only: ")
        assert "stayed there" in trial.not_measured["requests"]
        (merged,) = _events(one.run_folder.path / f"trials/{number}/engine.jsonl", "done")
        own = [_own_done(tmp_path / "kept" / name, number) for name in NAMES]
        for kind in KINDS:
            parts = [done["totals"]["histograms"][kind] for done in own]
            assert _buckets(merged["totals"]["histograms"][kind]) == _summed(parts), kind
        assert {done["totals"]["offered"] for done in own} == {800}
    one.leaves_nothing()


def _own_done(kept: Path, number: int) -> dict[str, Any]:
    """What a worker's engine said at the end of its n-th trial, from its own host's folder."""
    (done,) = _events(sorted(kept.iterdir())[number] / "engine.jsonl", "done")
    return done


def test_a_killed_and_a_cut_off_worker_are_lost_by_name_and_the_third_goes_on(
    net: dict[str, Host], start: Callable[..., dict[str, Bench]], tmp_path: Path
) -> None:
    # Four Locusts on one machine: as idle processes they would fall silent whenever it is busy.
    environment = {**TOKEN, "PAUSEMARK_LIVENESS_S": "10", "PAUSEMARK_YIELD": "no"}
    started = start("--duration", "50s", environment=environment)
    one = started["run"]
    one.wait_for_load()
    until("seconds of each", lambda: _seconds_of_each(one, 3))
    (cut_off,) = started["two"].processes("pausemark-engine", "run")
    killed = started["one"].processes("pausemark-engine", "run")
    os.kill(started["one"].process.pid, signal.SIGKILL)
    net["two"].cut()
    until("the cut-off engine to end", lambda: not process_table.lives(cut_off), 60)
    assert not any(process_table.lives(engine) for engine in killed)
    assert one.end() == 3, one.stderr
    (trial,) = one.trials()
    assert trial.verdict.status is Status.INVALID
    lost = {r.who: r for r in trial.verdict.reasons if r.id == "worker-lost"}
    assert set(lost) == {"worker one", "worker two"}
    assert trial.load is not None
    assert {part.planned for part in trial.load.workers_lost} == {10_000}
    assert trial.load.offered == 30_000
    assert 10_000 < trial.load.completed < 20_000
    assert "rate-missed" not in {r.id for r in trial.verdict.reasons}
    _adds_up(one, tmp_path)
    net["two"].mend()
    until("the cut-off worker to wait again", lambda: started["two"].processes("--worker"), 60)
    one.leaves_nothing()


def _seconds_of_each(one: Bench, count: int) -> bool:
    assert one.process.poll() is None, one.stderr
    paths = list(one.output.glob("*/trials/0/engine.?.jsonl"))
    measured = [[e for e in _events(path, "second") if not e["warmup"]] for path in paths]
    return len(paths) == 3 and all(len(found) >= count for found in measured)


def _adds_up(one: Bench, tmp_path: Path) -> None:
    """The whole of the one that finished, and of the lost ones every second that came."""
    folder = one.run_folder.path / "trials/0"
    (merged,) = _events(folder / "engine.jsonl", "done")
    last = _own_done(tmp_path / "kept" / "three", 0)
    for kind in KINDS:
        parts = [last["totals"]["histograms"][kind]]
        for path in sorted(folder.glob("engine.?.jsonl")):
            if not _events(path, "done"):
                seconds = [e for e in _events(path, "second") if not e["warmup"]]
                parts += [second["histograms"][kind] for second in seconds]
        assert _buckets(merged["totals"]["histograms"][kind]) == _summed(parts), kind


def test_workers_that_do_not_come_end_the_run_with_their_number(
    bench: Callable[..., Bench], net: dict[str, Host]
) -> None:
    address = net["master"].address
    late = [word if word != "150s" else "3s" for word in BRIEF]
    one = bench(
        *[*late, "--address", address, "--master-bind-host", address, "--duration", "2s"],
        environment=TOKEN,
        enter=net["master"].enter(),
    )
    assert one.end() == 4, one.stderr
    assert "expected 3 workers from other machines within 3 s, 0 came" in one.stderr
    one.leaves_nothing()
