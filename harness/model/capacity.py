"""What a search for capacity asks, tries and answers: `capacity.json`.

Rates are requests a second, times integer nanoseconds. None always means that there is no such
rate or figure; the words beside it say why.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.plan import Request
from harness.model.verdict import Status

SCHEMA = 1


class Term(msgspec.Struct, frozen=True):
    """One promise: this percentile of the response time is at most this long."""

    percentile: str  # p50 | p90 | p99 | p999, as in Percentiles
    limit_ns: int


class Slo(msgspec.Struct, frozen=True):
    """All promises; no errors and the whole rate served are always among them."""

    text: str  # as it was asked: "p99=5ms,p50=1ms"
    terms: list[Term]
    percentiles: str  # observed | clean: which figures are held against the limits


class Search(msgspec.Struct, frozen=True):
    """What `bench capacity` was asked; the request is that of a confirming trial."""

    slo: Slo
    from_rps: float
    to_rps: float
    resolution: float  # the bracket is narrow enough when broken / kept <= 1 + resolution
    trial_s: float  # the measured part of a trial that only brackets
    request: Request


class Outcome(StrEnum):
    """What one trial says of its rate; the last two count neither for nor against it."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    INVALID = "invalid"


class Judged(msgspec.Struct, frozen=True):
    """An outcome with its reasons in words."""

    outcome: Outcome
    why: list[str]


class Tried(msgspec.Struct, frozen=True):
    """One trial of a search: an ordinary run of one trial, in a folder of its own."""

    rate_rps: float
    step: str  # bracket | confirm
    outcome: Outcome
    why: list[str]
    duration_s: float
    verdict: Status
    response_time_ns: dict[str, int | None]  # observed: p50, p90, p99, p999, max
    response_time_clean_ns: dict[str, int | None] | None
    errors: int | None
    served_share: float | None  # of the offered requests, served in the measured part
    run: str  # the run's folder, beside capacity.json


class State(StrEnum):
    """How the search for one subject ended."""

    FOUND = "found"  # a rate was confirmed, and a higher one is broken
    AT_LEAST = "at least"  # a rate was confirmed, and nothing above it was found to break
    BELOW = "below"  # the lowest rate that was tried breaks
    STOPPED = "stopped"  # nothing was confirmed before the search ended early
    UNFINISHED = "unfinished"  # it still runs, or was interrupted


class Answer(msgspec.Struct, frozen=True):
    """The capacity of one subject, with everything that was tried."""

    subject: str
    state: State
    rate_rps: float | None  # confirmed by a trial of full length
    kept_rps: float | None  # the highest that was kept and not broken by a longer trial
    broken_rps: float | None  # the lowest that was broken, or could not be shown to be kept
    broke: list[str]  # what broke there
    stopped: str  # why the search ended early, "" when it did not
    trials: list[Tried]

    @property
    def ended_invalid(self) -> bool:
        """Whether trials that were not valid stopped the search, also where a rate was confirmed.

        A rate that stays invalid after its repetitions is never tried again.
        """
        last = {tried.rate_rps: tried.outcome for tried in self.trials}
        return bool(self.stopped) and Outcome.INVALID in last.values()


class Capacity(msgspec.Struct, frozen=True):
    """`capacity.json`, and what `bench capacity --json` prints."""

    schema: int
    folder: str  # the search's folder, in which the runs lie
    created_utc: str
    version: str
    search: Search
    answers: list[Answer]
