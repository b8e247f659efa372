"""The known answers of a scripted server, on records and logs whose truth is plain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.drivers.freeze import read_deeds
from harness.errors import BackendFailed
from harness.model.known import Check, Deeds
from harness.model.recording import FLAG_WARM_UP, Requests
from harness.stats import known

MS = 1_000_000
ERRORS = ("connect", "reset", "timeout", "closed")
BASE_NS = 60_000
COUNT = 2000


def requests(count: int = COUNT, *, took_ns: int = BASE_NS) -> Requests:
    """A millisecond apart, all good and equally fast."""
    intended = np.arange(1, count + 1, dtype=np.int64) * MS
    zero = np.zeros(count, np.int64)
    return Requests(
        intended_ns=intended,
        sent_ns=intended + 10_000,
        first_byte_ns=intended + took_ns,
        last_byte_ns=intended + took_ns,
        connection=zero,
        status=zero + 200,
        operation=zero,
        outcome=zero.copy(),
        flags=zero.copy(),
        operations=("get",),
        errors=ERRORS,
    )


def deeds(records: Requests, at: list[int], *, first_ns: int, last_ns: int) -> Deeds:
    """The log's lines for these records: received 20 us after they were sent."""
    received = [int(records.sent_ns[i]) + 20_000 for i in at]
    return Deeds(
        received_ns=tuple(received),
        first_ns=tuple(one + first_ns for one in received),
        last_ns=tuple(one + last_ns for one in received),
    )


def failed(checks: list[Check]) -> list[str]:
    """What did not pass."""
    return [check.what for check in checks if not check.passed]


def slow_ones() -> tuple[Requests, Deeds]:
    """Every hundredth slow by 20 ms."""
    records = requests()
    at = list(range(99, COUNT, 100))
    records.last_byte_ns[at] += 20 * MS
    return records, deeds(records, at, first_ns=20 * MS, last_ns=20 * MS)


def slow(records: Requests, log: Deeds) -> list[Check]:
    return known.slow(records, log, 20 * MS, measured=(0, (COUNT + 1) * MS))


def test_slow_answers_are_counted_and_are_the_tail() -> None:
    records, log = slow_ones()
    assert failed(slow(records, log)) == []


def test_one_slow_answer_too_many_is_one_too_many() -> None:
    records, log = slow_ones()
    records.last_byte_ns[5] += 20 * MS
    assert failed(slow(records, log)) == ["answers slow by the script's time"]


def test_a_tail_that_reads_a_millisecond_less_is_wrong() -> None:
    records, log = slow_ones()
    records.last_byte_ns[99::100] += MS
    assert failed(slow(records, log)) == ["P99.5", "P99.9"]


def test_a_bulk_that_the_slow_ones_hold_up_is_wrong() -> None:
    records, log = slow_ones()
    records.last_byte_ns[:] += MS
    assert "P50" in failed(slow(records, log))


def test_without_slow_answers_in_the_measured_part_there_is_nothing_to_read() -> None:
    records, log = slow_ones()
    checks = known.slow(records, log, 20 * MS, measured=(0, 1))
    assert failed(checks) == ["P99.5", "P99.9"]
    assert "nothing" in checks[-1].text


def dropped_ones(waited_ns: int) -> tuple[Requests, Deeds]:
    """Two that were never answered."""
    records, at = requests(), [500, 1500]
    records.outcome[at] = ERRORS.index("timeout") + 1
    records.last_byte_ns[at] = records.sent_ns[at] + waited_ns
    return records, deeds(records, at, first_ns=0, last_ns=0)


@pytest.mark.parametrize(
    ("waited_ns", "wrong"),
    [(200 * MS, []), (203 * MS, []), (199 * MS, ["the wait"]), (206 * MS, ["the wait"])],
    ids=["at once", "a step late", "too early", "too late"],
)
def test_what_is_dropped_times_out_in_time(waited_ns: int, wrong: list[str]) -> None:
    records, log = dropped_ones(waited_ns)
    found = failed(known.dropped(records, log, 200 * MS))
    assert [name[:8] for name in found] == wrong


def test_what_is_dropped_holds_up_nothing_else() -> None:
    records, log = dropped_ones(201 * MS)
    records.last_byte_ns[7] += 150 * MS
    assert failed(known.dropped(records, log, 200 * MS)) == [
        "others that took longer than half the timeout"
    ]


