"""The project's Markdown pages, as the tests of documents read them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_tidy import ROOT, tracked

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)


def pages() -> list[str]:
    """Every tracked Markdown file."""
    return [name for name in tracked() if name.endswith(".md")]


def text_of(name: str) -> str:
    """A page as it is written."""
    return (ROOT / name).read_text(encoding="utf-8")


def links(name: str) -> list[str]:
    """Where a page points to; code is no link."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text_of(name)))
    return LINK.findall(prose)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as the forges make them."""
    found = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in found}


def tables(name: str) -> list[list[str]]:
    """Every table row of a page as its cells, without the backquotes."""
    rows = [line for line in text_of(name).splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows]
