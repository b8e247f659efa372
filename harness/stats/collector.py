"""A language's garbage collector over a trial, and response times inside and outside of it."""

from __future__ import annotations

import numpy as np

from harness.model.facts import TrialFacts
from harness.model.trial import Collector
from harness.stats import intervals, percentiles
from harness.stats.measured import Measured
from harness.stats.streams import Watched


def of_trial(facts: TrialFacts, seen: Watched, measured: Measured | None) -> Collector | None:
    """None without the probe's windows; `measured` None leaves response times out."""
    if facts.collector == "none":
        return Collector(kind="none")
    if seen.gc is None:
        return None
    cycle = seen.cycles()
    inside, outside, count = None, None, None
    if measured is not None:
        when = measured.requests.intended_ns
        flags = intervals.contains(cycle, when)
        inner = percentiles.summarise(measured.response[flags], when[flags])
        outer = percentiles.summarise(measured.response[~flags], when[~flags])
        inside = inner.p99 if inner else None
        outside = outer.p99 if outer else None
        count = int(np.count_nonzero(flags))
    worker, assist = seen.gc_sum("mark_worker"), seen.gc_sum("assist")
    return Collector(
        kind=facts.collector,
        cycles=seen.gc_cycles,
        stop_the_world=seen.stops,
        mark_share=seen.gc["mark_phase"].total_ns / max(facts.end_ns - facts.measure_ns, 1),
        mark_worker_ns=worker,
        assist_ns=assist,
        p99_inside=inside,
        p99_outside=outside,
        requests_inside=count,
    )
