"""The highest rate that keeps a promise: double, bisect in ratio, confirm by a long trial. Pure."""

from __future__ import annotations

import math
from typing import Protocol

import msgspec

from harness.model.capacity import Judged, Outcome, State

REPEATS_MAX = 2  # of a trial that counts neither for nor against its rate
CONFIRMATIONS_MAX = 8  # each lowers the rate by twice the share of the one before


class TryRate(Protocol):
    """Measures one trial at a rate."""

    def __call__(self, rate_rps: float, *, full: bool, longer: int) -> Judged:
        """`full`: of full length; `longer`: how often that length is to be doubled."""
        ...


class Found(msgspec.Struct, frozen=True):
    """Where a search ended; the fields are those of an Answer."""

    state: State
    rate_rps: float | None
    kept_rps: float | None
    broken_rps: float | None
    broke: list[str]
    stopped: str


def search(try_rate: TryRate, *, low: float, high: float, resolution: float) -> Found:
    """Searches [low, high]; of equal bounds only the confirming trial is made."""
    bracket = _Bracket(try_rate)
    if low < high:
        _climb(bracket, low, high)
        _narrow(bracket, resolution)
    first = bracket.kept if low < high else low
    rate = None if first is None else _confirm(bracket, first, low, resolution)
    return Found(
        state=_state(bracket, rate),
        rate_rps=rate,
        kept_rps=bracket.kept,
        broken_rps=bracket.broken,
        broke=bracket.broke,
        stopped=bracket.stopped,
    )


class _Bracket:
    """The highest rate kept and the lowest broken so far."""

    def __init__(self, try_rate: TryRate) -> None:
        self._try = try_rate
        self.kept: float | None = None
        self.broken: float | None = None
        self.broke: list[str] = []
        self.stopped = ""

    def keeps(self, rate: float, *, full: bool) -> bool:
        """Whether this rate is kept; False also when the search has to stop.

        What cannot be shown to be kept after its repetitions is not claimed: it counts as broken.
        """
        longer = 0
        for _ in range(1 + REPEATS_MAX):
            judged = self._try(rate, full=full, longer=longer)
            if judged.outcome in {Outcome.KEPT, Outcome.BROKEN}:
                break
            longer += judged.outcome is Outcome.UNKNOWN
        if judged.outcome is Outcome.KEPT:
            self.kept = rate
            return True
        if judged.outcome is Outcome.INVALID:
            self.stopped = "; ".join(judged.why)
        else:
            self.broken, self.broke = rate, judged.why
        return False


def _climb(bracket: _Bracket, low: float, high: float) -> None:
    rate = low
    while bracket.keeps(rate, full=False) and rate < high:
        rate = min(2 * rate, high)


def _narrow(bracket: _Bracket, resolution: float) -> None:
    while bracket.kept is not None and bracket.broken is not None and not bracket.stopped:
        middle = float(round(math.sqrt(bracket.kept * bracket.broken)))
        wide = bracket.broken > bracket.kept * (1 + resolution)
        if not wide or not bracket.kept < middle < bracket.broken:
            return
        bracket.keeps(middle, full=False)


def _confirm(bracket: _Bracket, first: float, low: float, resolution: float) -> float | None:
    """The first rate that a trial of full length keeps, from the highest kept downwards."""
    rate, step = first, resolution
    before = bracket.stopped  # why the bracket has no upper end does not forbid to confirm
    for _ in range(CONFIRMATIONS_MAX):
        if bracket.keeps(rate, full=True):
            return rate
        if bracket.stopped != before or bracket.broken != rate:
            return None
        bracket.kept = None
        if rate <= low:
            return None
        rate, step = max(low, float(round(rate / (1 + step)))), 2 * step
    exhausted = f"{CONFIRMATIONS_MAX} confirming trials in a row broke it"
    bracket.stopped = "; ".join(filter(None, [before, exhausted]))
    return None


def _state(bracket: _Bracket, rate: float | None) -> State:
    if rate is not None:
        return State.AT_LEAST if bracket.broken is None else State.FOUND
    return State.STOPPED if bracket.stopped else State.BELOW
