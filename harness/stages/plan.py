"""From a request to a plan: which trials, in which order, on which cores. Pure."""

from __future__ import annotations

import random

from harness.model.plan import Layout, Plan, Request, TrialSpec

SCHEMA = 1


def lay_out(name: str, cpus: list[int]) -> Layout:
    """Who gets which cores; `cpus` are those that the harness may use, ascending.

    split: the upper half is the backend's, the rest the engine's (one each on two cores); with a
    single core there is nothing to split, and the layout says shared.
    """
    if name == "shared" or len(cpus) < 2:
        return Layout(name="shared", backend_cpus=cpus, engine_cpus=cpus)
    half = len(cpus) // 2
    return Layout(name="split", backend_cpus=cpus[-half:], engine_cpus=cpus[:-half])


def make_plan(
    request: Request,
    *,
    cpus: list[int],
    created_utc: str,
    version: str,
    options_effective: dict[str, dict[str, str | None]] | None = None,
    protocol_notes: dict[str, str] | None = None,
) -> Plan:
    """Blocks of every subject once, each in an order drawn from the stored seed.

    `options_effective`: by subject's name; None where nobody knows how the server was started.
    `protocol_notes`: likewise, of those whose protocol makes a difference to what runs.
    """
    draw = random.Random(request.seed)  # noqa: S311  # an order, not a secret
    trials: list[TrialSpec] = []
    for block in range(request.repeat):
        order = list(request.subjects)
        draw.shuffle(order)
        # one load seed a block: within a block every subject gets the same arrivals and keys
        seed = draw.getrandbits(32)
        for subject in order:
            trials.append(TrialSpec(index=len(trials), block=block, subject=subject, seed=seed))
    return Plan(
        schema=SCHEMA,
        request=request,
        layout=lay_out(request.layout, cpus),
        trials=trials,
        created_utc=created_utc,
        version=version,
        options_effective=options_effective or {},
        protocol_notes=protocol_notes or {},
    )
