"""Rounds of seeded streams, by one process or several, each with servers of its own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from random import Random

import click

from tests.contract.servers import Backend, build
from tests.differential.fleet import common_profiles, judged
from tests.differential.judge import DifferenceError, Judge
from tests.differential.shrink import shortest
from tests.differential.streams import stream

STREAMS_PER_ROUND = 100  # some 3000 operations


@dataclass(frozen=True, slots=True)
class Share:
    """What one process plays: every `step`th seed from its first on, until either limit."""

    backends: Sequence[tuple[Backend, Sequence[str]]]
    first_seed: int
    step: int
    operations: int
    ends_s: float  # of the monotonic clock, which processes share


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a share."""

    operations: int
    rounds: int
    failure: str = ""


def play_round(judge: Judge, profiles: frozenset[str], seed: int) -> None:
    """Some streams of one seed; a failing one is shortened before it is raised."""
    for number in range(STREAMS_PER_ROUND):
        drawn = stream(Random(f"{seed} {number}"), profiles)
        try:
            judge.play(drawn)
        except DifferenceError as error:
            short, difference = shortest(judge.play, drawn, error)
            difference.add_note(f"the stream, after PUT of the first bucket ({number} of its seed)")
            for operation in short.operations:
                difference.add_note(f"  {operation!r}")
            raise difference from None


def play_share(share: Share, is_over: Callable[[], bool]) -> Played:
    """Play rounds until a limit, a difference, or until it is over elsewhere."""
    profiles = common_profiles([backend for backend, _ in share.backends])
    seed, rounds = share.first_seed, 0
    with judged(share.backends) as judge:
        while judge.operation_count < share.operations and time.monotonic() < share.ends_s:
            if is_over():
                break
            try:
                play_round(judge, profiles, seed)
            except DifferenceError as error:
                notes = "\n".join(error.__notes__)
                return Played(judge.operation_count, rounds, f"seed {seed}: {error}\n{notes}")
            rounds += 1
            click.echo(f"seed {seed}: {judge.operation_count} operations so far", err=True)
            seed += share.step
    return Played(judge.operation_count, rounds)


def play(
    backends: Sequence[tuple[Backend, Sequence[str]]],
    *,
    first_seed: int,
    operations: int,
    seconds: float,
    processes: int,
) -> Played:
    """All of it; the first difference ends every process, after the round that it is in."""
    for backend, _ in backends:
        build(backend)
    ends_s = time.monotonic() + seconds
    each = -(-operations // processes)
    shares = [
        Share(backends, first_seed + number, processes, each, ends_s) for number in range(processes)
    ]
    if processes == 1:
        return play_share(shares[0], lambda: False)
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    with ProcessPoolExecutor(processes, context, _begin, (over,)) as pool:
        return _gather([pool.submit(_play_share, share) for share in shares], over)


def _gather(futures: Sequence[Future[Played]], over: Event) -> Played:
    """The sum; of several failures the first that came."""
    operations = rounds = 0
    failure = ""
    try:
        for future in as_completed(futures):
            played = future.result()
            operations, rounds = operations + played.operations, rounds + played.rounds
            failure = failure or played.failure
            if failure:
                over.set()
    finally:
        over.set()
    return Played(operations, rounds, failure)


_OVER: list[Event] = []  # of a process of the pool: the one event that it was begun with


def _begin(over: Event) -> None:
    _OVER.append(over)


def _play_share(share: Share) -> Played:
    parent = multiprocessing.parent_process()
    assert parent is not None
    return play_share(share, lambda: _OVER[0].is_set() or not parent.is_alive())
