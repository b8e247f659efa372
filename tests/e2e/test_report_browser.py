"""The report and the site in headless Chromium: silent, offline, readable without scripts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.stages.render import render
from harness.stages.site import site
from tests.e2e import browser
from tests.golden.made_up import inputs
from tests.golden.test_report import run_view

SIZES = [(1280, 900), (360, 740)]
THEMES = ["light", "dark"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Browser]:
    path = browser.executable()
    if path is None:
        reason = "no Chromium on the PATH: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with browser.running(path) as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    report = folder / "report.html"
    report.write_text(render(inputs()), encoding="utf-8")
    index = site([run_view(folder, day) for day in (1, 2, 3)], folder / "public")
    return {"report": report, "site": index}


def quiet(page: browser.Page, url: str) -> None:
    """Nothing was complained of, and nothing was asked for but the page itself."""
    assert page.complaints == []
    assert [asked for asked in page.requests if asked not in {url, "data:,"}] == []


@pytest.mark.parametrize("name", ["report", "site"])
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_a_page_fits_and_asks_for_nothing(
    chromium: browser.Browser,
    pages: dict[str, Path],
    name: str,
    theme: str,
    size: tuple[int, int],
) -> None:
    with chromium.page() as page:
        page.shape(*size, theme=theme)
        page.open(pages[name].as_uri())
        wide = page.value("document.documentElement.scrollWidth")
        assert wide == size[0], f"the page is {wide} wide in a window of {size[0]}"
        paper = page.value("getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(253, 252, 249)", "dark": "rgb(21, 22, 24)"}[theme]
        quiet(page, pages[name].as_uri())


# Counts of what is laid out with a size, by selector; a chart that is in the page but has no
# height would not be readable.
SEEN = """
Object.fromEntries(%s.map(selector => [selector, [...document.querySelectorAll(selector)]
  .filter(e => e.checkVisibility())
  .filter(e => { const r = e.getBoundingClientRect(); return r.width && r.height; })
  .length]))
"""


def seen(page: browser.Page, selectors: list[str]) -> dict[str, int]:
    found = page.value(SEEN % selectors)
    assert isinstance(found, dict)
    return found


def test_the_report_reads_without_scripts(
    chromium: browser.Browser, pages: dict[str, Path]
) -> None:
    selectors = ["table.figures", ".curves svg", ".seconds svg", ".lane.mark path", ".cause-table"]
    with chromium.page() as page:
        page.scripts(on=False)
        page.shape(1280, 900)
        page.open(pages["report"].as_uri())
        counts = seen(page, selectors)
        assert page.value("document.querySelectorAll('.readout').length") == 0
        quiet(page, pages["report"].as_uri())
    # four subjects; a response plot each, and lanes: six for Go, four for those without a GC
    assert counts["table.figures"] == 5  # the operations' is one of them
    assert counts[".curves svg"] == 4
    assert counts[".seconds svg"] == 4 + 6 + 3 * 4
    assert counts[".lane.mark path"] == 1
    assert counts[".cause-table"] == 1


def test_the_site_reads_without_scripts(chromium: browser.Browser, pages: dict[str, Path]) -> None:
    with chromium.page() as page:
        page.scripts(on=False)
        page.shape(1280, 900)
        page.open(pages["site"].as_uri())
        counts = seen(page, ["table.figures", ".history svg", ".marks .dot", ".runs tbody tr"])
        quiet(page, pages["site"].as_uri())
    assert counts == {
        "table.figures": 4,  # the newest run's operations among them
        ".history svg": 4,
        ".marks .dot": 12,
        ".runs tbody tr": 3,
    }


def test_every_link_of_the_site_leads_to_a_page(
    chromium: browser.Browser, pages: dict[str, Path]
) -> None:
    with chromium.page() as page:
        page.open(pages["site"].as_uri())
        links = page.value("[...new Set([...document.links].map(link => link.href))]")
        assert isinstance(links, list)
        assert len(links) == 3
        for link in links:
            page.open(link)
            assert page.value("document.querySelectorAll('#answer').length") == 1
        assert page.complaints == []


def test_a_second_is_read_out_at_the_pointer_and_by_the_keys(
    chromium: browser.Browser, pages: dict[str, Path]
) -> None:
    with chromium.page() as page:
        page.shape(1280, 900)
        page.open(pages["report"].as_uri())
        page.value(
            "window.grid = [...document.querySelectorAll('.series.s3 .series-grid')][0];"
            "document.documentElement.style.scrollBehavior = 'auto';"
            "grid.scrollIntoView({block: 'start'}); 0"
        )
        plot = page.value(
            "(r => [r.left + 3, r.top + 20])(grid.querySelector('.plot').getBoundingClientRect())"
        )
        assert isinstance(plot, list)
        page.call("Input.dispatchMouseEvent", type="mouseMoved", x=plot[0], y=plot[1])
        shown = "document.querySelector('.series.s3 .readout').innerText"
        assert "second 0" in str(page.value(shown))
        assert "GC mark phases" in str(page.value(shown))
        page.value("grid.focus(); 0")
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight")
        assert "second 1" in str(page.value(shown))
        quiet(page, pages["report"].as_uri())
