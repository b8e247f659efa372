"""The workflows call make targets that exist, so that whatever they do can be done here."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.test_tidy import ROOT, tracked

WORKFLOWS = [name for name in tracked() if name.startswith(".github/workflows/")]
# What has to happen before there is a checkout with make in it.
BEFORE_MAKE = ("apt-get update", "git config --global --add safe.directory")


def commands(name: str) -> list[str]:
    """Every `run:` of a workflow."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"^\s*(?:- )?run: (.+)$", text, re.M)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_call_make_only(name: str) -> None:
    for command in commands(name):
        assert command.startswith(("make ", *BEFORE_MAKE)), f"{name}: {command}"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_targets_exist(name: str) -> None:
    for command in commands(name):
        if not command.startswith("make "):
            continue
        target = command.split()[1]
        dry = subprocess.run(
            ["make", "--dry-run", "--no-print-directory", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert dry.returncode == 0, f"{name}: {command}: {dry.stderr}"


def test_the_night_refuses_a_commit_that_is_not_there() -> None:
    night = subprocess.run(
        ["tools/nightly.sh"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "BASELINE": "no-such-commit"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert night.returncode == 2
    assert night.stderr.splitlines() == [
        "error: BASELINE: expected a commit of this repository, got no-such-commit",
        "hint: a shallow clone lacks old commits: git fetch --unshallow",
    ]


def test_the_pinned_baseline_is_a_commit_of_the_past() -> None:
    text = (ROOT / ".github/workflows/nightly.yml").read_text(encoding="utf-8")
    pin = re.search(r"BASELINE_PINNED: ([0-9a-f]{40})$", text, re.M)
    assert pin is not None
    shallow = git("rev-parse", "--is-shallow-repository")
    if shallow.returncode != 0 or shallow.stdout.strip() == "true":
        pytest.skip("the past is not in a shallow clone or an archive")
    assert git("merge-base", "--is-ancestor", pin[1], "HEAD").returncode == 0


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of git in the checkout."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
