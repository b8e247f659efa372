"""The generator's self-validation: each check finds what was planted, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.model.checks import SelfChecks
from harness.model.recording import FLAG_BACKLOG, Ints
from harness.model.trial import TrialData
from harness.model.verdict import Status
from harness.stages.collect import collect
from harness.stages.judge import judge
from harness.stats import conformance, pool
from harness.store.records import read_recording
from tests.unit import recordings
from tests.unit.recordings import SECOND, START

SECONDS, RATE = 20, 1000
SERVICE = 2_000_000


def uniform() -> Ints:
    """The slots that the facts of `recordings` plan."""
    return START + np.arange(RATE * SECONDS, dtype=np.int64) * (SECOND // RATE)


def poisson(seed: int = 7) -> Ints:
    gaps = np.random.default_rng(seed).exponential(SECOND / RATE, RATE * SECONDS * 2)
    times = START + np.cumsum(gaps).astype(np.int64)
    return times[times < START + SECONDS * SECOND]


def write(
    folder: Path,
    intended: Ints,
    sent: Ints | None = None,
    *,
    backlog: Ints | None = None,
    service: int = SERVICE,
    counted: int | None = None,
    offered: int | None = None,
    unfinished: int = 0,
    leaked: int = 0,
    runqueue_ns: int = 1_000_000,
    **facts: object,
) -> TrialData:
    """A trial whose engine's books agree with its records but for what is planted; and judged."""
    recordings.write_facts(folder, SECONDS, **facts)  # type: ignore[arg-type]
    sent = intended + 10_000 if sent is None else sent
    ends = sent + service
    recordings.write_load(folder, intended, sent, ends, backlog=backlog)
    lines: list[dict[str, Any]] = []
    for index in range(SECONDS):
        edge = START + (index + 1) * SECOND
        open_now = np.count_nonzero(sent < edge) - np.count_nonzero(ends < edge)
        lines.append(
            {"event": "second", "index": index, "warmup": False, "runqueue_ns": runqueue_ns,
             "in_flight": int(open_now) + leaked}
        )  # fmt: skip
    count = len(intended) if counted is None else counted
    number = len(intended) if offered is None else offered
    totals = {
        "offered": number, "sent": count, "completed": count, "good": count, "errors": {},
        "histograms": {"service": recordings.encoded(np.full(count, service))},
    }  # fmt: skip
    done = {"event": "done", "totals": totals, "records_dropped": 0, "unfinished": unfinished}
    text = "".join(json.dumps(line) + "\n" for line in [*lines, done])
    (folder / "engine.jsonl").write_text(text)
    return collect(read_recording(folder), judge).data


def checks(trial: TrialData) -> SelfChecks:
    assert trial.checks is not None
    return trial.checks


def reasons(trial: TrialData) -> dict[str, Status]:
    return {reason.id: reason.status for reason in trial.verdict.reasons}


@pytest.mark.parametrize("arrivals", ["uniform", "poisson"])
def test_a_faithful_trial_has_no_reason(tmp_path: Path, arrivals: str) -> None:
    trial = write(tmp_path, uniform() if arrivals == "uniform" else poisson(), arrivals=arrivals)
    assert reasons(trial) == {}
    found = checks(trial)
    assert found.schedule is not None
    assert found.schedule.slots_doubled == 0
    assert found.schedule.slots_missing == 0
    assert found.schedule.distance_share < 0.001
    assert found.balance is not None
    assert found.balance.disagreement < 0.001
    assert found.balance.counter_off == 0
    assert found.pool is not None
    assert found.pool.waited == 0
    assert found.runqueue_share == pytest.approx(0.001)


def test_chance_alone_is_never_a_nonconforming_plan(tmp_path: Path) -> None:
    for seed in range(20):
        trial = write(tmp_path, poisson(seed), arrivals="poisson")
        assert "schedule-nonconforming" not in reasons(trial), seed


def test_a_missing_slot_is_invalid_but_not_one_that_is_accounted_for(tmp_path: Path) -> None:
    slots = np.delete(uniform(), 5_000)
    trial = write(tmp_path, slots)
    assert reasons(trial) == {"schedule-slots": Status.INVALID}
    assert "1 missing" in trial.verdict.reasons[0].text
    assert "schedule-slots" not in reasons(write(tmp_path, slots, unfinished=1))


