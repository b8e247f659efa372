"""The report and the site's index, byte for byte, and what holds for any input.

`PAUSEMARK_UPDATE_GOLDEN=1 pytest tests/golden` writes the pages anew; read the difference.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from harness.errors import UsageError
from harness.model.site import RunView
from harness.model.view import ReportInputs
from harness.stages.render import render
from harness.stages.site import site
from tests.golden.made_up import environment, inputs

HERE = Path(__file__).parent
BUDGET_BYTES = 150_000
VOID = {"meta", "link", "br", "path", "use", "input"}


class Balance(HTMLParser):
    """Every element that opens is closed in order, every id is used once."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag


def parsed(page: str) -> Balance:
    balance = Balance()
    balance.feed(page)
    balance.close()
    assert balance.open == []
    assert len(balance.ids) == len(set(balance.ids))
    return balance


def compare(name: str, page: str) -> None:
    path = HERE / name
    if os.environ.get("PAUSEMARK_UPDATE_GOLDEN") == "1":
        path.write_text(page, encoding="utf-8")
    assert path.exists(), f"{name} is missing: run with PAUSEMARK_UPDATE_GOLDEN=1"
    same = page == path.read_text(encoding="utf-8")
    assert same, f"{name} differs: run with PAUSEMARK_UPDATE_GOLDEN=1 and read git diff"


def run_view(folder: Path, day: int, **changes: object) -> RunView:
    """A made-up complete run of that day."""
    made = inputs(seconds=12)
    stamp = f"2026-01-{day:02d} 02:00:00 UTC"
    report = folder / f"report-{day}.html"
    report.write_text(render(made), encoding="utf-8")
    view = RunView(
        run_id=f"202601{day:02d}T020000Z-0a1b2c3d",
        created_utc=stamp,
        report=report,
        analysis=made.analysis,
        verdicts=made.verdicts,
        plan=made.plan,
        fingerprint="3f9c0b12aa77",
    )
    return msgspec.structs.replace(view, **changes)


def test_the_report_is_as_it_was() -> None:
    compare("report.golden.html", render(inputs(seconds=12)))


def test_the_sites_index_is_as_it_was(tmp_path: Path) -> None:
    runs = [run_view(tmp_path, day) for day in (1, 2, 3)]
    index = site(runs, tmp_path / "public")
    compare("site.golden.html", index.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("repeat", "seconds"), [(1, 1), (2, 30), (10, 300), (1, 3600), (10, 900)])
def test_a_page_is_sound_and_small_enough(repeat: int, seconds: int) -> None:
    page = render(inputs(repeat=repeat, seconds=seconds))
    links = parsed(page).links
    assert [link for link in links if not link.startswith(("#", "data:,"))] == []
    assert len(gzip.compress(page.encode())) < BUDGET_BYTES


def test_parts_stand_in_the_order_of_the_design() -> None:
    page = render(inputs())
    parts = ("asked", "verdicts", "answer", "evidence", "environment", "calibration", "repeat")
    places = [page.index(f'<section id="{part}">') for part in parts]
    assert places == sorted(places)


def test_mark_phases_stand_in_the_strip_of_the_collected_subject_only() -> None:
    page = render(inputs())
    drawn = re.findall(r'<div class="plot lane mark">\s*<svg', page)
    words = re.findall(r'<div class="plot lane mark">\s*<span class="lane-words">no GC', page)
    assert (len(drawn), len(words)) == (2, 6)


def empty(made: ReportInputs) -> ReportInputs:
    analysis = msgspec.structs.replace(
        made.analysis, columns=[], rows=[], curves=[], series=[], pauses=[], warnings=[]
    )
    return msgspec.structs.replace(
        made, analysis=analysis, verdicts={}, artifacts=[], environment={}, calibration=[]
    )


def test_a_run_that_measured_nothing_says_so() -> None:
    page = render(empty(inputs()))
    parsed(page)
    for words in ("NOT RUN", "not calibrated", "Nothing was tuned", "was not recorded"):
        assert words in page


def test_what_was_not_measured_is_said_and_never_zero() -> None:
    made = inputs()
    series = [
        msgspec.structs.replace(
            trial,
            seconds=[
                msgspec.structs.replace(
                    s, pause_ns=None, vcpu_not_run_ns=None, wakeup_not_taken_ns=None,
                    foreign_ns=None, p99_ns=None, max_ns=None, p50_ns=None,
                )
                for s in trial.seconds
            ],
        )
        for trial in made.analysis.series
    ]  # fmt: skip
    analysis = msgspec.structs.replace(made.analysis, series=series, pauses=[], curves=[])
    page = render(msgspec.structs.replace(made, analysis=analysis))
    parsed(page)
    assert page.count('<span class="lane-words">not measured</span>') == 4 * len(series)


