"""Exact percentiles by nearest rank, the tail episodes behind them, and a block bootstrap.

A tail episode is a group of requests beyond a percentile with less than `EPISODE_GAP_NS` between
the intended times of neighbours: one stall of a server delays hundreds of requests that follow
each other within the interval of the schedule, and they are one observation, not hundreds. 1 ms is
ten slots at 10k RPS, shorter than what separates two collections or two time slices of the
scheduler; at lower rates it grows to four slots, or each request would be an episode of its own.
"""

from __future__ import annotations

import numpy as np

from harness.model.recording import Floats, Ints
from harness.model.trial import Percentiles

EPISODE_GAP_NS = 1_000_000
EPISODE_GAP_SLOTS = 4
EPISODES_MIN = 20
BLOCK_SECONDS = 5
BOOTSTRAP_ROUNDS = 400
BINS_PER_OCTAVE = 64  # a relative width of 1.1%: far below a bootstrap interval of 20 episodes
FIGURES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "p9999": 0.9999}


def rank(sorted_ns: Ints, quantile: float) -> int:
    """The nearest-rank percentile of values in order: the smallest with a share <= it."""
    # The small slack keeps 0.999 x 1000 at rank 999 whatever binary fractions make of it.
    at = int(np.ceil(quantile * len(sorted_ns) - 1e-9)) - 1
    return int(sorted_ns[min(max(at, 0), len(sorted_ns) - 1)])


def weighted_rank(sorted_ns: Ints, cumulative: Floats, quantile: float, total: float) -> int | None:
    """Nearest rank where value i stands for a weight; None when the rank is beyond the last."""
    at = int(np.searchsorted(cumulative, quantile * total * (1 - 1e-12), side="left"))
    return int(sorted_ns[at]) if at < len(sorted_ns) else None


def log_nines(count: float) -> list[float]:
    """Quantiles even on the log-nines axis, eight a nine, up to what `count` values can say."""
    nines = np.log10(max(count, 2.0))
    return [float(1 - 10 ** (-step / 8)) for step in range(int(nines * 8) + 1)]


def episodes(intended_ns: Ints, beyond: Ints, slot_ns: float) -> int:
    """How many tail episodes the requests with these indices form (in order of intended time)."""
    if not len(beyond):
        return 0
    gap = max(EPISODE_GAP_NS, int(slot_ns * EPISODE_GAP_SLOTS))
    return 1 + int(np.count_nonzero(np.diff(intended_ns[beyond]) > gap))


def summarise(
    values: Ints, intended_ns: Ints, *, bootstrap_seed: int | None = None
) -> Percentiles | None:
    """Percentiles of values given in order of intended time; None of no values.

    A percentile with fewer than EPISODES_MIN tail episodes behind it is None. P50 and P90 are
    figures of the bulk: half and a tenth of all requests, no tail, asked only for 20 requests.
    """
    if not len(values):
        return None
    ordered = np.sort(values)
    slot_ns = float(intended_ns[-1] - intended_ns[0]) / max(len(values) - 1, 1)
    shown: dict[str, int | None] = {}
    for name, quantile in FIGURES.items():
        value = rank(ordered, quantile)
        shown[name] = value if _enough(values, intended_ns, value, quantile, slot_ns) else None
    low, high = None, None
    if bootstrap_seed is not None and shown["p99"] is not None:
        low, high = bootstrap(values, intended_ns, 0.99, seed=bootstrap_seed)
    curve = [(quantile, rank(ordered, quantile)) for quantile in log_nines(len(ordered))]
    return Percentiles(
        count=float(len(values)),
        **shown,
        max=int(ordered[-1]),
        curve=curve,
        p99_low=low,
        p99_high=high,
    )


def _enough(values: Ints, intended_ns: Ints, value: int, quantile: float, slot_ns: float) -> bool:
    if quantile <= 0.9:
        return len(values) >= EPISODES_MIN
    beyond = np.flatnonzero(values >= value)
    # Where most values tie with the percentile (lag is often 0) no tail is told from the bulk, and
    # the figure is as firm as the bulk's.
    if len(beyond) > 2 * (1 - quantile) * len(values) + EPISODES_MIN:
        return len(values) * (1 - quantile) >= EPISODES_MIN
    return episodes(intended_ns, beyond, slot_ns) >= EPISODES_MIN


def bootstrap(
    values: Ints,
    intended_ns: Ints,
    quantile: float,
    *,
    seed: int,
    weights: Floats | None = None,
) -> tuple[int | None, int | None]:
    """A 95% interval of a percentile: resample blocks of per-second histograms.

    Blocks of BLOCK_SECONDS in a row (circular), because seconds of one process are alike; None
    for fewer than four blocks, of which no interval can be made.
    """
    second = (intended_ns - intended_ns[0]) // 1_000_000_000
    seconds = int(second[-1]) + 1
    if seconds < 4 * BLOCK_SECONDS:
        return None, None
    bins = np.log2(np.maximum(values, 1).astype(np.float64)) * BINS_PER_OCTAVE
    place = bins.astype(np.int64)
    base = int(place.min())
    width = int(place.max()) - base + 1
    table = np.bincount(
        second * width + (place - base), weights=weights, minlength=seconds * width
    ).reshape(seconds, width)
    starts = np.random.default_rng(seed).integers(
        0, seconds, size=(BOOTSTRAP_ROUNDS, seconds // BLOCK_SECONDS)
    )
    days = (starts[:, :, None] + np.arange(BLOCK_SECONDS)) % seconds
    # How often each second was drawn, times its histogram: all rounds in one product.
    drawn = np.zeros((BOOTSTRAP_ROUNDS, seconds))
    np.add.at(drawn, (np.arange(BOOTSTRAP_ROUNDS)[:, None], days.reshape(BOOTSTRAP_ROUNDS, -1)), 1)
    cumulative = np.cumsum(drawn @ table, axis=1)
    found = np.argmax(cumulative >= quantile * cumulative[:, -1:], axis=1) + base
    middle = np.exp2((found + 0.5) / BINS_PER_OCTAVE)
    low, high = np.quantile(middle, [0.025, 0.975])
    return int(low), int(high)
