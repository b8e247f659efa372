"""`bench run`, `bench calibrate`: the commands that measure."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from harness import asked, entrants
from harness.cli import show, users
from harness.cli.crew import crew_of, crew_options, workers_of
from harness.cli.options import ROOT, backends_option, output_option
from harness.cli.speaking import at_once
from harness.drivers import manifests
from harness.errors import EXIT_GOOD, EXIT_NOT_VALID, NotValid, UsageError
from harness.model.manifest import TRACKS
from harness.model.plan import RatePart, Request
from harness.model.signing import PAYLOADS
from harness.model.verdict import Status
from harness.paths import Paths

DEFAULT_CONNECTIONS = 64
RATE = "1000"
GRAIN = "20us"
PACES = ("sleep", "spin", "auto")
TIMEOUT_NS = 10_000_000_000
MEMORY_LIMIT_BYTES = 8 * 2**30


@click.command()
@click.option("--backend", "backends", multiple=True, help="backend[/variant]; all when left out")
@click.option("--rps", help=f"a rate, steps or a ramp, in requests a second  [{RATE}]")
@click.option("--saturate", is_flag=True, help="closed loop: how much it can do, at no fixed rate")
@click.option("--duration", default="30s", show_default=True, help="measured part of a trial")
@click.option("--warmup", default="5s", show_default=True, help="before it, not counted")
@click.option("--repeat", type=int, default=1, show_default=True, help="blocks: trials of each")
@click.option("--seed", type=int, default=1, show_default=True, help="of orders and arrivals")
@click.option("--runtime", type=click.Choice(["auto", "docker", "process"]), default="auto")
@click.option("--layout", type=click.Choice(["split", "shared"]), default="split")
@click.option("--tune", type=click.Choice(["auto", "off"]), default="auto")
@click.option("--scenario", default="small-get", show_default=True, help="a name, or a .toml file")
@click.option("--connections", type=int, default=DEFAULT_CONNECTIONS, show_default=True)
@click.option("--protocol", type=click.Choice(list(manifests.PROTOCOLS)), default=None)
@click.option("--track", type=click.Choice(list(TRACKS)), help="what is compared; see `bench list`")
@click.option("--pipeline", "depth", type=int, default=1, help="requests in flight a connection")
@click.option("--streams", type=int, default=None, help="of h2c: at once on a connection")
@click.option("--arrivals", type=click.Choice(["uniform", "poisson"]), default="uniform")
@click.option("--grain", default=GRAIN, show_default=True, help="wake-ups are batched up to this")
@click.option("--pace", type=click.Choice(PACES), default="sleep", help="how the engine waits")
@click.option("--engine-threads", type=int, default=1, show_default=True, help="of the engine")
@click.option("--threads", type=int, default=1, show_default=True, help="of the backend")
@click.option("--probes", type=click.Choice(["auto", "off", "require"]), default="auto")
@click.option("--set", "settings", multiple=True, help="backend.option=value")
@click.option("--payload", type=click.Choice(list(PAYLOADS)), default="unsigned", help="if signed")
@click.option("--cpu-quota", type=float, default=None, help="CPUs that the backend may use")
@click.option("--twin", is_flag=True, help="every subject twice: the A/A comparison")
@click.option("--baseline", type=click.Path(path_type=Path), help="a checkout to compare with")
@click.option("--no-calibrate", is_flag=True, help="skip the known-answer test")
@click.option("--address", default="127.0.0.1", show_default=True)
@crew_options
@users.users_options
@click.option("--json", "as_json", is_flag=True, help="one JSON object on stdout")
@output_option
@backends_option
def run(**flags: Any) -> None:
    """Build, drive, watch, judge and report: the main job."""
    if flags["locustfile"] or flags["target"]:
        return users.run(flags)
    users.refuse_flags_of_users()
    request, crew = request_of(flags), crew_of(flags)
    from harness import pipeline

    display = show.Display(quiet=flags["as_json"])
    paths = Paths(
        root=ROOT,
        results=flags["output"],
        backend_roots=flags["backend_roots"],
        baseline_root=flags["baseline"],
    )
    with contextlib.closing(display):
        if crew.web_port is not None:
            display.say(f"live page, while requests are sent: http://127.0.0.1:{crew.web_port}/")
        folder = pipeline.run(request, paths, display, crew)
    analysis = folder.analysis()
    trials = [trial.read_data() for trial in folder.trials()]
    if flags["as_json"]:
        from harness.stats import run_json

        show.data_json(run_json.summarise(folder.plan(), analysis, trials))
    else:
        show.answer_table(folder.plan(), analysis)
        show.talk(f"report: {folder.report}")
    invalid = [t for t in trials if t.verdict.status is Status.INVALID]
    if invalid:
        raise NotValid(
            folder.run_id,
            f"{len(invalid)} of {len(trials)} trials are INVALID",
            hint="the reasons are in the report and above; nothing was discarded",
        )


def _labels(flags: dict[str, Any]) -> list[str]:
    labels = ["candidate", "baseline"] if flags["baseline"] else [""]
    return [*labels, "twin"] if flags["twin"] else labels


def _offered(flags: dict[str, Any], duration_s: float) -> tuple[float, list[RatePart]]:
    """The rate and its parts; none of both in a closed loop."""
    if not flags["saturate"]:
        return asked.rates(flags["rps"] or RATE, duration_s)
    for name, usual in (("rps", {None}), ("arrivals", {"uniform"}), ("pace", {"sleep", "auto"})):
        if flags[name] not in usual:
            raise UsageError(
                "--saturate",
                f"with --{name} {flags[name]}",
                hint="a closed loop has no rate and no slots: --connections says how hard it asks",
            )
    return 0.0, []


def engine_threads(threads: int, connections: int) -> None:
    """UsageError unless each of the engine's threads can have a connection."""
    asked.number("--engine-threads", threads, low=1, high=256, unit="")
    if threads > connections:
        raise UsageError(
            "--engine-threads",
            f"expected at most one a connection, got {threads} for {connections}",
            hint="every thread has connections of its own: raise --connections",
        )


