"""A user's own locustfile: what counts, how it is labelled, which flags are refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.model.users import RECORD, Records, UsersAsked, UsersSummary
from harness.stats import users

SECOND_NS = 1_000_000_000
ASKED = UsersAsked("mine.py", "http://127.0.0.1:9000", users=4, duration_s=10, warmup_s=1)
SUMMARY = UsersSummary(
    schema=1,
    entries=[("GET", "/a"), ("PUT", "/b")],
    errors={"ConnectionRefusedError: no": 3},
    whole_milliseconds=False,
    begun_ns=5 * SECOND_NS,
    ended_ns=17 * SECOND_NS,
    cpu_ns=6 * SECOND_NS,
)


def records(*rows: tuple[float, int, int, int]) -> Records:
    """Rows of seconds after the start, service time in us, entry, failed."""
    begun_ns = SUMMARY.begun_ns
    whole = [(begun_ns + round(at * 1e9), us * 1000, entry, bad) for at, us, entry, bad in rows]
    return np.array(whole, RECORD)


def test_only_what_ended_within_the_measured_part_counts() -> None:
    rows = [(1 + number / 10, 100 + number, number % 2, 0) for number in range(100)]
    warm, late = (0.5, 9_000, 0, 1), (11.5, 9_000, 0, 1)
    found = users.figures(ASKED, "folder", SUMMARY, records(warm, *rows, late))
    assert (found.total.count, found.total.failures) == (100, 0)
    assert [(one.name, one.count) for one in found.entries] == [("/a", 50), ("/b", 50)]
    assert found.achieved_rps == 10.0
    assert found.generator_core_share == 0.5
    assert found.total.service is not None
    assert found.total.service.p50 == 149_000
    assert found.total.service.max == 199_000
    assert found.total.service.p999 is None  # one request is no tail


def test_a_failure_counts_and_a_name_without_requests_is_left_out() -> None:
    found = users.figures(ASKED, "folder", SUMMARY, records((2, 100, 0, 1), (3, 100, 0, 0)))
    assert [(one.name, one.count, one.failures) for one in found.entries] == [("/a", 2, 1)]
    assert found.achieved_rps == 0.1


def test_what_a_server_said_moves_no_cursor() -> None:
    hostile = {"Bad\x1b[2J\nstatus" + "x" * 5000: 2}
    told = msgspec.structs.replace(SUMMARY, errors=hostile, entries=[("G\x1b", "/\r")])
    found = users.figures(ASKED, "", told, records((2, 100, 0, 1)))
    assert [(one.method, one.name) for one in found.entries] == [("G ", "/ ")]
    (error,) = found.errors
    assert error.startswith("Bad [2J status")
    assert len(error) < 1100


def test_a_client_of_whole_milliseconds_is_labelled() -> None:
    coarse = msgspec.structs.replace(SUMMARY, whole_milliseconds=True)
    assert users.figures(ASKED, "", coarse, records()).resolution.startswith("1 ms")
    assert users.figures(ASKED, "", SUMMARY, records()).resolution.startswith("1 us")


@pytest.mark.parametrize(
    ("flags", "where"),
    [
        (["--target", "http://127.0.0.1:1"], "--target"),
        (["--locustfile", "none.py", "--target", "http://127.0.0.1:1"], "--locustfile"),
        (["--locustfile", "FILE"], "--target"),
        (["--locustfile", "FILE", "--target", "ftp://127.0.0.1:1"], "--target"),
        (["--locustfile", "FILE", "--target", "http://127.0.0.1:1/path"], "--target"),
        (["--locustfile", "FILE", "--target", "http://127.0.0.1:99999"], "--target"),
        (["--locustfile", "FILE", "--target", "http://127.0.0.1:1", "--rps", "5"], "--rps"),
        (["--locustfile", "FILE", "--target", "http://127.0.0.1:1", "--users", "0"], "--users"),
    ],
)
def test_flags_that_cannot_be_are_refused(flags: list[str], where: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("")
    told = [str(file) if flag == "FILE" else flag for flag in flags]
    finished = CliRunner().invoke(main, ["run", *told])
    assert finished.exit_code == 2
    assert f"error: {where}: " in finished.output.replace(f" {file}", "").replace(" none.py", "")
