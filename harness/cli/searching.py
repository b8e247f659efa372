"""`bench capacity`: the highest fixed rate at which each backend keeps an SLO."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from harness import asked
from harness.cli import crew, measuring, show, users
from harness.cli.options import ROOT
from harness.errors import EXIT_FAILURE, EXIT_NOT_VALID, UsageError
from harness.model import words
from harness.model.capacity import Answer, Capacity, Search, State, Tried
from harness.paths import Paths
from harness.stats.slo import PERCENTILES

# What `bench run` has beyond a single trial at a searched rate.
_NOT_OF_A_SEARCH = {"rps", "saturate", "repeat", "twin", "baseline", *crew.FLAGS, *users.FLAGS}
_STATE_TEXTS = {
    State.FOUND: "{rate} requests/s",
    State.AT_LEAST: "at least {rate} requests/s",
    State.BELOW: "below {broken} requests/s",
    State.STOPPED: "not found",
    State.UNFINISHED: "unfinished",
}


@click.command()
@click.option("--slo", required=True, help="promises, such as p99=5ms or p50=1ms,p99.9=20ms")
@click.option("--percentiles", type=click.Choice(["observed", "clean"]), default="observed")
@click.option("--from", "from_rps", type=float, default=1000.0, help="the lowest rate")
@click.option("--to", "to_rps", type=float, default=1e6, help="the highest rate")
@click.option("--resolution", type=float, default=5.0, help="of the bracket, in percent")
@click.option("--trial", default="5s", show_default=True, help="measured part while bracketing")
def capacity(**flags: Any) -> None:
    """Find the highest fixed rate that keeps an SLO, for each backend."""
    search = _search(flags)
    from harness import capacity as finding

    display = show.Display(quiet=flags["as_json"])
    paths = Paths(root=ROOT, results=flags["output"], backend_roots=flags["backend_roots"])
    with contextlib.closing(display):
        found = finding.find(search, paths, display)
    if flags["as_json"]:
        show.data_json(found)
    else:
        _tables(found)
        show.talk(f"every trial's run and report: {flags['output'] / found.folder}")
    if any(answer.ended_invalid for answer in found.answers):
        raise SystemExit(EXIT_NOT_VALID)
    if any(answer.rate_rps is None for answer in found.answers):
        raise SystemExit(EXIT_FAILURE)


def _search(flags: dict[str, Any]) -> Search:
    low = asked.number("--from", flags["from_rps"], low=1, high=asked.RATE_MAX, unit="requests/s")
    high = asked.number("--to", flags["to_rps"], low=low, high=asked.RATE_MAX, unit="requests/s")
    percent = asked.number("--resolution", flags["resolution"], low=0.5, high=100, unit="percent")
    trial_s = asked.duration_s("--trial", flags["trial"])
    asked.number("--trial", trial_s, low=1, high=3600, unit="s")
    slo = asked.slo(flags["slo"], flags["percentiles"])
    if slo.percentiles == "clean":
        if flags["probes"] == "off":
            raise UsageError(
                "--percentiles",
                "clean with --probes off",
                hint="clean percentiles need the platform probe; take observed ones without it",
            )
        flags = {**flags, "probes": "require"}
    fixed = {"rps": repr(low), "saturate": False, "repeat": 1, "twin": False, "baseline": None,
             "workers": 1, "expect_workers": 0}  # fmt: skip
    return Search(
        slo=slo,
        from_rps=low,
        to_rps=high,
        resolution=percent / 100,
        trial_s=trial_s,
        request=measuring.request_of({**flags, **fixed}),
    )


def _tables(found: Capacity) -> None:
    asked_for = found.search
    for answer in found.answers:
        columns = ["requests/s", "step", "", "P50", "P90", "P99", "P99.9", "served", "errors",
                   "verdict", "run"]  # fmt: skip
        kind = asked_for.slo.percentiles
        rows = [_trial_row(tried, kind) for tried in answer.trials]
        show.table(f"{answer.subject}: {kind} percentiles of every trial", columns, rows)
    rows = [
        [
            answer.subject,
            _answer_text(answer),
            _rate(answer.kept_rps),
            _rate(answer.broken_rps),
            _width(answer),
            answer.stopped or "; ".join(answer.broke) or "nothing was found to break",
            str(len(answer.trials)),
        ]
        for answer in found.answers
    ]
    show.table(
        f"highest rate that keeps {asked_for.slo.text} ({asked_for.slo.percentiles}), no errors, "
        "and serves it whole",
        ["", "answer", "kept", "broken", "bracket", "what broke beyond it", "trials"],
        rows,
    )


def _answer_text(answer: Answer) -> str:
    rate, broken = _rate(answer.rate_rps), _rate(answer.broken_rps)
    return _STATE_TEXTS[answer.state].format(rate=rate, broken=broken)


def _rate(rate_rps: float | None) -> str:
    return "none" if rate_rps is None else words.number(rate_rps)


def _width(answer: Answer) -> str:
    """Wider than the resolution where the confirming trials lowered the rate."""
    if answer.kept_rps is None or answer.broken_rps is None:
        return "open"
    return f"{answer.broken_rps / answer.kept_rps - 1:.1%}"


def _trial_row(tried: Tried, kind: str) -> list[str]:
    clean = tried.response_time_clean_ns
    figures = tried.response_time_ns if kind == "observed" else clean or {}
    times = [figures.get(name) for name in PERCENTILES]
    share = tried.served_share
    return [
        words.number(tried.rate_rps),
        f"{tried.step} {tried.duration_s:g} s",
        tried.outcome.value,
        *("too few" if ns is None else words.duration(ns) for ns in times),
        "not measured" if share is None else f"{share:.2%}",
        "not measured" if tried.errors is None else f"{tried.errors:,}",
        tried.verdict.value,
        tried.run,
    ]


capacity.params += [p for p in measuring.run.params if p.name not in _NOT_OF_A_SEARCH]
COMMANDS = (capacity,)
