"""The per-second series with the pause strip under it, in few enough points for a page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from harness.model.analysis import Analysis, Second, TrialSeries
from harness.model.verdict import Status
from harness.model.view import Lane, SeriesGroup, SeriesPanel
from harness.model.words import duration, percent
from harness.stats.charts import Named
from harness.stats.scales import (
    WIDTH,
    LogScale,
    bars,
    bins,
    log_scale,
    polyline,
    reduced,
    second_ticks,
    time_ticks,
)

HEIGHT = 300
LANE_HEIGHT = 20
# A subject's first panel has up to this many columns; the folded panels share what the page's
# budget leaves (40 trials of 300 s must stay under 150 KB compressed).
MAIN_COLUMNS_MOST = 300
OTHER_COLUMNS_ALL = 2_400
OTHER_COLUMNS_MOST = 120
# The strip's lanes are logarithmic: a stop of 50 us and a mark phase of 500 ms in one second are
# both part of the answer, and a linear lane would hide the first.
LANE_FLOOR_NS = 10_000
SECOND_NS = 1_000_000_000

_LANES: tuple[tuple[str, str, str, str], ...] = (
    ("pause_ns", "pause", "No progress", "requests waiting, the backend neither reads nor sends"),
    ("stop_the_world_ns", "stw", "GC stop-the-world", "all of the program stands still"),
    ("mark_ns", "mark", "GC mark phases", "the collector works beside the program"),
    ("vcpu_not_run_ns", "vcpu", "Platform: vCPU not run", "the virtual CPU got no time"),
    ("wakeup_not_taken_ns", "wake", "Platform: wake-up not taken", "the CPU was slow to wake"),
    ("foreign_ns", "foreign", "Another process", "something else held the core"),
)
_COLLECTOR = {"stop_the_world_ns", "mark_ns"}


def series_groups(
    analysis: Analysis, names: dict[str, Named], collected: dict[str, bool]
) -> list[SeriesGroup]:
    """A group for every subject with a series; `collected`: does it have a collector at all."""
    scale = _common_scale(analysis)
    by_subject = {
        name: [series for series in analysis.series if series.subject == name and series.seconds]
        for name in names
    }
    folded = sum(max(0, len(trials) - 1) for trials in by_subject.values())
    columns = min(OTHER_COLUMNS_MOST, OTHER_COLUMNS_ALL // folded) if folded else 0
    groups = []
    for name, trials in by_subject.items():
        if not trials:
            continue
        main = _representative(trials)
        has = collected.get(name, True)
        groups.append(
            SeriesGroup(
                main=_panel(main, names[name], scale, has, MAIN_COLUMNS_MOST, readout=True),
                others=[
                    _panel(trial, names[name], scale, has, columns, readout=False)
                    for trial in trials
                    if trial is not main
                ],
            )
        )
    return groups


def _common_scale(analysis: Analysis) -> LogScale:
    values: list[float] = []
    for series in analysis.series:
        for second in series.seconds:
            values += [v for v in (second.p50_ns, second.p99_ns, second.max_ns) if v]
    return log_scale(values)


def _representative(trials: list[TrialSeries]) -> TrialSeries:
    """The trial whose typical second has the median P99, among those that count if any do."""
    counted = [trial for trial in trials if trial.status is not Status.INVALID] or trials

    def typical(trial: TrialSeries) -> float:
        values = sorted(second.p99_ns for second in trial.seconds if second.p99_ns is not None)
        return values[len(values) // 2] if values else math.inf

    return sorted(counted, key=lambda trial: (typical(trial), trial.trial))[(len(counted) - 1) // 2]


def _panel(
    trial: TrialSeries,
    name: Named,
    scale: LogScale,
    collected: bool,
    columns: int,
    *,
    readout: bool,
) -> SeriesPanel:
    seconds = trial.seconds
    groups = bins(len(seconds), max(1, columns))
    lanes = [_lane(seconds, groups, lane, collected) for lane in _LANES]
    return SeriesPanel(
        title=name.title,
        slot=name.slot,
        trial=f"trial {trial.trial + 1}",
        status=trial.status.value,
        reasons=trial.reasons,
        x_ticks=second_ticks(seconds[0].second, seconds[-1].second),
        y_ticks=time_ticks(scale, most=6),
        p99=_line(seconds, groups, scale, lambda s: s.p99_ns),
        p50=_line(seconds, groups, scale, lambda s: s.p50_ns),
        top=_line(seconds, groups, scale, lambda s: s.max_ns),
        lanes=lanes,
        data=_readout(seconds, groups, collected) if readout else "",
        summary=_summary(seconds),
    )


def _line(
    seconds: list[Second],
    groups: list[range],
    scale: LogScale,
    value: Callable[[Second], int | None],
) -> str:
    """Each group's worst second: a stall may get wider on a page, never lost."""
    worst = reduced([value(second) for second in seconds], groups, max)
    points: list[tuple[int, int] | None] = []
    for i, item in enumerate(worst):
        x = round(WIDTH * (i + 0.5) / len(groups))
        points.append(None if item is None else (x, round(HEIGHT * (1 - scale.share(item)))))
    return polyline(points)


def _mean(values: list[int]) -> int:
    return sum(values) // len(values)


def _lane(
    seconds: list[Second], groups: list[range], lane: tuple[str, str, str, str], collected: bool
) -> Lane:
    field, id, title, about = lane
    values: list[int | None] = [getattr(second, field) for second in seconds]
    present = [value for value in values if value is not None]
    if field in _COLLECTOR and not collected:
        return Lane(id, title, about, "", "no GC", "no GC")
    if not present:
        return Lane(id, title, about, "", "not measured", "not measured")
    scale = LogScale(LANE_FLOOR_NS, SECOND_NS)
    heights = [
        max(0.12, scale.share(value)) if value else 0.0 for value in reduced(values, groups, _mean)
    ]
    total = sum(present)
    text = f"{duration(total)}, {percent(total / (SECOND_NS * len(present)))} of the time"
    words = "" if total else "none"
    return Lane(id, title, about, bars(heights, LANE_HEIGHT), text if total else "none", words)


def _readout(seconds: list[Second], groups: list[range], collected: bool) -> str:
    """What the pointer tells, in whole microseconds: it is read, not computed with."""
    fields: list[tuple[str, str, Callable[[list[int]], int]]] = [
        ("P99", "p99_ns", max),
        ("P50", "p50_ns", max),
        ("Max", "max_ns", max),
    ]
    lanes = [lane for lane in _LANES if collected or lane[0] not in _COLLECTOR]
    fields += [(title, field, _mean) for field, _, title, _ in lanes]
    columns: list[dict[str, object]] = []
    for title, field, how in fields:
        values = reduced([getattr(second, field) for second in seconds], groups, how)
        if any(value is not None for value in values):
            shown = [None if v is None else round(v / 1000) for v in values]
            columns.append({"name": title, "us": shown})
    starts = [seconds[group[0]].second - seconds[0].second for group in groups]
    return json.dumps(
        {"start": starts, "end": starts[0] + len(seconds), "columns": columns},
        separators=(",", ":"),
    )


def _summary(seconds: list[Second]) -> str:
    """The drawing in one sentence, for a reader who does not see it."""
    values = sorted(second.p99_ns for second in seconds if second.p99_ns is not None)
    if not values:
        return f"{len(seconds)} seconds; no P99"
    return (
        f"P99 of each of {len(seconds)} seconds: lowest {duration(values[0])}, "
        f"median {duration(values[len(values) // 2])}, highest {duration(values[-1])}"
    )
