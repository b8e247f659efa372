"""Each planted fault is found by the test that is there for it: no test that cannot fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.servers import REPOSITORY
from tests.durability.kit import can_trace

FOUND_BY = {
    "early": "nobody_reads_what_could_still_be_lost and batch",
    "visible": "nobody_reads_what_could_still_be_lost and batch",
    "forgetful": "every_write_is_one_record_in_order and batch",
    "trusting": "the_durable_lsn_alone_decides",
    "stale": "dropped_records_never_come_back and flipped",
    "retrying": "failing_device_is_never_retried and batch-sync",
    "racing": "condition_is_won_once and batch",
}
TRACED = {"early", "visible", "retrying"}


@pytest.mark.parametrize("fault", FOUND_BY)
def test_a_planted_fault_is_found(fault: str) -> None:
    if fault in TRACED and not can_trace():
        pytest.skip("strace may not attach")
    sound = run("sound", FOUND_BY[fault])
    assert " passed" in sound
    assert " failed" not in sound, sound
    assert " failed" in run(fault, FOUND_BY[fault])


def run(variant: str, which: str) -> str:
    """The last line of a run of the tests so named against a variant of the planted store."""
    folder = str(Path(__file__).parent)
    options = ["-q", "-p", "no:cacheprovider", "--backends-dir", folder]
    command = [sys.executable, "-m", "pytest", folder, *options, "-k", f"{variant} and {which}"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=REPOSITORY
    )
    return done.stdout.strip().splitlines()[-1]
