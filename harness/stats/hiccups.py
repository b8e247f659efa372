"""Platform hiccups of a trial: merged histograms of the sleepers on each role's CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram

from harness.model.facts import TrialFacts
from harness.model.recording import Ints
from harness.model.trial import Hiccups, Percentiles
from harness.stats import decoded

SECOND_NS = 1_000_000_000
LOUD_NS = 1_000_000  # a sleeper later than this was stopped; less is how it always wakes


def of_trial(
    facts: TrialFacts, lines: Sequence[dict[str, Any]] | None, missing: dict[str, str]
) -> Hiccups | None:
    """By role over the measured part, from the events of `pausemark-engine hiccup`."""
    if lines is None:
        missing["hiccups"] = missing.get("hiccups.jsonl", "hiccups.jsonl is missing")
        return None
    error = next((line for line in lines if line.get("event") == "error"), None)
    if error is not None:
        missing["hiccups"] = f"{error.get('where')}: {error.get('what')}"
        return None
    ready = next((line for line in lines if line.get("event") == "ready"), {})
    part = [line for line in lines if line.get("event") == "second" and _within(facts, line)]
    layout = {"backend": facts.layout.backend_cpus, "engine": facts.layout.engine_cpus}
    by_role: dict[str, Percentiles] = {}
    for role, cpus in layout.items():
        found = _merged([line for line in part if int(line["cpu"]) in cpus])
        if found is None:
            missing[f"hiccups.{role}"] = f"no sleeper ran on the {role}'s CPUs"
        else:
            by_role[role] = found
    if not by_role:
        missing["hiccups"] = "no sleeper told of the measured part"
        return None
    counted = all(line.get("waited_ns") is not None for line in part)
    return Hiccups(by_role, int(ready.get("interval_ns", 0)), counted)


def stops_by_second(facts: TrialFacts, lines: Sequence[dict[str, Any]] | None) -> Ints | None:
    """The longest stop of the engine's CPUs in each measured second, ns, as its sleepers saw it.

    A sleeper that woke late by h saw a stop of at most h and one interval: it began after the last
    point that was met. Its waits behind others are off, so a busy engine is no stop; where they
    are not counted, nothing is known.
    """
    count = max((facts.end_ns - facts.measure_ns) // SECOND_NS, 1)
    ready = next((line for line in lines or () if line.get("event") == "ready"), None)
    seconds = [line for line in lines or () if line.get("event") == "second"]
    if ready is None or any(line.get("waited_ns") is None for line in seconds):
        return None
    stops = np.zeros(count, np.int64)
    for line in seconds:
        if int(line["cpu"]) not in facts.layout.engine_cpus:
            continue
        late = int(HdrHistogram.decode(str(line["hiccups"])).get_max_value())
        if late > LOUD_NS:
            first = (int(line["start_ns"]) - facts.measure_ns) // SECOND_NS
            last = (int(line["end_ns"]) - 1 - facts.measure_ns) // SECOND_NS
            touched = stops[max(first, 0) : max(last + 1, 0)]
            np.maximum(touched, late + int(ready["interval_ns"]), out=touched)
    return stops


def _within(facts: TrialFacts, line: dict[str, Any]) -> bool:
    middle = (int(line["start_ns"]) + int(line["end_ns"])) // 2
    return facts.measure_ns <= middle < facts.end_ns


def _merged(lines: Sequence[dict[str, Any]]) -> Percentiles | None:
    histogram = HdrHistogram(decoded.LOWEST_NS, decoded.HIGHEST_NS, decoded.DIGITS)
    for line in lines:
        histogram.add(HdrHistogram.decode(str(line["hiccups"])))
    return decoded.percentiles_of(histogram)
