"""`make bench-allocations`: heap allocations a GET and a PUT of every variant, counted by eBPF."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
from servers import OBJECT_BYTES, OBJECT_PATH, Started, fail, running, variants
from wrk import AUTHORIZATION

from tests.contract.wire import Wire, request

REQUESTS, WARM_UP = 2000, 200
# Tracks whose request path must not allocate, when the language has manual memory.
FREE_OF_ALLOCATIONS = "controlled"
COUNTER = Path(__file__).resolve().parent / "count_allocations.py"
HEADERS = [("Authorization", AUTHORIZATION)]


@click.command()
@click.option("--variant", "names", multiple=True, help="Only these, as c or cpp/epoll.")
def main(names: tuple[str, ...]) -> None:
    """Print a row a variant; exit 1 when a controlled one without a collector allocates."""
    print("| variant | tracks | allocations a GET | a PUT that replaces |")
    print("|---|---|---|---|")
    bad = False
    for subject in variants(names):
        assert subject.backend is not None
        tracks = subject.backend.tracks
        with running(subject) as server:
            gets, puts = counted(server, get), counted(server, put)
        print(f"| {subject.name} | {', '.join(tracks)} | {gets:.2f} | {puts:.2f} |")
        collector = subject.backend.manifest["collector"]
        must = FREE_OF_ALLOCATIONS in tracks and collector == "none"
        bad = bad or (must and (gets > 0 or puts > 0))
    sys.exit(1 if bad else 0)


def get(wire: Wire) -> None:
    """One GET of 1 KiB, as an S3 client sends it."""
    assert wire.ask("GET", OBJECT_PATH, HEADERS).status == 200


def put(wire: Wire) -> None:
    """One PUT of 1 KiB over the same key, with metadata."""
    headers = [*HEADERS, ("x-amz-meta-colour", "red"), ("Content-Type", "text/plain")]
    wire.send(request("PUT", OBJECT_PATH, headers, b"y" * OBJECT_BYTES))
    assert wire.answer().status == 200


def counted(server: Started, ask: Callable[[Wire], None]) -> float:
    """Allocations a request, on one connection that has been used before."""
    with Wire(server.port) as wire:
        for _ in range(WARM_UP):
            ask(wire)
        counter = subprocess.Popen(
            ["/usr/bin/python3", str(COUNTER), str(server.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert counter.stdout is not None
        if not counter.stdout.readline():
            _, said = counter.communicate(timeout=10)
            raise fail(f"the counter did not start: {said[-400:]}", "make setup, and run as root")
        for _ in range(REQUESTS):
            ask(wire)
        out, _ = counter.communicate(timeout=30)
    return float(json.loads(out)["calls"]) / REQUESTS


if __name__ == "__main__":
    main()