def test_text_from_outside_cannot_become_markup() -> None:
    facts = environment() | {"machine": {"cpu": '<script>alert("x")</script>'}}
    page = render(msgspec.structs.replace(inputs(), environment=facts))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_site_lists_what_it_cannot_show_and_links_only_inwards(tmp_path: Path) -> None:
    runs = [
        run_view(tmp_path, 1),
        run_view(tmp_path, 2, problem="schema 9, this program reads 1", analysis=None, plan=None),
        RunView("20260103T020000Z-ffffffff", "2026-01-03", "unfinished"),
        RunView("../../etc", "2026-01-04", ""),
        run_view(tmp_path, 5, report=tmp_path / "gone.html"),
    ]
    out = tmp_path / "public"
    page = site(runs, out).read_text(encoding="utf-8")
    for words in ("schema 9", "unfinished", "cannot be a link", "has no report.html"):
        assert words in page
    links = [link for link in parsed(page).links if link != "data:,"]
    assert links
    assert all((out / link).is_file() for link in links)
    assert not list(tmp_path.glob("**/*.part"))


def test_a_run_that_was_pruned_stays_on_the_site(tmp_path: Path) -> None:
    out = tmp_path / "public"
    site([run_view(tmp_path, 1), run_view(tmp_path, 2)], out)
    page = site([run_view(tmp_path, 3)], out).read_text(encoding="utf-8")
    assert page.count("report.html") >= 3
    assert "Clean P99 in 3 runs" in page
    again = site([run_view(tmp_path, 1, problem="unfinished", report=None)], out)
    assert "unfinished" not in again.read_text(encoding="utf-8")


def test_runs_of_two_machines_have_two_histories(tmp_path: Path) -> None:
    runs = [run_view(tmp_path, day, fingerprint=f"machine{day % 2}") for day in range(1, 6)]
    page = site(runs, tmp_path / "public").read_text(encoding="utf-8")
    assert "Clean P99 in 3 runs" in page
    assert "Clean P99 in 2 runs" in page


def asked(folder: Path, day: int, **changes: object) -> RunView:
    """A made-up run whose load differs from that of the others."""
    made = run_view(folder, day)
    assert made.plan is not None
    request = msgspec.structs.replace(made.plan.request, **changes)
    return msgspec.structs.replace(made, plan=msgspec.structs.replace(made.plan, request=request))


@pytest.mark.parametrize(
    ("changes", "load"),
    [
        ({"grain_ns": 100_000}, "http/1.1, grain 100 µs"),
        ({"protocol": "h2c"}, "h2c, 1 stream, grain 50 µs"),
        ({"protocol": "h2c", "streams": 8}, "h2c, 8 streams, grain 50 µs"),
    ],
)
def test_runs_of_two_loads_have_two_histories(
    tmp_path: Path, changes: dict[str, object], load: str
) -> None:
    runs = [run_view(tmp_path, day) for day in (1, 2, 3)]
    runs += [asked(tmp_path, day, **changes) for day in (4, 5)]
    page = site(runs, tmp_path / "public").read_text(encoding="utf-8")
    assert page.count("Clean P99 in 3 runs") == page.count("Clean P99 in 2 runs") == 1
    assert f"one load ({load})" in page


def test_a_run_that_mixes_protocols_has_a_history_of_each(tmp_path: Path) -> None:
    made = run_view(tmp_path, 1)
    assert made.plan is not None
    names = [subject.name for subject in made.plan.request.subjects]
    protocols = {name: "h2c" if name == names[0] else "h1" for name in names}
    runs = [asked(tmp_path, day, protocol="", protocols=protocols, streams=4) for day in (1, 2)]
    page = site(runs, tmp_path / "public").read_text(encoding="utf-8")
    assert "one load (h1, grain" in page
    assert "one load (h2c, 4 streams, grain" in page


def test_what_was_listed_before_the_load_was_kept_is_joined_with_no_other(tmp_path: Path) -> None:
    out = tmp_path / "public"
    site([run_view(tmp_path, day) for day in (1, 2)], out)
    listed = json.loads((out / "runs.json").read_text(encoding="utf-8"))
    for run in listed["runs"]:
        del run["protocols"], run["streams"], run["grain_ns"]
    (out / "runs.json").write_text(json.dumps(listed), encoding="utf-8")
    page = site([run_view(tmp_path, day) for day in (3, 4, 5)], out).read_text(encoding="utf-8")
    assert "Clean P99 in 3 runs" in page
    assert "one load (protocol not recorded, grain not recorded)" in page


def test_an_empty_site_is_a_page(tmp_path: Path) -> None:
    page = site([], tmp_path / "public").read_text(encoding="utf-8")
    parsed(page)
    assert "no complete run yet" in page


@pytest.mark.parametrize("content", ["{", '{"schema": 9, "runs": []}', '{"runs": 1}'])
def test_a_damaged_list_of_runs_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "runs.json").write_text(content)
    with pytest.raises(UsageError, match=r"expected schema 1") as caught:
        site([], tmp_path)
    assert caught.value.hint