def test_a_doubled_slot_is_invalid(tmp_path: Path) -> None:
    trial = write(tmp_path, np.sort(np.append(uniform(), uniform()[700])))
    assert reasons(trial) == {"schedule-slots": Status.INVALID}
    assert "1 recorded twice" in trial.verdict.reasons[0].text


def test_a_schedule_that_moves_after_a_stall_is_invalid(tmp_path: Path) -> None:
    """Coordinated omission: everything after the stall is intended later than planned."""
    slots = uniform()
    trial = write(tmp_path, np.where(slots > START + 5 * SECOND, slots + 123_456, slots))
    assert reasons(trial)["schedule-slots"] is Status.INVALID
    assert "off the plan" in trial.verdict.reasons[0].text


def test_random_arrivals_that_the_engine_offered_and_did_not_record_are_missing(
    tmp_path: Path,
) -> None:
    slots = poisson()
    trial = write(tmp_path, slots, offered=len(slots) + 3, arrivals="poisson")
    assert reasons(trial)["schedule-slots"] is Status.INVALID
    same = np.sort(np.append(slots, slots[9]))
    connection = np.zeros(len(same), np.int64)
    found = conformance._slots(
        conformance.fixed_rate(START, RATE),
        conformance.Executed(same, same + 5, connection, 0, None, whole=True),
        np.ones(len(same), bool),
        START + SECONDS * SECOND,
        regular=False,
    )
    assert found == (None, 1, None)


def test_a_wrong_rate_and_gaps_that_are_not_random_are_nonconforming(tmp_path: Path) -> None:
    slow = START + ((poisson() - START) * 1.25).astype(np.int64)
    trial = write(tmp_path, slow[slow < START + SECONDS * SECOND], arrivals="poisson")
    assert reasons(trial)["schedule-nonconforming"] is Status.INVALID
    trial = write(tmp_path, uniform(), arrivals="poisson")  # right rate, no randomness
    assert reasons(trial) == {"schedule-nonconforming": Status.INVALID}
    assert "Poisson" in trial.verdict.reasons[0].text


def test_sends_that_lag_with_connections_free_are_nonconforming(tmp_path: Path) -> None:
    slots = uniform()
    into = slots - START
    late = np.where(into < 500_000_000, START + 500_000_000, slots)  # stood still for half a second
    trial = write(tmp_path, slots, late + 10_000)
    found = checks(trial).schedule
    assert found is not None
    assert found.distance_of == "sends"
    assert found.sends_behind == pytest.approx(500, abs=2)
    assert found.sends_behind_ns == pytest.approx(500_000_000, rel=0.01)
    assert reasons(trial)["schedule-nonconforming"] is Status.DEGRADED


def test_a_plan_with_steps_brings_its_own_integral() -> None:
    """The checks know a plan only by how many slots it has before a moment."""

    def planned(at_ns: Ints) -> Any:
        t = (at_ns - START) / 1e9
        return np.where(t < 10, 100 * t, 1000 + 400 * (t - 10))

    slots = START + np.concatenate([
        np.arange(1000) * 10_000_000, 10 * SECOND + np.arange(4000) * 2_500_000
    ])  # fmt: skip
    executed = conformance.Executed(slots, slots, np.zeros(len(slots), np.int64), 0, None, True)
    found = conformance.check(
        planned, executed, regular=True, measured=np.ones(len(slots), bool),
        backlog_ns=np.zeros(len(slots), np.int64), end_ns=START + 20 * SECOND,
    )  # fmt: skip
    assert found is not None
    assert (found.slots_off, found.slots_doubled, found.slots_missing) == (0, 0, 0)
    assert found.distance_share < 0.001


@pytest.mark.parametrize(
    ("counted", "status"), [(19_900, None), (19_700, Status.DEGRADED), (17_000, Status.INVALID)]
)
def test_littles_law_finds_lost_requests(
    tmp_path: Path, counted: int, status: Status | None
) -> None:
    assert reasons(write(tmp_path, uniform(), counted=counted)).get("littles-law") is status


def test_littles_law_finds_a_counter_that_leaks(tmp_path: Path) -> None:
    trial = write(tmp_path, uniform(), leaked=3)
    assert reasons(trial) == {"littles-law": Status.INVALID}
    assert "counter is 2 away" in trial.verdict.reasons[0].text


