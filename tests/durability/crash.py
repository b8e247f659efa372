"""Kills a writing server again and again, and looks whether every answer was a true one."""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.contract.servers import REPOSITORY, Backend, build, discover
from tests.durability.kit import BUCKET, MODES, Fleet, is_durable, kill
from tests.durability.log_format import read_log
from tests.durability.workload import History, fresh, join, judge, start_clients

WRITING_S = (0.02, 0.4)
SEGMENT_BYTES = 1 << 20
PROCESSES = 2
ROUNDS_PER_LOG = 10  # then a new log, so that a run of any length needs a bounded disk


def rounds(fleet: Fleet, folder: Path, modes: list[str], seed: int) -> int:
    """One round a mode, all on one log; how many writes were answered.

    Raises:
        AssertionError: The server lost what it had answered, or shows what nobody wrote.
    """
    chance = random.Random(seed)
    histories = fresh()
    answered = 0
    for number, mode in enumerate(modes):
        server = fleet.start(folder, mode, segment_bytes=SEGMENT_BYTES)
        if number:
            histories = judge(server, histories)
        else:
            server.put(f"/{BUCKET}", b"")
        clients = start_clients(server, histories, chance.randrange(1 << 30))
        time.sleep(chance.uniform(*WRITING_S))
        kill(server)
        join(clients)
        fleet.stop_all()
        answered += sum(history.acked(time.time()) for history in histories)
    server = fleet.start(folder, "batch", segment_bytes=SEGMENT_BYTES)
    judge(server, histories)
    kill(server)
    fleet.stop_all()
    check_log(folder, histories)
    return answered


def check_log(folder: Path, histories: list[History]) -> None:
    """The oracle reads the same end out of the files."""
    log = read_log(folder)
    assert log.hole is None, log.hole
    for history in histories:
        found = dict.fromkeys(history.known)
        records = {key: log.state.get(f"{BUCKET}/{key}") for key in found}
        why = history.explains({k: r.md5.hex() if r else None for k, r in records.items()})
        assert why is None, f"oracle: {why}"


def crash(backend: Backend, mode: str, count: int, seed: int) -> int:
    """So many rounds of a mode; how many writes were answered."""
    answered = 0
    for first in range(0, count, ROUNDS_PER_LOG):
        fleet = Fleet(backend)
        modes = [mode] * min(ROUNDS_PER_LOG, count - first)
        with tempfile.TemporaryDirectory(prefix="pausemark-crash-") as folder:
            try:
                answered += rounds(fleet, Path(folder), modes, seed + first)
            finally:
                fleet.stop_all()
    return answered


def chosen(found: Iterable[Backend], names: Sequence[str]) -> list[Backend]:
    """The durable variants, or those of these backends or variants; those left out are named."""
    durable = [backend for backend in found if is_durable(backend)]
    if names:
        durable = [b for b in durable if {b.name, b.variant, str(b.manifest["name"])} & set(names)]
    for backend in durable:
        if backend.chooses("front"):  # its process would be killed, not the store behind it
            sys.stderr.write(f"{backend.name}: left out, what is killed would be its front\n")
    return [backend for backend in durable if not backend.chooses("front")]


def told(backend: Backend, mode: str, count: int, seed: int) -> tuple[bool, str]:
    """Whether every answer of these rounds was true, and the line that says so."""
    name = f"{backend.name} {mode} seed {seed}"
    try:
        answered = crash(backend, mode, count, seed)
    except (AssertionError, RuntimeError, OSError) as error:
        return False, f"{name}: FAILED: {error}"
    return True, f"{name}: {count} kills, {answered} answered writes, none lost"


def crash_all(backends: Sequence[Backend], count: int, seed: int) -> bool:
    """So many rounds spread over variants and modes, a line for each; whether all were true."""
    for backend in backends:
        build(backend)  # here, so that no two processes build at once
    each = -(-count // (len(backends) * len(MODES)))
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(told, b, mode, each, seed) for b in backends for mode in MODES]
        for future in asked:
            is_true, line = future.result()
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            if not is_true:
                pool.shutdown(wait=False, cancel_futures=True)
                return False
    return True


def main() -> int:
    """Read the flags, run, print a line a variant and mode; 1 when an answer was not true."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends-dir", type=Path, default=REPOSITORY / "backends")
    parser.add_argument(
        "--backend", action="append", default=[], help="rust, mio or rust/mio; may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=200, help="in total")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    asked = parser.parse_args()
    backends = chosen(discover([asked.backends_dir]), asked.backend)
    if not backends:
        sys.stderr.write("error: crash: no durable backend found\n")
        return 2
    return 0 if crash_all(backends, asked.rounds, asked.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
