"""Decisions and the changelog keep their form."""

from __future__ import annotations

import re

import pytest

from harness import __version__
from tests.docs.pages import pages, text_of

DECISIONS = [page for page in pages() if re.match(r"docs/adr/\d{4}-", page)]
PAGE_LINES_MAX = 60


def headings(text: str) -> list[str]:
    """Second-level headings in their order."""
    return re.findall(r"^## (.*)$", text, re.M)


@pytest.mark.parametrize("page", DECISIONS)
def test_a_decision_is_a_page_in_three_parts(page: str) -> None:
    text = text_of(page)
    number = page.rsplit("/", maxsplit=1)[-1][:4]
    assert text.startswith(f"# {number}: ")
    assert re.search(r"^Status: (accepted|superseded by \d{4})$", text, re.M)
    assert headings(text) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= PAGE_LINES_MAX


def test_decisions_are_numbered_once() -> None:
    numbers = [int(page.split("/")[-1][:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_changelog_has_two_parts_a_release() -> None:
    releases = re.split(r"^## ", text_of("CHANGELOG.md"), flags=re.M)[1:]
    assert releases[0].startswith(__version__)
    for release in releases:
        parts = re.findall(r"^### (.*)$", release, re.M)
        assert parts == ["Tool", "Methodology"], release.splitlines()[0]


def test_every_claim_has_a_known_status() -> None:
    """Whatever is more than "not yet tested" links to the run that shows it."""
    rows = [
        line for line in text_of("docs/CLAIMS.md").splitlines() if re.match(r"\| [A-F]\d ", line)
    ]
    assert len(rows) == 17
    for row in rows:
        status = row.rstrip(" |").rpartition("|")[2].strip()
        known = re.match(r"(reproduced|contradicted|not testable as written)\b", status)
        assert status == "not yet tested" or (known and "](" in status), row
