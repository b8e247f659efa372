"""The runner of ceph/s3-tests, without the suite: its lists, its configuration, how it judges."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from tests.conformance import s3_tests

REPORT = """<testsuites><testsuite>
<testcase classname="s3tests.functional.test_s3" name="test_good"/>
<testcase classname="s3tests.functional.test_s3" name="test_bad">
  <failure message="assert 501 == 200&#10;more">long</failure></testcase>
<testcase classname="s3tests.functional.test_s3" name="test_left">
  <error message="failed on teardown"/></testcase>
<testcase classname="s3tests.functional.test_headers" name="test_good"><skipped message="no"/>
</testcase></testsuite></testsuites>"""


@pytest.mark.parametrize("file_name", s3_tests.LISTS)
def test_lists_are_sorted_and_name_each_test_once(file_name: str) -> None:
    names = s3_tests.pinned(file_name)
    assert names == sorted(set(names))
    assert all(name.startswith(("test_s3.py::test_", "test_headers.py::test_")) for name in names)


def test_no_name_stands_in_both_lists() -> None:
    core, mpu = (set(s3_tests.pinned(file_name)) for file_name in s3_tests.LISTS)
    assert not core & mpu


def test_a_name_passed_only_if_nothing_was_said_of_it() -> None:
    names = ["test_s3.py::test_good", "test_s3.py::test_bad", "test_s3.py::test_left"]
    names += ["test_headers.py::test_good", "test_s3.py::test_gone"]
    assert s3_tests.judged(names, REPORT) == s3_tests.Outcome(
        1,
        {
            "test_s3.py::test_bad": "failure: assert 501 == 200",
            "test_s3.py::test_left": "error: failed on teardown",
            "test_headers.py::test_good": "skipped: no",
            "test_s3.py::test_gone": "not in the suite",
        },
    )


def test_the_configuration_names_three_users_with_keys_of_their_own() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(s3_tests.configuration(8123))
    assert parser.defaults()["port"] == "8123"
    users = [parser.get(f"s3 {name}", "access_key") for name in s3_tests.USERS]
    assert len(set(users)) == 3
    assert parser.get("s3 tenant", "tenant") == "tenant"


def test_a_wrong_folder_is_wrong_use_and_says_how_to_fetch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert s3_tests.main(["--suite", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "error: s3-tests:" in said
    assert said.count("hint: ") == 2
    assert s3_tests.COMMIT in said


def test_a_suite_without_its_interpreter_is_wrong_use(tmp_path: Path) -> None:
    folder = tmp_path / s3_tests.TESTS
    folder.mkdir(parents=True)
    (folder / "test_s3.py").touch()
    with pytest.raises(s3_tests.SuiteError, match="no such interpreter"):
        s3_tests.checked(tmp_path, tmp_path / ".venv" / "bin" / "python")
