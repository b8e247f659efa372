"""`make s3-tests`: the pinned names of ceph/s3-tests against every backend variant, as a table.

The suite is never kept here: --suite names a clone of it, with its own virtual environment.
Exit 0: every pinned name passed; 1: a name failed; 2: wrong use; 4: nothing could be asked.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.conformance.run import say, table
from tests.contract.servers import (
    AUTH_VERIFY,
    REPOSITORY,
    Backend,
    ProcessLauncher,
    build,
    discover,
)
from tests.contract.signing import Key

UPSTREAM = "https://github.com/ceph/s3-tests"
COMMIT = "8f0ae7b404a3a2fcf7038bf1e6bf29544fe9b6a3"
TESTS = Path("s3tests") / "functional"
SUITE_TIMEOUT_S = 3600
WHY_CHARACTERS_MAX = 200
HERE = Path(__file__).resolve().parent

# The lists, and what a manifest must declare to be asked them. The suite empties its buckets by
# the listing of versions, so even the core needs `versions`.
LISTS = {
    "s3_tests_core.txt": frozenset({"verify", "versions"}),
    "s3_tests_mpu.txt": frozenset({"verify", "versions", "mpu"}),
}
USERS = {
    name: Key(f"PAUSEMARKS3TESTS{name.upper()}", f"s3-tests-secret-of-{name}")
    for name in ("main", "alt", "tenant")
}
# The suite reads more sections than it has users here; IAM is asked by none of the pinned names.
SECTIONS = {
    "s3 main": "main",
    "s3 alt": "alt",
    "s3 tenant": "tenant",
    "iam": "tenant",
    "iam root": "tenant",
    "iam alt root": "tenant",
}


class SuiteError(Exception):
    """The folder is not the suite at its pinned commit, or its environment is missing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one variant did: names that passed, and why each other one did not."""

    passed: int
    failed: dict[str, str]


def pinned(file_name: str) -> list[str]:
    """The names of one list, as `file.py::test`."""
    return (HERE / file_name).read_text(encoding="utf-8").split()


def checked(suite: Path, python: Path) -> None:
    """Raise unless the suite stands in the folder, at its commit, with an interpreter for it."""
    if not (suite / TESTS / "test_s3.py").is_file():
        raise SuiteError(f"{suite}: there is no {TESTS / 'test_s3.py'} in it")
    if (suite / ".git").exists():
        head = subprocess.run(
            ["git", "-C", str(suite), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ).stdout.strip()
        if head != COMMIT:
            raise SuiteError(f"{suite}: expected commit {COMMIT}, got {head or 'none'}")
    else:
        say(f"{suite}: not a clone, so its commit is not checked")
    if not python.is_file():
        raise SuiteError(f"{python}: no such interpreter, expected the suite's own")


def configuration(port: int) -> str:
    """The suite's configuration file for a server on this port."""
    lines = ["[DEFAULT]", "host = 127.0.0.1", f"port = {port}", "is_secure = False"]
    lines += ["[fixtures]", "bucket prefix = s3tests-{random}-"]
    for section, user in SECTIONS.items():
        lines += [
            f"[{section}]",
            f"display_name = {user}",
            f"user_id = {user}",
            f"email = {user}@example.com",
            f"access_key = {USERS[user].id}",
            f"secret_key = {USERS[user].secret}",
        ]
        lines += ["tenant = tenant"] if section == "s3 tenant" else []
    return "\n".join(lines) + "\n"


