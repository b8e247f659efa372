"""What one trial says of its rate: kept, broken, or neither."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness import asked
from harness.errors import UsageError
from harness.model.capacity import Outcome
from harness.model.trial import Percentiles, TrialData
from harness.model.verdict import Reason, Status, Verdict
from harness.stats import slo
from tests.unit.trials import NEW, trial

FIVE = asked.slo("p99=5ms", "observed")


def made(*reasons: tuple[str, Status], **load: Any) -> TrialData:
    """100,000 requests with a P99 of 1 ms, all served, but for what is given."""
    data = trial(NEW, 0)
    assert data.load is not None
    whole = msgspec.structs.replace(data.load, errors={}, **{"served": 100_000, **load})
    found = [Reason(id_, status, 1, 0, "x", f"{id_} happened") for id_, status in reasons]
    worst = max((r.status for r in found), default=Status.VALID, key=list(Status).index)
    return msgspec.structs.replace(data, load=whole, verdict=Verdict(worst, found))


def with_times(data: TrialData, **values: int | None) -> TrialData:
    assert data.latency is not None
    response: Percentiles = msgspec.structs.replace(data.latency.response, **values)
    return msgspec.structs.replace(
        data, latency=msgspec.structs.replace(data.latency, response=response)
    )


def test_a_trial_within_every_limit_keeps() -> None:
    assert slo.judge(FIVE, made()).outcome is Outcome.KEPT


@pytest.mark.parametrize(
    ("load", "why"),
    [
        ({"errors": {"timeout": 2}}, "2 errors (2 timeout)"),
        ({"unfinished": 3}, "3 errors (unfinished)"),
        ({"served": 90_000}, "served 90.00% of the offered rate"),
    ],
)
def test_errors_and_a_rate_that_is_not_served_break(load: dict[str, Any], why: str) -> None:
    data = made()
    assert data.load is not None
    data = msgspec.structs.replace(data, load=msgspec.structs.replace(data.load, **load))
    judged = slo.judge(FIVE, data)
    assert (judged.outcome, judged.why) == (Outcome.BROKEN, [why])


def test_a_percentile_beyond_its_limit_breaks() -> None:
    judged = slo.judge(FIVE, with_times(made(), p99=7_000_000))
    assert (judged.outcome, judged.why) == (Outcome.BROKEN, ["P99 7 ms, beyond 5 ms"])
    both = asked.slo("p50=50us,p99=5ms", "observed")
    assert slo.judge(both, made()).why == ["P50 100 µs, beyond 50 µs"]


def test_the_edge_of_a_trial_is_not_an_overload() -> None:
    """A stall as a short trial ends leaves some to be served after it; so does an overload."""
    assert slo.judge(FIVE, made(served=99_901)).outcome is Outcome.KEPT
    assert slo.judge(FIVE, made(served=99_500)).outcome is Outcome.UNKNOWN
    assert slo.judge(FIVE, made(served=100_020)).outcome is Outcome.KEPT
    assert slo.judge(FIVE, made(offered=100, served=96)).outcome is Outcome.KEPT
    assert slo.judge(FIVE, made(served=None)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ({"p99": None, "p999": None, "max": 3_000_000}, Outcome.KEPT),
        ({"p99": None, "p999": 4_000_000, "max": 9_000_000}, Outcome.KEPT),
        ({"p99": None, "p999": None, "max": 9_000_000}, Outcome.UNKNOWN),
        ({"p90": 6_000_000, "p99": None, "p999": None, "max": 9_000_000}, Outcome.BROKEN),
    ],
)
def test_neighbours_decide_where_a_tail_has_too_few_episodes(
    values: dict[str, int | None], outcome: Outcome
) -> None:
    assert slo.judge(FIVE, with_times(made(), **values)).outcome is outcome


@pytest.mark.parametrize("kind", ["steal-backend", "core-shared", "engine-died", "load-missing"])
def test_an_invalid_trial_counts_neither_way(kind: str) -> None:
    data = with_times(made((kind, Status.INVALID)), p99=9_000_000)
    judged = slo.judge(FIVE, data)
    assert judged.outcome is Outcome.INVALID
    assert judged.why == [f"trials at 10,000 requests/s are not valid: {kind} happened"]


def test_a_late_generator_is_named_as_the_limit() -> None:
    judged = slo.judge(FIVE, made(("generator-lag", Status.INVALID), ("errors", Status.INVALID)))
    assert judged.outcome is Outcome.INVALID
    assert judged.why[0].startswith(
        "the generator, not the backend, is the limit at 10,000 requests/s: generator-lag"
    )


def test_a_latency_that_a_late_generator_may_have_made_counts_neither_way() -> None:
    late = made(("generator-lag", Status.DEGRADED))
    assert slo.judge(FIVE, late).outcome is Outcome.KEPT
    assert slo.judge(FIVE, with_times(late, p99=7_000_000)).outcome is Outcome.INVALID
    overloaded = made(("generator-lag", Status.DEGRADED), served=80_000)
    assert slo.judge(FIVE, with_times(overloaded, p99=7_000_000)).outcome is Outcome.BROKEN


@pytest.mark.parametrize("kind", ["backend-died", "backend-wrong"])
def test_what_the_backend_did_itself_counts_against_its_rate(kind: str) -> None:
    judged = slo.judge(FIVE, made((kind, Status.INVALID)))
    assert (judged.outcome, judged.why) == (Outcome.BROKEN, [f"{kind} happened"])


def test_clean_percentiles_are_taken_where_they_are_asked_for() -> None:
    clean = asked.slo("p99=5ms", "clean")
    noisy = with_times(made(), p99=7_000_000)
    assert slo.judge(clean, noisy).outcome is Outcome.KEPT
    assert noisy.latency is not None
    without = msgspec.structs.replace(
        noisy.latency,
        clean=msgspec.structs.replace(noisy.latency.clean, response=None, withheld="too few"),
    )
    judged = slo.judge(clean, msgspec.structs.replace(noisy, latency=without))
    assert judged.outcome is Outcome.UNKNOWN
    assert judged.why == ["clean percentiles are withheld: too few"]


def test_the_grammar() -> None:
    found = asked.slo("p50=900us, p99.9=20ms,errors=0", "observed")
    assert [(t.percentile, t.limit_ns) for t in found.terms] == [
        ("p50", 900_000),
        ("p999", 20_000_000),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p95=5ms", "expected p50, p90, p99, p99.9 = a time, each once, got 'p95=5ms'"),
        ("p99", "got 'p99'"),
        ("", "got ''"),
        ("p99=5", "expected a time such as"),
        ("p99=5ms,p99=6ms", "got 'p99=6ms'"),
        ("p99=0us", "expected 1us or more, got 0us"),
        ("errors=1,p99=5ms", "got 'errors=1'"),
        ("errors=0", "promises no time"),
    ],
)
def test_a_wrong_slo_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match="--slo") as caught:
        asked.slo(text, "observed")
    assert said in str(caught.value)
    assert caught.value.hint