def pooled(folder: Path, *, connections: int, service: int, stop: int = 0) -> TrialData:
    """So many connections in turn; the server stops for `stop` ns in each second."""
    slots = uniform()
    free = [0] * connections
    sent, waits = [], []
    for slot in slots.tolist():
        at = min(range(connections), key=free.__getitem__)
        begin = max(slot, free[at])
        waits.append(FLAG_BACKLOG if free[at] > slot else 0)
        sent.append(begin + 1_000)
        end = begin + service
        into = (end - START) % SECOND
        free[at] = end + max(stop - into, 0) if stop else end
    ends = np.array(sent) + service
    recordings.write_facts(folder, SECONDS)
    recordings.write_load(folder, slots, np.array(sent), ends, backlog=np.array(waits))
    return collect(read_recording(folder), judge).data


def test_a_pool_that_is_too_small_says_how_many_would_do(tmp_path: Path) -> None:
    trial = pooled(tmp_path, connections=4, service=4_500_000)
    assert reasons(trial) == {"connections-exhausted": Status.DEGRADED}
    assert "--connections 5 " in trial.verdict.reasons[0].text
    assert reasons(pooled(tmp_path, connections=5, service=4_500_000)) == {}


def test_waiting_for_a_stalled_server_is_no_exhausted_pool() -> None:
    slots = uniform()
    into = (slots - START) % SECOND
    frozen = into < 20_000_000
    thaw = slots - into + 20_000_000
    ends = np.where(frozen, thaw + into // 10, slots + 200_000)
    waited = frozen & (into > 4_000_000)
    sent = np.where(waited, ends - 200_000, slots)
    arguments = {"intended_ns": slots, "service_ns": ends - sent, "connections": 4, "depth": 1}
    found = pool.check(**arguments, last_byte_ns=ends, waited=waited)  # type: ignore[arg-type]
    assert found is not None
    assert np.count_nonzero(waited) >= 300
    assert found.waited == 0


def test_a_saturated_backend_is_not_judged_by_its_pool(tmp_path: Path) -> None:
    trial = pooled(tmp_path, connections=4, service=4_500_000)
    facts = msgspec.json.decode((tmp_path / "facts.json").read_bytes())
    for sample in facts["samples"]:
        sample["backend_cpu_ns"] = int(0.95 * (sample["at_ns"] - START))
    (tmp_path / "facts.json").write_bytes(msgspec.json.encode(facts))
    trial = collect(read_recording(tmp_path), judge).data
    assert checks(trial).pool is None
    assert "95% of its cores" in trial.not_measured["checks.pool"]


def test_a_generator_that_waits_for_a_processor(tmp_path: Path) -> None:
    assert "generator-runqueue" not in reasons(write(tmp_path, uniform(), runqueue_ns=19_000_000))
    trial = write(tmp_path, uniform(), runqueue_ns=30_000_000)
    assert reasons(trial) == {"generator-runqueue": Status.DEGRADED}
    trial = write(tmp_path, uniform(), runqueue_ns=300_000_000)
    assert reasons(trial) == {"generator-runqueue": Status.INVALID}


def test_a_kernel_that_counts_no_run_queue_is_not_measured(tmp_path: Path) -> None:
    trial = write(tmp_path, uniform(), runqueue_ns=0)
    assert checks(trial).runqueue_share is None
    assert "kernel keeps no count" in trial.not_measured["checks.runqueue"]


@pytest.mark.parametrize(
    ("throttled", "status"), [(0.0005, None), (0.01, Status.DEGRADED), (0.06, Status.INVALID)]
)
def test_a_throttled_generator(tmp_path: Path, throttled: float, status: Status | None) -> None:
    trial = write(tmp_path, uniform(), engine_throttled=throttled)
    assert reasons(trial).get("generator-throttled") is status


def test_what_is_not_known_makes_nothing_worse(tmp_path: Path) -> None:
    trial = write(tmp_path, poisson(), arrivals="")
    assert checks(trial).schedule is None
    assert "checks.schedule" in trial.not_measured
    assert reasons(trial) == {}
    assert "checks.engine_throttled_ns" in trial.not_measured
