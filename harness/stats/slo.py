"""Holds one trial against an SLO: kept, broken, or neither. Pure."""

from __future__ import annotations

from harness.model import words
from harness.model.capacity import Judged, Outcome, Slo, Term
from harness.model.trial import Load, Percentiles, TrialData
from harness.model.verdict import Reason, Status

PERCENTILES = {"p50": "P50", "p90": "P90", "p99": "P99", "p999": "P99.9"}
UNSERVED_MAX = 0.001  # the share of the offered rate that may be missing
UNSERVED_SURE = 0.01  # what a stall at the end of a short trial does not explain
IN_FLIGHT = 5  # requests at the edges of a trial, which are a large share at low rates
# What makes a trial INVALID by the backend's own doing, and so counts against its rate.
_OF_THE_BACKEND = {"errors", "backend-wrong", "backend-died", "rate-missed"}
_OF_THE_GENERATOR = {"generator-lag", "generator-stalled"}


def judge(slo: Slo, data: TrialData) -> Judged:
    """What this trial says of its rate.

    A trial that is INVALID by anything but the backend counts neither for nor against, nor does
    one that breaks only a latency while the generator itself was late (`generator-lag`).
    """
    invalid = [r for r in data.verdict.reasons if r.status is Status.INVALID]
    others = [r for r in invalid if r.id not in _OF_THE_BACKEND]
    if others or data.load is None or data.latency is None:
        return Judged(Outcome.INVALID, _not_valid(others or invalid, data))
    broken, unknown = _answers(data.load)
    broken += [reason.text for reason in invalid if reason.id not in {"errors", "rate-missed"}]
    late, unsure = _latencies(slo, data)
    if late and not broken and any(r.id == "generator-lag" for r in data.verdict.reasons):
        lag = [r for r in data.verdict.reasons if r.id == "generator-lag"]
        return Judged(Outcome.INVALID, _not_valid(lag, data))
    if broken or late:
        return Judged(Outcome.BROKEN, late + broken)
    if unknown or unsure:
        return Judged(Outcome.UNKNOWN, unsure + unknown)
    return Judged(Outcome.KEPT, [])


def served_share(load: Load | None) -> float | None:
    """Good answers within the measured part, of what was offered in it."""
    if load is None or load.served is None or not load.offered:
        return None
    return load.served / load.offered


def failures(load: Load | None) -> int | None:
    """Requests that failed or never ended."""
    return None if load is None else sum(load.errors.values()) + load.unfinished


def _not_valid(reasons: list[Reason], data: TrialData) -> list[str]:
    if not reasons:
        return ["the trial left no response times"]
    rate = f"{words.number(data.load.offered_rps)} requests/s" if data.load else "this rate"
    texts = "; ".join(reason.text for reason in reasons)
    if any(reason.id in _OF_THE_GENERATOR for reason in reasons):
        return [f"the generator, not the backend, is the limit at {rate}: {texts}"]
    return [f"trials at {rate} are not valid: {texts}"]


def _answers(load: Load) -> tuple[list[str], list[str]]:
    """What is broken and what is unknown of errors and of the served rate."""
    broken: list[str] = []
    unknown: list[str] = []
    failed = failures(load)
    if failed:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in load.errors.items() if count)
        broken.append(f"{failed:,} errors ({kinds or 'unfinished'})")
    share = served_share(load)
    if share is None:
        return broken, ["the served rate was not measured"]
    missing = 1 - share
    text = f"served {share:.2%} of the offered rate"
    if missing > UNSERVED_SURE and missing * load.offered > IN_FLIGHT:
        broken.append(text)
    elif missing > UNSERVED_MAX and missing * load.offered > IN_FLIGHT:
        unknown.append(f"{text}: an overload, or a stall as the trial ended")
    return broken, unknown


def _latencies(slo: Slo, data: TrialData) -> tuple[list[str], list[str]]:
    latency = data.latency
    if latency is None:
        return [], ["no latency was measured"]
    if slo.percentiles == "observed":
        response: Percentiles | None = latency.response
    else:
        response = latency.clean.response
    if response is None:
        return [], [f"clean percentiles are withheld: {latency.clean.withheld}"]
    broken, unknown = [], []
    for term in slo.terms:
        name = PERCENTILES[term.percentile]
        limit = words.duration(term.limit_ns)
        value, sure = _against(term, response)
        if sure is None:
            longest = "unknown" if response.max is None else words.duration(response.max)
            unknown.append(f"{name} has too few tail episodes (maximum {longest})")
        elif not sure:
            broken.append(f"{name} {value}, beyond {limit}")
    return broken, unknown


def _against(term: Term, response: Percentiles) -> tuple[str, bool | None]:
    """The percentile in words, and whether it is within its limit; None: not known.

    A percentile with too few tail episodes is still bounded by its neighbours: it is beyond the
    limit when a lower one is, and within when a higher one or the maximum is.
    """
    names = [*PERCENTILES, "max"]
    value = getattr(response, term.percentile)
    if value is not None:
        return words.duration(value), value <= term.limit_ns
    at = names.index(term.percentile)
    lower = [v for name in names[:at] if (v := getattr(response, name)) is not None]
    if lower and max(lower) > term.limit_ns:
        return f"over {words.duration(max(lower))}", False
    higher = [v for name in names[at:] if (v := getattr(response, name)) is not None]
    if higher and min(higher) <= term.limit_ns:
        return f"at most {words.duration(min(higher))}", True
    return "", None