def test_failures_of_another_kind_are_told_apart() -> None:
    records = requests()
    records.outcome[10] = ERRORS.index("reset") + 1
    log = deeds(records, [10], first_ns=0, last_ns=0)
    assert failed(known.exactly(records, "reset", log)) == []
    records.outcome[11] = ERRORS.index("closed") + 1
    assert failed(known.exactly(records, "reset", log)) == ["other failures"]
    assert failed(known.exactly(records, "closed", log)) == ["other failures"]
    assert known.failures(records) == {"reset": 1, "closed": 1}
    assert failed([known.no_failures(records)]) == ["failures"]
    records.flags[10] = FLAG_WARM_UP
    assert known.failures_measured(records) == 1


def late_ones() -> tuple[Requests, Deeds]:
    """Each first byte 5 ms late, each last byte 5 more."""
    records = requests()
    log = deeds(records, list(range(COUNT)), first_ns=5 * MS, last_ns=10 * MS)
    records.first_byte_ns[:] = np.array(log.first_ns) + 40_000
    records.last_byte_ns[:] = np.array(log.last_ns) + 40_000
    return records, log


def test_first_and_last_bytes_are_timed_apart() -> None:
    records, log = late_ones()
    assert failed(known.late(records, log)) == []
    records.first_byte_ns[:] = records.last_byte_ns
    assert failed(known.late(records, log)) == ["first byte, P50", "first to last byte, P50"]


def test_a_first_byte_before_the_server_sent_it_is_impossible() -> None:
    records, log = late_ones()
    records.first_byte_ns[3] = records.sent_ns[3] + MS
    assert failed(known.late(records, log)) == ["first bytes before the server sent any"]


def overload() -> tuple[Requests, Deeds]:
    """1,000 a second offered, 800 served, one after the other."""
    records = requests()
    turns = int(records.intended_ns[0]) + np.arange(1, COUNT + 1) * 1_250_000
    records.last_byte_ns[:] = turns + BASE_NS
    received = turns - 1_250_000  # as early as keeps it busy, no earlier
    log = Deeds(
        received_ns=tuple(int(one) for one in received),
        first_ns=tuple(int(one) for one in turns),
        last_ns=tuple(int(one) for one in turns),
    )
    return records, log


def test_an_overload_grows_linearly_with_the_excess() -> None:
    records, log = overload()
    checks = known.overloaded(records, log, rate_rps=1000.0, served_rps=800)
    assert failed(checks) == []
    at_the_end = checks[-1]
    assert at_the_end.expected == pytest.approx(0.25 * COUNT * MS, rel=0.04)
    middle = len(records) // 4 - 51
    records.last_byte_ns[middle : middle + 3] += 3 * MS  # a stall that three meet
    assert failed(known.overloaded(records, log, rate_rps=1000.0, served_rps=800)) == []
    records.last_byte_ns[:] = records.intended_ns + BASE_NS  # from the actual send, it would be
    checks = known.overloaded(records, log, rate_rps=1000.0, served_rps=800)
    assert failed(checks) == [f"response time at {at}" for at in ("a quarter", "half", "the end")]


LINES = """{"event":"slow","number":1,"received_ns":5,"first_ns":6,"last_ns":7}
{"event":"slow","number":100,"received_ns":60,"first_ns":80,"last_ns":81}
{"event":"drop","number":3,"received_ns":70,"first_ns":0,"last_ns":0}
"""


def test_a_log_is_read_from_the_start_of_the_schedule(tmp_path: Path) -> None:
    log = tmp_path / "freeze.jsonl"
    log.write_text(LINES + '{"event":"end","lost":0}\n')
    found = read_deeds(log, "slow", since_ns=50)
    assert found == Deeds(received_ns=(60,), first_ns=(80,), last_ns=(81,))


@pytest.mark.parametrize(
    ("end", "said"),
    [("", "without its log's last line"), ('{"event":"end","lost":2}\n', "lost 2 events")],
    ids=["killed", "lost"],
)
def test_a_log_that_is_not_whole_is_no_truth(tmp_path: Path, end: str, said: str) -> None:
    log = tmp_path / "freeze.jsonl"
    log.write_text(LINES + end)
    with pytest.raises(BackendFailed, match=said):
        read_deeds(log, "slow", since_ns=0)
