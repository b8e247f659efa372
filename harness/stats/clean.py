"""Clean percentiles: what the requests say that no platform window touched.

A platform window is time that the machine took: the virtual CPU did not run, a wake-up was not
taken, a foreign process held the core. It leaves a backlog that drains later, so each window is
extended until that has gone. Kept are the requests whose [intended, last byte] meets no extended
window, each weighted by 1 / P(untouched | its duration): a long request is hit more often, and
without weights a backend with long requests of its own would look better the worse the platform.

The extension is bounded twice. By work: a window of d leaves d x rho of work, which drains within
d x rho / (1 - rho); what several windows leave adds up. By sight: it ends when no request is
outstanding, for then no backlog can be. The bound by work is what keeps the backend's own backlog
its own: a pause of the collector beside a window extends nothing.

Nothing can be said of durations that no free stretch between windows can hold. How much there is
of those is judged by the time of each request that windows do not explain; that share counts as
slower than everything kept, and the percentiles that fall into it are withheld.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.model.recording import Flags, Floats, Ints
from harness.model.trial import Clean, Percentiles
from harness.stats import intervals, percentiles
from harness.stats.intervals import Windows

UNTOUCHED_MIN = 0.05
RHO_MAX = 0.9  # beyond it d x rho / (1 - rho) is longer than nine windows, and rho is not that sure


@dataclass(frozen=True, slots=True)
class Kept:
    """Which requests count for the clean percentiles, and for how much."""

    untouched: Flags
    weight: Floats  # 1 / P(untouched | duration); of all requests, meaningful for the kept ones
    blind_share: float  # of the requests, of own durations too long to be seen untouched
    blind_ns: int | None  # from this duration on nothing can be seen; None: everything can


def utilisation(core_shares: list[float]) -> float:
    """The rho of the drain: the largest share of its cores that backend or engine used."""
    return min(max(core_shares), RHO_MAX)


def extended(windows: Windows, rho: float, intended_ns: Ints, last_byte_ns: Ints) -> Windows:
    """The windows with the time in which the backlog that they left was drained."""
    if not len(windows):
        return windows
    drain = _drain_ns(windows, rho)
    busy = intervals.merge(intended_ns, last_byte_ns)
    at = np.searchsorted(busy.start, windows.end, side="right") - 1
    idle = np.where(at >= 0, busy.end[np.maximum(at, 0)], 0) if len(busy) else windows.end * 0
    end = np.minimum(windows.end + drain, np.maximum(windows.end, idle))
    return intervals.merge(windows.start, end)


def _drain_ns(windows: Windows, rho: float) -> Ints:
    """How long after each window's end its backlog, and that of those before it, can last."""
    left = (windows.end - windows.start) * (rho / (1 - rho))
    gap = np.concatenate([[0], windows.start[1:] - windows.end[:-1]])
    # Lindley's recursion D(i) = max(0, D(i-1) - gap(i)) + left(i), written as a running minimum.
    walk = np.cumsum(left) - np.cumsum(gap)
    floor = np.minimum.accumulate(walk - left)
    drain: Ints = np.ceil(walk - floor).astype(np.int64)
    return drain


