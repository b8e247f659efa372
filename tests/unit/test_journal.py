"""Tuning is put back by whoever comes next, also after a kill -9."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import EnvironmentLacking
from harness.system import tuning
from harness.system.journal import Journal, only_one, process_identity, recover
from harness.system.tuning import Operation, tuned_machine

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from harness.system.journal import Journal
setting = Path(sys.argv[1]) / "setting"
journal = Journal(Path(sys.argv[1]) / "journal")
journal.add({"kind": "setting", "path": str(setting), "before": "0"})
setting.write_text("200000")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_owners_settings_are_put_back(tmp_path: Path) -> None:
    setting = tmp_path / "setting"
    setting.write_text("0")
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), root], check=False)
    assert setting.read_text() == "200000"
    said = recover(tmp_path / "journal")
    assert setting.read_text() == "0"
    assert len(said) == 1
    assert recover(tmp_path / "journal") == []


def test_a_living_owners_journal_is_left_alone(tmp_path: Path) -> None:
    setting = tmp_path / "setting"
    setting.write_text("1")
    journal = Journal(tmp_path / "journal")
    journal.add({"kind": "setting", "path": str(setting), "before": "0"})
    assert recover(tmp_path / "journal") == []
    assert setting.read_text() == "1"
    journal.close()
    assert not list((tmp_path / "journal").iterdir())


def test_a_damaged_journal_is_removed_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "journal-999999999-1.json").write_text("{not json")
    assert recover(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_a_process_is_known_by_pid_and_start_time() -> None:
    assert process_identity(1) is not None
    assert process_identity(999_999_999) is None


def test_two_measurements_do_not_run_at_once(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(EnvironmentLacking, match="another measurement"):  # noqa: SIM117
        with only_one(tmp_path):
            pass


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A setting of this test's own, as the only operation."""
    path = tmp_path / "halt_poll_ns"
    path.write_text("0")
    operations = (Operation("halt polling", str(path), "200000", "why"),)
    monkeypatch.setattr(tuning, "OPERATIONS", operations)
    return path


def test_tuning_holds_inside_and_is_undone_after_an_error(setting: Path, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")

    def interrupted() -> None:
        with tuned_machine(journal, apply=True) as done:
            assert setting.read_text() == "200000"
            assert (done[0].state, done[0].before, done[0].after) == ("applied", "0", "200000")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert setting.read_text() == "0"
    assert not list((tmp_path / "journal").iterdir())


def test_tune_off_changes_nothing_and_says_what_it_would(setting: Path, tmp_path: Path) -> None:
    with tuned_machine(Journal(tmp_path / "journal"), apply=False) as done:
        assert setting.read_text() == "0"
        assert done[0].state == "off"
        assert "200000" in done[0].reason


def test_a_setting_that_is_already_right_is_not_undone(setting: Path, tmp_path: Path) -> None:
    setting.write_text("200000")
    with tuned_machine(Journal(tmp_path / "journal"), apply=True) as done:
        assert done[0].state == "already"
    assert setting.read_text() == "200000"