def run_suite(suite: Path, python: Path, port: int, names: Sequence[str], scratch: Path) -> Outcome:
    """One pytest of the suite, in this thread and one process: its tests count buckets."""
    (scratch / "s3tests.conf").write_text(configuration(port), encoding="utf-8")
    report = scratch / "report.xml"
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts="]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "S3TEST_CONF": str(scratch / "s3tests.conf"),
    }
    try:
        done = subprocess.run(
            [*command, f"--junitxml={report}", *(str(TESTS / name) for name in names)],
            capture_output=True,
            text=True,
            timeout=SUITE_TIMEOUT_S,
            check=False,
            cwd=suite,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return Outcome(0, dict.fromkeys(names, f"no end within {SUITE_TIMEOUT_S} s"))
    if not report.is_file():
        said = (done.stdout + done.stderr).strip()[-600:]
        raise SuiteError(f"pytest of the suite ended with {done.returncode}: {said}")
    return judged(names, report.read_text(encoding="utf-8"))


def judged(names: Sequence[str], report: str) -> Outcome:
    """The outcome by pytest's report; a name that was skipped, or is not in it, has failed."""
    why: dict[str, str] = dict.fromkeys(names, "not in the suite")
    passed: set[str] = set()
    for case in ElementTree.fromstring(report).iter("testcase"):
        file_name = case.get("classname", "").rpartition(".")[2] + ".py"
        name = f"{file_name}::{case.get('name')}"
        reasons = [e for e in case if e.tag in {"failure", "error", "skipped"}]
        if reasons:
            message = (reasons[0].get("message") or "no message").splitlines()[0]
            why[name] = f"{reasons[0].tag}: {message[:WHY_CHARACTERS_MAX]}"
        else:
            passed.add(name)
    failed = {name: why[name] for name in names if name not in passed}
    return Outcome(len(names) - len(failed), failed)


def asked(backend: Backend, names: Sequence[str], suite: Path, python: Path) -> Outcome:
    """Run the names against a server of their own, every user known to it."""
    build(backend)
    with tempfile.TemporaryDirectory(prefix="s3-tests-") as scratch:
        credentials = [f"--credential={user.id}:{user.secret}" for user in USERS.values()]
        running = ProcessLauncher(Path(scratch)).start(backend, (AUTH_VERIFY, *credentials))
        try:
            return run_suite(suite, python, running.port, names, Path(scratch))
        finally:
            running.stop()


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="s3_tests", description=__doc__)
    parser.add_argument("--suite", required=True, type=Path, help="a clone of ceph/s3-tests")
    parser.add_argument("--python", type=Path, help="its interpreter (<suite>/.venv/bin/python)")
    parser.add_argument("--backends-dir", action="append", default=[], type=Path)
    parser.add_argument("--backend", action="append", default=[], help="only this one, by name")
    parser.add_argument("--list", action="append", default=[], choices=list(LISTS))
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Check the suite, ask every variant, print; the exit code."""
    asked_for = arguments(given)
    # Not resolved: a virtual environment's interpreter is a link, and its name is what counts.
    suite = asked_for.suite.absolute()
    python = (asked_for.python or suite / ".venv" / "bin" / "python").absolute()
    try:
        checked(suite, python)
        outcomes = all_outcomes(asked_for, suite, python)
    except SuiteError as error:
        say(f"error: s3-tests: {error}")
        for line in how_to_fetch():
            say(f"hint: {line}")
        return 2
    if not outcomes:
        say("error: s3-tests: nothing to ask, expected a backend with verify and versions")
        say("hint: --backends-dir DIR, or see above why each is not asked")
        return 4
    return report(outcomes)


def all_outcomes(
    asked_for: argparse.Namespace, suite: Path, python: Path
) -> dict[tuple[str, str], Outcome]:
    """The outcome of each variant and list; what a manifest lacks is said."""
    folders = [path.resolve() for path in asked_for.backends_dir] or [REPOSITORY / "backends"]
    wanted = set(asked_for.backend)
    outcomes = {}
    for backend in discover(folders):
        if wanted and backend.manifest["name"] not in wanted:
            continue
        for file_name in asked_for.list or LISTS:
            if missing := sorted(LISTS[file_name] - backend.profiles):
                say(f"{backend.name}: {file_name}: not asked, lacks {', '.join(missing)}")
                continue
            outcome = asked(backend, pinned(file_name), suite, python)
            outcomes[backend.name, file_name] = outcome
            say(f"{backend.name}: {file_name}: {outcome.passed} passed")
    return outcomes


def how_to_fetch() -> list[str]:
    """The two commands that make a suite's folder."""
    return [
        f"git clone {UPSTREAM} DIR && git -C DIR checkout {COMMIT}",
        "python3 -m venv DIR/.venv && DIR/.venv/bin/pip install -r DIR/requirements.txt",
    ]


def report(outcomes: dict[tuple[str, str], Outcome]) -> int:
    """Print the commit, the table and the reasons; 1 when a name failed."""
    rows = {
        f"{name}, {file_name}": [str(outcome.passed), " ".join(outcome.failed) or "none"]
        for (name, file_name), outcome in outcomes.items()
    }
    reasons = [
        f"{name}: {test}: {why}"
        for (name, _), outcome in outcomes.items()
        for test, why in outcome.failed.items()
    ]
    lines = [f"{UPSTREAM} {COMMIT}", *table(rows, ["passed", "failed"], "variant, list"), *reasons]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
