"""`bench load`: drives a server that is no backend of ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from harness import asked
from harness.cli import show
from harness.cli.measuring import DEFAULT_CONNECTIONS, GRAIN, PACES, engine_threads
from harness.cli.options import ROOT, output_option
from harness.cli.speaking import at_once
from harness.drivers import manifests
from harness.drivers.load import Target
from harness.errors import EXIT_FAILURE, EXIT_NOT_VALID, UsageError
from harness.model.direct import Asked
from harness.model.signing import PAYLOADS
from harness.model.store import Store
from harness.model.verdict import Status

_INTO_EXISTING = (
    "use a bucket that is there: OVERWRITES AND DELETES objects of the scenario's keys in it"
)


@click.command()
@click.option("--target", required=True, help="http://host:port/path, or a store by its name")
@click.option("--scenario", default=None, help="a name, or a .toml file; else the path is asked")
@click.option("--rps", required=True, help="a rate, steps or a ramp, in requests a second")
@click.option("--duration", default="30s", show_default=True)
@click.option("--warmup", default="2s", show_default=True)
@click.option("--connections", type=int, default=DEFAULT_CONNECTIONS, show_default=True)
@click.option(
    "--protocol", type=click.Choice(list(manifests.PROTOCOLS)), default="h1", show_default=True
)
@click.option("--pipeline", "depth", type=int, default=1, help="requests in flight a connection")
@click.option("--streams", type=int, default=None, help="of h2c: at once on a connection")
@click.option("--grain", default=GRAIN, show_default=True, help="wake-ups are batched up to this")
@click.option("--pace", type=click.Choice(PACES), default="sleep", help="how the engine waits")
@click.option("--engine-threads", type=int, default=1, show_default=True, help="of the engine")
@click.option("--tune", type=click.Choice(["auto", "off"]), default="off", show_default=True)
@click.option("--payload", type=click.Choice(list(PAYLOADS)), help="what is signed of a body")
@click.option("--keep-objects", is_flag=True, help="leave bucket and objects where they are")
@click.option("--into-existing", is_flag=True, help=_INTO_EXISTING)
@click.option("--json", "as_json", is_flag=True)
@output_option
def load(**flags: Any) -> None:
    """Drive a server that already runs, or a store by its name, at a fixed rate (no probes)."""
    wanted = _wanted(flags)
    target = _target(flags["target"], wanted.scenario is not None, flags["payload"])
    from harness import direct
    from harness.stats import run_json

    output: Path = flags["output"]
    data = direct.drive(
        target,
        wanted,
        root=ROOT,
        results=output,
        say=show.talk,
    )
    if flags["as_json"]:
        told = ("protocol", "pipeline", "streams", "grain_ns")
        asked_for = {name: getattr(wanted, name) for name in told}
        show.data_json({**run_json.trial_summary(data), **asked_for})
    else:
        show.load_table(flags["target"], data, wanted)
    if data.verdict.status is Status.INVALID:
        raise SystemExit(EXIT_NOT_VALID)
    if data.load is None or data.load.errors:
        raise SystemExit(EXIT_FAILURE)


def _wanted(flags: dict[str, Any]) -> Asked:
    most = asked.CONNECTIONS_MAX
    asked.number("--connections", flags["connections"], low=1, high=most, unit="")
    seconds = asked.duration_s("--duration", flags["duration"])
    asked.number("--duration", seconds, low=1, high=asked.DURATION_MAX_S, unit="s")
    warmup = asked.duration_s("--warmup", flags["warmup"])
    asked.number("--warmup", warmup, low=0, high=3600, unit="s")
    engine_threads(flags["engine_threads"], flags["connections"])
    rate, parts = asked.rates(flags["rps"], seconds)
    depth, streams = at_once({flags["protocol"]}, flags["depth"], flags["streams"])
    name = flags["scenario"]
    if name is None:
        for flag in ("payload", "keep_objects", "into_existing"):
            if flags[flag]:
                raise UsageError(
                    f"--{flag.replace('_', '-')}",
                    "goes with a scenario's objects, and there is no scenario",
                    hint="add --scenario NAME; `bench list` shows them",
                )
    return Asked(
        rate_rps=rate,
        parts=parts,
        pace=flags["pace"],
        engine_threads=flags["engine_threads"],
        duration_s=seconds,
        warmup_s=warmup,
        connections=flags["connections"],
        protocol=flags["protocol"],
        pipeline=depth,
        streams=streams,
        grain_ns=asked.grain_ns(flags["grain"]),
        tune=flags["tune"],
        scenario=asked.scenario(name, ROOT / "loadgen" / "scenarios") if name else None,
        payload=flags["payload"] or PAYLOADS[0],
        keep_objects=flags["keep_objects"],
        into_existing=flags["into_existing"],
    )


def _target(text: str, objects: bool, payload: str | None) -> Target | Store:
    """A running server, signed where there are keys, or a store that is started for the trial."""
    if "://" not in text:
        if not objects:
            raise UsageError(
                "--scenario",
                f"is missing: {text} is started empty",
                hint="add --scenario NAME; `bench list` shows them",
            )
        return asked.store(text, ROOT / "loadgen" / "targets")
    target = asked.target(text)
    if not objects:
        return target
    if target.path != "/":
        raise UsageError(
            "--target",
            f"expected http://host:port of an object store, got {text!r}",
            hint="the scenario names the bucket; leave the path out, or --scenario",
        )
    return Target(
        address=target.address,
        port=target.port,
        host=target.host,
        signing=asked.signing(payload, os.environ),
    )


COMMANDS = (load,)
