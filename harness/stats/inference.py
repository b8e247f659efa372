"""Tests and intervals on log-ratios: sign-flip, permutation, Holm, detectable effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy import stats

from harness.model.recording import Floats

EXACT_MOST = 20  # pairs; 2^20 sums are 8 MB
EXACT_SPLITS_MOST = 50_000
ROUNDS = 20_000
POWER = 0.8
ALPHA = 0.05


def flipped_sums(logs: Floats, seed: int = 0) -> Floats:
    """The sum under every choice of signs; beyond EXACT_MOST values under random ones."""
    if len(logs) > EXACT_MOST:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(ROUNDS, len(logs)))
        return np.append(signs @ logs, logs.sum())
    sums = np.zeros(1)
    for value in logs:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def sign_flip(logs: Sequence[float]) -> float:
    """Two-sided p that paired log-ratios are symmetric about 0."""
    values = np.asarray(logs, np.float64)
    sums = np.abs(flipped_sums(values))
    return float(np.mean(sums >= abs(values.sum()) - _slack(values)))


def sign_flip_above(logs: Sequence[float], limit: float) -> float:
    """One-sided p of "the log-ratio is at most `limit`"."""
    values = np.asarray(logs, np.float64) - limit
    return float(np.mean(flipped_sums(values) >= values.sum() - _slack(values)))


def equivalent(logs: Sequence[float], margin: float) -> bool:
    """Two one-sided tests: above -margin and below +margin, each at ALPHA."""
    mirrored = [-value for value in logs]
    return max(sign_flip_above(logs, -margin), sign_flip_above(mirrored, -margin)) <= ALPHA


def _slack(values: Floats) -> float:
    return 1e-12 * (1.0 + float(np.abs(values).sum()))


def permutation(base: Sequence[float], new: Sequence[float], *, seed: int) -> float:
    """Two-sided p that two samples of logs are one: exact when small, else seeded Monte Carlo."""
    pool = np.array([*base, *new], np.float64)
    size = len(new)
    seen = abs(float(np.mean(new)) - float(np.mean(base)))
    whole = pool.sum()
    if math.comb(len(pool), size) <= EXACT_SPLITS_MOST:
        chosen = np.array([pool[list(pick)].sum() for pick in combinations(range(len(pool)), size)])
    else:
        generator = np.random.default_rng(seed)
        order = np.argsort(generator.random((ROUNDS, len(pool))), axis=1)
        chosen = np.append(pool[order[:, :size]].sum(axis=1), float(np.sum(new)))
    gap = np.abs(chosen / size - (whole - chosen) / (len(pool) - size))
    return float(np.mean(gap >= seen - _slack(pool)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given."""
    order = np.argsort(np.asarray(p_values), kind="stable")
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for place, index in enumerate(order.tolist()):
        running = max(running, min(1.0, p_values[index] * (len(p_values) - place)))
        adjusted[index] = running
    return adjusted


def detectable(deviation: float, freedom: int, per_root: float) -> float:
    """The smallest ratio - 1 found with POWER; `per_root` is the mean's deviation per deviation."""
    reach = float(stats.t.ppf(1 - ALPHA / 2, freedom)) + float(stats.t.ppf(POWER, freedom))
    return math.expm1(min(reach * deviation * per_root, 50.0))


def noise_margin(logs: Sequence[float]) -> float:
    """The 95th percentile of |mean log-ratio| that A/A pairs like these give, as ratio - 1.

    From every choice of signs of the twin's pairs, and never below the mean that was seen: a twin
    that differs steadily shows a bias that signs would hide.
    """
    values = np.asarray(logs, np.float64)
    means = np.abs(flipped_sums(values)) / len(values)
    return math.expm1(max(float(np.quantile(means, 0.95)), abs(float(values.mean()))))


def t_reach(freedom: int) -> float:
    """How many standard errors a 95% t-interval reaches to each side."""
    return float(stats.t.ppf(1 - ALPHA / 2, freedom))