def request_of(flags: dict[str, Any]) -> Request:
    """The request that these flags of `bench run` ask for, or the UsageError of the first bad."""
    duration = asked.duration_s("--duration", flags["duration"])
    asked.number("--duration", duration, low=1, high=asked.DURATION_MAX_S, unit="s")
    warmup = asked.duration_s("--warmup", flags["warmup"])
    asked.number("--warmup", warmup, low=0, high=3600, unit="s")
    rate, parts = _offered(flags, duration)
    limits = {"repeat": (1, 1000), "connections": (1, asked.CONNECTIONS_MAX)}
    for name, (low, high) in {**limits, "threads": (1, 256)}.items():
        asked.number(f"--{name}", flags[name], low=low, high=high, unit="")
    engine_threads(flags["engine_threads"], flags["connections"])
    if flags["cpu_quota"] is not None:
        asked.number("--cpu-quota", flags["cpu_quota"], low=0.01, high=1024, unit="CPUs")
    chosen = entrants.choose(
        flags["backends"],
        flags["settings"],
        folders=manifests.find_backends(flags["backend_roots"]),
        protocol=flags["protocol"],
        track=flags["track"],
        labels=_labels(flags),
    )
    here, elsewhere = workers_of(flags)
    spoken = {chosen.protocol, *chosen.protocols.values()} - {""}
    depth, streams = at_once(spoken, flags["depth"], flags["streams"])
    return Request(
        subjects=chosen.subjects,
        track=chosen.track,
        scenario=asked.scenario(flags["scenario"], ROOT / "loadgen" / "scenarios"),
        rate_rps=rate,
        parts=parts,
        closed_loop=flags["saturate"],
        duration_s=duration,
        warmup_s=warmup,
        protocol=chosen.protocol,
        protocols=chosen.protocols,
        pipeline=depth,
        streams=streams,
        grain_ns=asked.grain_ns(flags["grain"]),
        timeout_ns=TIMEOUT_NS,
        memory_limit_bytes=MEMORY_LIMIT_BYTES,
        calibrate=not flags["no_calibrate"],
        address=asked.address(flags["address"]),
        workers=here,
        workers_elsewhere=elsewhere,
        **{
            name: flags[name]
            for name in (
                *("repeat", "seed", "connections", "threads", "arrivals"),
                *("runtime", "layout", "tune", "probes", "cpu_quota", "payload"),
                *("pace", "engine_threads"),
            )
        },
    )


@click.command()
@click.option("--suite", is_flag=True, help="all known-answer tests; every try must pass")
@click.option("--tries", type=int, default=1, show_default=True, help="of each; the median counts")
@click.option("--json", "as_json", is_flag=True)
@output_option
def calibrate(tries: int, output: Path, *, suite: bool, as_json: bool) -> None:
    """Known-answer tests: does the instrument read what is certain to be true?"""
    asked.number("--tries", tries, low=1, high=100, unit="")
    from harness import calibrating, calibration

    display = show.Display(quiet=as_json)
    results = calibrating.all_cases(
        calibration.SUITE if suite else calibration.CASES,
        Paths(root=ROOT, results=output, backend_roots=[]),
        display.say,
        tries=tries,
        every=suite,
    )
    if as_json:
        show.data_json(results)
    else:
        rows = [
            [r.name, "passed" if r.passed else "FAILED", f"{r.tries_passed} of {r.tries}", r.text]
            for r in results
        ]
        show.table("calibration", ["test", "result", "passed", "what was read"], rows)
    raise SystemExit(EXIT_GOOD if all(r.passed for r in results) else EXIT_NOT_VALID)


COMMANDS = (run, calibrate)
