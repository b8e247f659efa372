"""Differences of counters that were sampled about once a second, by interpolation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.model.facts import Sample, TrialFacts
from harness.model.recording import Floats, Ints

Counter = Callable[[Sample], int | None]


def between(samples: Sequence[Sample], counter: Counter, low: int, high: int) -> int | None:
    """By how much a counter grew in [low, high]; None without two samples that have it.

    Beyond the first and the last sample it is taken to go on at its mean rate if less than two
    seconds are missing (the sampler is not in step with the schedule); else it was not measured.
    """
    grown = at_edges(samples, counter, np.array([low, high], np.int64))
    return None if grown is None else max(round(float(grown[1] - grown[0])), 0)


def at_edges(samples: Sequence[Sample], counter: Counter, moments: Ints) -> Floats | None:
    """A counter's value at each moment."""
    known = [(s.at_ns, read) for s in samples if (read := counter(s)) is not None]
    if len(known) < 2 or known[-1][0] <= known[0][0]:
        return None
    when = np.array([at for at, _ in known], np.int64)
    value = np.array([read for _, read in known], np.float64)
    missing = max(int(when[0]) - int(moments[0]), int(moments[-1]) - int(when[-1]))
    if missing > 2_000_000_000:
        return None
    slope = (value[-1] - value[0]) / float(when[-1] - when[0])
    found = np.interp(moments, when, value)
    found = found + np.minimum(moments - when[0], 0) * slope
    result: Floats = found + np.maximum(moments - when[-1], 0) * slope
    return result


def unsampled(facts: TrialFacts) -> str:
    """Why nothing at all was sampled of the measured part; "" when something was."""
    if facts.end_ns <= facts.measure_ns:
        return "the measured part never began"
    every = at_edges(
        facts.samples, lambda s: s.at_ns, np.array([facts.measure_ns, facts.end_ns], np.int64)
    )
    return "" if every is not None else "the samples do not span the measured part"


def of_cpus(cpus: Sequence[int], field: str) -> Counter:
    """The sum of a CpuTimes field over these CPUs; None when one of them is missing."""

    def read(sample: Sample) -> int | None:
        if not cpus or any(cpu not in sample.cpus for cpu in cpus):
            return None
        return sum(int(getattr(sample.cpus[cpu], field)) for cpu in cpus)

    return read
