"""`make bench-idle`: 10,000 idle connections beside 10,000 RPS: memory of each, and who is hurt."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from servers import CLIENT_CPU, OBJECT_PATH, ROOT, Started, fail, running, variants

ENGINE = ROOT / "build" / "loadgen" / "pausemark-engine"
SPARE_DESCRIPTORS = 200
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@click.command()
@click.option("--connections", type=click.IntRange(1, 25_000), default=10_000, show_default=True)
@click.option("--rps", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--seconds", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--variant", "names", multiple=True, help="Only these, as c or cpp/epoll.")
def main(connections: int, rps: int, seconds: int, names: tuple[str, ...]) -> None:
    """Print a row a variant; exit 1 when one loses a connection or fails a request."""
    if not ENGINE.exists():
        raise fail(f"{ENGINE}: not found", "make build")
    limit = connections + SPARE_DESCRIPTORS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, hard)))
    print("| variant | KiB a connection | P99 alone, us | P99 beside them, us | lost | errors |")
    print("|---|---|---|---|---|---|")
    bad = False
    for subject in variants(names):
        with running(subject) as server:
            bad = _row(subject.name, server, connections, rps, seconds) or bad
    sys.exit(1 if bad else 0)


def _row(name: str, server: Started, connections: int, rps: int, seconds: int) -> bool:
    alone = _drive(server, rps, seconds)
    before = server.resident_bytes()
    held = [_idle(server.port) for _ in range(connections)]
    each_kib = (server.resident_bytes() - before) / connections / 1024
    beside = _drive(server, rps, seconds)
    lost = sum(not _answers(one) for one in held)
    for one in held:
        one.close()
    errors = sum(beside["errors"].values()) + sum(alone["errors"].values())
    times = [run["summary"]["response_ns_p99"] / 1000 for run in (alone, beside)]
    print(f"| {name} | {each_kib:.1f} | {times[0]:,.0f} | {times[1]:,.0f} | {lost} | {errors} |")
    return bool(lost or errors)


def _idle(port: int) -> socket.socket:
    """A connection that has asked once, as a client's pool leaves it."""
    one = socket.create_connection(("127.0.0.1", port), 30)
    if not _answers(one):
        raise fail("a connection got no answer", "see the backend's limits in its README")
    return one


def _answers(one: socket.socket) -> bool:
    try:
        one.sendall(REQUEST)
        return one.recv(65536).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _drive(server: Started, rps: int, seconds: int) -> dict[str, Any]:
    plan = {
        "schema": 1,
        "target": {"address": "127.0.0.1", "port": server.port, "path": OBJECT_PATH},
        "scenario": None,
        "rate_rps": rps,
        "warmup_s": 2,
        "duration_s": seconds,
        "connections": 64,
        "cpus": [CLIENT_CPU],
        "seed": 1,
    }
    done = subprocess.run(
        [str(ENGINE), "run"],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    totals = [event["totals"] for event in events if event["event"] == "done"]
    if not totals:
        raise fail(f"the engine ended without a result: {done.stderr[-300:]}", str(Path.cwd()))
    result: dict[str, Any] = totals[0]
    return result


if __name__ == "__main__":
    main()
