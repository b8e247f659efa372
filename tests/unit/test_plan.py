"""Plans: blocks, orders, layouts."""

from __future__ import annotations

import pytest

from harness.model.manifest import Objects, Operation, Scenario
from harness.model.plan import Request, Subject
from harness.stages.plan import lay_out, make_plan

SUBJECTS = [Subject("c", "epoll"), Subject("go", "nethttp"), Subject("rust", "hyper")]


def _request(repeat: int, seed: int) -> Request:
    return Request(
        subjects=SUBJECTS,
        scenario=Scenario(1, "s", "s", Objects("b", 1, "k", 1), [Operation("get", 1, 200)]),
        rate_rps=1000,
        duration_s=10,
        warmup_s=1,
        repeat=repeat,
        seed=seed,
        connections=4,
        threads=1,
        protocol="h1",
        pipeline=1,
        arrivals="uniform",
        grain_ns=0,
        timeout_ns=1,
        runtime="auto",
        layout="split",
        tune="auto",
        probes="auto",
        address="127.0.0.1",
        memory_limit_bytes=1,
    )


def _orders(repeat: int, seed: int) -> list[list[str]]:
    plan = make_plan(_request(repeat, seed), cpus=[0, 1], created_utc="", version="")
    blocks: dict[int, list[str]] = {}
    for trial in plan.trials:
        blocks.setdefault(trial.block, []).append(trial.subject.name)
    return list(blocks.values())


def test_every_block_holds_every_subject_once() -> None:
    names = sorted(subject.name for subject in SUBJECTS)
    assert all(sorted(block) == names for block in _orders(20, 1))


def test_orders_vary_and_follow_the_seed() -> None:
    assert len({tuple(block) for block in _orders(20, 1)}) > 1
    assert _orders(20, 1) == _orders(20, 1)
    assert _orders(20, 1) != _orders(20, 2)


def test_a_block_shares_its_load_seed() -> None:
    plan = make_plan(_request(3, 1), cpus=[0, 1], created_utc="", version="")
    seeds = [{t.seed for t in plan.trials if t.block == block} for block in range(3)]
    assert all(len(found) == 1 for found in seeds)
    assert len(set.union(*seeds)) == 3


@pytest.mark.parametrize(
    ("name", "cpus", "backend", "engine"),
    [
        ("split", [0, 1], [1], [0]),
        ("split", [0, 1, 2], [2], [0, 1]),
        ("split", [2, 5, 6, 7], [6, 7], [2, 5]),
        ("shared", [0, 1], [0, 1], [0, 1]),
        ("split", [3], [3], [3]),
    ],
)
def test_layouts(name: str, cpus: list[int], backend: list[int], engine: list[int]) -> None:
    layout = lay_out(name, cpus)
    assert (layout.backend_cpus, layout.engine_cpus) == (backend, engine)
    assert (layout.name == "shared") == (backend == engine)


def test_subject_names_tell_variant_options_and_label() -> None:
    subject = Subject("go", "nethttp", (("gogc", "off"),), "candidate", "sha256:1")
    assert subject.name == "go/nethttp[gogc=off] (candidate)"
