"""The history chart of the site: clean P99 by run, only among runs of one machine and load."""

from __future__ import annotations

import msgspec

from harness.model.plan import STREAMED
from harness.model.site import History, HistoryMark, HistoryPanel, HistoryPoint, SiteEntry
from harness.model.view import SLOTS, Tick
from harness.model.words import duration
from harness.stats.scales import LogScale, log_scale, polyline, time_ticks

HEIGHT = 300
_DATES_MOST = 4


def histories(entries: list[SiteEntry]) -> list[History]:
    """One history a machine and load with two runs or more, the one used last first."""
    groups: dict[tuple[str, str], list[SiteEntry]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.created_utc, entry.run_id)):
        if entry.clean_p99 and entry.fingerprint and not entry.problem:
            for load, points in _by_load(entry).items():
                part = msgspec.structs.replace(entry, clean_p99=points)
                groups.setdefault((entry.fingerprint, load), []).append(part)
    kept = [(load, group) for (_, load), group in groups.items() if len(group) >= 2]
    kept.sort(key=lambda one: one[1][-1].created_utc, reverse=True)
    return [_history(load, group) for load, group in kept]


def _by_load(entry: SiteEntry) -> dict[str, list[HistoryPoint]]:
    """A run's points by how their subjects were asked: where transports are compared, in parts."""
    found: dict[str, list[HistoryPoint]] = {}
    for point in entry.clean_p99:
        found.setdefault(_load(entry, point.subject), []).append(point)
    return found


def _load(entry: SiteEntry, subject: str) -> str:
    protocol = entry.protocols.get(subject, "protocol not recorded")
    plural = "" if entry.streams == 1 else "s"
    streams = [f"{entry.streams} stream{plural}"] if protocol == STREAMED else []
    grain = "not recorded" if entry.grain_ns is None else duration(entry.grain_ns)
    return ", ".join([protocol, *streams, f"grain {grain}"])


def _history(load: str, runs: list[SiteEntry]) -> History:
    points = [point for run in runs for point in run.clean_p99]
    titles = {point.subject: point.title for point in points}
    step = max(1, -(-len(runs) // _DATES_MOST))
    return History(
        fingerprint=runs[-1].fingerprint,
        load=load,
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
