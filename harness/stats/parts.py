"""A trial's steps and ramps one by one: its requests by the part in which they were intended."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from harness.model.plan import RatePart
from harness.model.recording import Flags, Floats, Ints, Requests
from harness.model.trial import PartData
from harness.stats import percentiles
from harness.stats.conformance import Planned

SECOND_NS = 1_000_000_000


def edges(parts: Sequence[RatePart], low: int, high: int) -> list[int]:
    """Where parts begin and end in [low, high): as the engine rounds them."""
    found, seconds = [low], 0.0
    for part in parts:
        seconds += part.duration_s
        found.append(min(low + round(seconds * SECOND_NS), high))
    return [*found[:-1], high]


def planned(parts: Sequence[RatePart], start: int, low: int, high: int) -> Planned:
    """How many slots the plan has before each moment: the warm-up at the first rate, then parts."""
    begins = np.array([start, *edges(parts, low, high)[:-1]], np.int64)
    first = parts[0].from_rps
    from_rps = np.array([first, *(part.from_rps for part in parts)])
    to_rps = np.array([first, *(part.to_rps for part in parts)])
    lengths_s = np.diff([*begins, high]) / SECOND_NS
    before = np.concatenate([[0.0], np.cumsum((from_rps + to_rps) / 2 * lengths_s)])
    slope = np.divide(to_rps - from_rps, lengths_s, out=np.zeros(len(begins)), where=lengths_s > 0)

    def slots_before(at_ns: Ints) -> Floats:
        at = np.clip(np.searchsorted(begins, at_ns, side="right") - 1, 0, None)
        after_s = (at_ns - begins[at]) / SECOND_NS
        found: Floats = before[at] + after_s * (from_rps[at] + slope[at] / 2 * after_s)
        return found

    return slots_before


def split(
    parts: Sequence[RatePart],
    *,
    low: int,
    high: int,
    measured: Requests,
    response_ns: Ints,
    answered: Flags,
    ended_good_ns: Ints,
) -> list[PartData]:
    """What each part offered, served and took.

    `measured` in order of intended time; `ended_good_ns`: ends of all good answers, the warm-up's
    too, because a part serves what comes in while it lasts, whenever that was asked.
    """
    cuts = edges(parts, low, high)
    ended_good_ns = np.sort(ended_good_ns)
    found = []
    for part, begin, end in zip(parts, cuts, cuts[1:], strict=False):
        first, last = np.searchsorted(measured.intended_ns, (begin, end))
        at = slice(int(first), int(last))
        outcomes = np.bincount(measured.outcome[at][answered[at]], minlength=1)
        errors = {
            kind: int(count)
            for kind, count in zip(measured.errors, outcomes[1:], strict=False)
            if count
        }
        served = int(np.diff(np.searchsorted(ended_good_ns, (begin, end)))[0])
        seconds = (end - begin) / SECOND_NS
        response = percentiles.summarise(response_ns[at], measured.intended_ns[at])
        found.append(
            PartData(
                part=part,
                start_ns=begin,
                end_ns=end,
                offered=int(last - first),
                served=served,
                errors=errors,
                unfinished=int(np.count_nonzero(~answered[at])),
                offered_rps=int(last - first) / seconds,
                achieved_rps=served / seconds,
                response=msgspec.structs.replace(response, curve=[]) if response else None,
            )
        )
    return found