def keep(intended_ns: Ints, last_byte_ns: Ints, windows: Windows, *, low: int, high: int) -> Kept:
    """Sort requests into touched and untouched by windows that are already extended."""
    duration = last_byte_ns - intended_ns
    chance = intervals.chance_untouched(windows, low, high, duration)
    untouched = ~intervals.touched(windows, intended_ns, last_byte_ns)
    blind_ns = _blind_from(windows, low, high, int(duration.max(initial=0)))
    blind_share = 0.0
    if blind_ns is not None:
        unexplained = duration - intervals.overlap(windows, intended_ns, last_byte_ns)
        # Half, because a pause of the backend's own and the windows inside it run at once, so
        # taking their overlap off understates the pause.
        blind_share = float(np.mean((unexplained >= blind_ns // 2) & (duration >= blind_ns)))
        untouched = untouched & (duration < blind_ns)
    return Kept(untouched, 1.0 / np.maximum(chance, UNTOUCHED_MIN), blind_share, blind_ns)


def _blind_from(windows: Windows, low: int, high: int, longest: int) -> int | None:
    """The shortest duration of which fewer than UNTOUCHED_MIN would be untouched."""
    grid = np.unique(np.geomspace(1_000, max(longest, 2_000), 400).astype(np.int64))
    chance = intervals.chance_untouched(windows, low, high, grid)
    blind = np.flatnonzero(chance < UNTOUCHED_MIN)
    return int(grid[blind[0]]) if len(blind) else None


def estimate(
    intended_ns: Ints,
    last_byte_ns: Ints,
    platform: Windows,
    *,
    rho: float,
    low: int,
    high: int,
    seed: int | None = None,
) -> Clean:
    """Clean response times of the requests of [low, high), in order of intended time.

    `platform` holds the windows of every role, before extension; warm-up requests may be part of
    neither. Raises nothing: what cannot be said is withheld with its reason.
    """
    if not len(intended_ns):
        return Clean(response=None, share_touched=None, withheld="no request was answered")
    windows = extended(intervals.clip(platform, low, high), rho, intended_ns, last_byte_ns)
    kept = keep(intended_ns, last_byte_ns, windows, low=low, high=high)
    touched = intervals.touched(windows, intended_ns, last_byte_ns)
    share = float(np.mean(touched))
    if kept.blind_ns is not None and kept.blind_share >= 0.5:
        return Clean(response=None, share_touched=share, withheld=_blind_text(kept))
    if np.mean(kept.untouched) < UNTOUCHED_MIN:
        text = f"platform windows touched {share:.0%} of the requests, expected at most 95%"
        return Clean(response=None, share_touched=share, withheld=text)
    response = _weighted(intended_ns, last_byte_ns - intended_ns, kept, seed)
    hidden = kept.blind_ns is not None and 1 - kept.blind_share < 0.999
    return Clean(
        response=response, share_touched=share, withheld=_blind_text(kept) if hidden else ""
    )


def _blind_text(kept: Kept) -> str:
    return (
        f"{kept.blind_share:.2%} of the requests last over {(kept.blind_ns or 0) / 1e6:.2f} ms by "
        f"themselves, and fewer than {UNTOUCHED_MIN:.0%} of such would be untouched"
    )


def _weighted(intended_ns: Ints, duration: Ints, kept: Kept, seed: int | None) -> Percentiles:
    at = np.flatnonzero(kept.untouched)
    values, weight, when = duration[at], kept.weight[at], intended_ns[at]
    order = np.argsort(values, kind="stable")
    ordered, cumulative = values[order], np.cumsum(weight[order])
    seen = float(cumulative[-1])
    total = seen / (1 - kept.blind_share)  # the blind ones stand beyond everything seen
    slot_ns = float(intended_ns[-1] - intended_ns[0]) / max(len(intended_ns) - 1, 1)
    shown: dict[str, int | None] = {}
    for name, quantile in percentiles.FIGURES.items():
        value = percentiles.weighted_rank(ordered, cumulative, quantile, total)
        if value is not None and quantile > 0.9:
            beyond = np.flatnonzero(values >= value)
            tail = percentiles.episodes(when, beyond, slot_ns)
            value = value if tail >= percentiles.EPISODES_MIN else None
        shown[name] = value
    curve = []
    for quantile in percentiles.log_nines(len(at)):
        point = percentiles.weighted_rank(ordered, cumulative, quantile, total)
        if point is not None:
            curve.append((quantile, point))
    low, high = None, None
    if seed is not None and shown["p99"] is not None:
        reach = 0.99 / (1 - kept.blind_share)
        low, high = percentiles.bootstrap(values, when, reach, seed=seed, weights=weight)
    return Percentiles(
        count=seen,
        **shown,
        max=int(ordered[-1]) if not kept.blind_share else None,
        curve=curve,
        p99_low=low,
        p99_high=high,
    )
