"""The history chart of the site: clean P99 by run, only among runs of one and the same machine."""

from __future__ import annotations

from harness.model.view import (
    SLOTS,
    History,
    HistoryMark,
    HistoryPanel,
    HistoryPoint,
    SiteEntry,
    Tick,
)
from harness.model.words import duration
from harness.stats.scales import LogScale, log_scale, polyline, time_ticks

HEIGHT = 300
_DATES_MOST = 4


def histories(entries: list[SiteEntry]) -> list[History]:
    """One history a fingerprint with two runs or more, the machine used last first."""
    groups: dict[str, list[SiteEntry]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.created_utc, entry.run_id)):
        if entry.clean_p99 and entry.fingerprint and not entry.problem:
            groups.setdefault(entry.fingerprint, []).append(entry)
    kept = [group for group in groups.values() if len(group) >= 2]
    kept.sort(key=lambda group: group[-1].created_utc, reverse=True)
    return [_history(group) for group in kept]


def _history(runs: list[SiteEntry]) -> History:
    points = [point for run in runs for point in run.clean_p99]
    titles = {point.subject: point.title for point in points}
    step = max(1, -(-len(runs) // _DATES_MOST))
    return History(
        fingerprint=runs[-1].fingerprint,
        runs=len(runs),
        x_ticks=[
            Tick(_x(i, len(runs)), _date(runs[i].created_utc)) for i in range(0, len(runs), step)
        ],
        panels=[
            _panel(runs, subject, title, i % SLOTS)
            for i, (subject, title) in enumerate(titles.items())
        ],
    )


def _x(index: int, count: int) -> float:
    return round(100 * (index + 0.5) / count, 2)


def _date(created_utc: str) -> str:
    return created_utc[:10]


def _panel(runs: list[SiteEntry], subject: str, title: str, slot: int) -> HistoryPanel:
    points = {
        i: point
        for i, run in enumerate(runs)
        for point in run.clean_p99
        if point.subject == subject
    }
    ends = [v for p in points.values() for v in (p.value_ns, p.low_ns, p.high_ns) if v]
    scale = log_scale(ends, least_decades=0.3)
    marks = [_mark(_x(i, len(runs)), point, runs[i], scale) for i, point in points.items()]
    line = polyline([(round(mark.x * 10), round(mark.y * HEIGHT / 100)) for mark in marks])
    return HistoryPanel(title, slot, time_ticks(scale, most=6), line, marks)


def _mark(x: float, point: HistoryPoint, run: SiteEntry, scale: LogScale) -> HistoryMark:
    top, tall = None, 0.0
    if point.low_ns is not None and point.high_ns is not None:
        top = round(100 * (1 - scale.share(point.high_ns)), 2)
        tall = round(100 * (1 - scale.share(point.low_ns)) - top, 2)
    text = f"{run.created_utc}: {duration(point.value_ns)}"
    y = round(100 * (1 - scale.share(point.value_ns)), 2)
    return HistoryMark(x, y, top, tall, text, run.page)
