"""Every reason of a verdict has its page, every page its reason, and both say the same limits."""

from __future__ import annotations

import re

import pytest

from harness.model.verdict import THRESHOLDS, Threshold
from tests.docs.pages import pages, tables, text_of
from tests.docs.test_methodology import limit

FOLDER = "docs/verdicts/"
SECTIONS = ["What it means", "How it is measured", "Why these limits", "What to do"]


def written() -> set[str]:
    names = [name.removeprefix(FOLDER) for name in pages() if name.startswith(FOLDER)]
    return {name.removesuffix(".md") for name in names} - {"README"}


def limits(threshold: Threshold) -> str:
    """As a page's second line says them."""
    both = (("DEGRADED", threshold.degraded), ("INVALID", threshold.invalid))
    told = [
        f"{name} above {limit(value, threshold.unit)}" for name, value in both if value is not None
    ]
    return ", ".join(told) + "."


def test_every_id_has_its_page_and_every_page_its_id() -> None:
    assert written() == set(THRESHOLDS)


@pytest.mark.parametrize("threshold", THRESHOLDS.values(), ids=THRESHOLDS.keys())
def test_a_page_says_what_its_threshold_is(threshold: Threshold) -> None:
    text = text_of(f"{FOLDER}{threshold.id}.md")
    head, *sections = re.split(r"^## ", text, flags=re.M)
    about = threshold.about[0].upper() + threshold.about[1:]
    assert head == f"# `{threshold.id}`\n\n{about}. {limits(threshold)}\n\n"
    assert [section.splitlines()[0] for section in sections] == SECTIONS
    assert all(len(section.split()) > len(section.splitlines()[0].split()) for section in sections)


def test_the_index_lists_each_page_once() -> None:
    rows = [row for row in tables(f"{FOLDER}README.md") if row[0].startswith("[")]
    listed = [re.sub(r"^\[(.*)\]\((.*)\.md\)$", r"\1=\2", row[0]) for row in rows]
    assert sorted(listed) == sorted(f"{id}={id}" for id in THRESHOLDS)
    assert {row[0][1:].partition("]")[0]: row[1] for row in rows} == {
        id: threshold.about for id, threshold in THRESHOLDS.items()
    }
