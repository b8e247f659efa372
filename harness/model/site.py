"""What the site shows of many runs: its entries, which outlive their folders, and histories."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.model.analysis import Analysis
from harness.model.plan import Plan
from harness.model.verdict import Verdict
from harness.model.view import Fact, Table, Tick


class RunView(msgspec.Struct, frozen=True):
    """One folder of results as the site sees it; `problem` says why there is no report to show."""

    run_id: str  # the folder's name
    created_utc: str = ""  # as sorted: ISO 8601 or the folder's own stamp
    problem: str = ""  # "" when complete; "unfinished", "schema 3, this program reads 1"
    report: Path | None = None  # its report.html
    analysis: Analysis | None = None
    verdicts: dict[int, Verdict] = {}
    plan: Plan | None = None
    fingerprint: str = ""


class HistoryPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The P99 of one subject in one run, in ns, kept in the site for good."""

    subject: str
    title: str
    value_ns: float
    low_ns: float | None
    high_ns: float | None


class SiteEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run in the site's `runs.json`, which outlives the folder that it came from."""

    run_id: str
    created_utc: str
    title: str
    verdicts: str
    fingerprint: str
    problem: str
    page: str  # relative to the site, "" for none
    clean_p99: list[HistoryPoint] = []
    protocols: dict[str, str] = {}  # by subject's name
    streams: int = 1  # at once on a connection of those that speak h2c
    grain_ns: int | None = None  # None: listed before the site kept it


class SiteIndex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`runs.json` of a site."""

    schema: int
    runs: list[SiteEntry]


class HistoryMark(msgspec.Struct, frozen=True):
    """One run's point in percent of the plot, with its whisker's ends from the top."""

    x: float
    y: float
    top: float | None
    tall: float
    text: str
    page: str


class HistoryPanel(msgspec.Struct, frozen=True):
    """One subject over its runs, on an axis of its own: the question is whether it changed."""

    title: str
    slot: int
    y_ticks: list[Tick]
    d: str
    marks: list[HistoryMark]


class History(msgspec.Struct, frozen=True):
    """All subjects over the runs of one machine under one kind of load."""

    fingerprint: str
    load: str  # what the runs have in common beside the machine: "h2c, 8 streams, grain 20 us"
    runs: int
    x_ticks: list[Tick]
    panels: list[HistoryPanel]


class Site(msgspec.Struct, frozen=True):
    """The index page."""

    newest: SiteEntry | None
    tables: list[Table]
    options: list[Fact]
    histories: list[History]
    runs: list[SiteEntry]
