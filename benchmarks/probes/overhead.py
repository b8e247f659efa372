"""What a probe costs: CPU per request of a plain server with the probe on and off, in pairs.

Run as root: .venv/bin/python -m benchmarks.probes.overhead sockets platform
Each pair is two trials, on and off in alternating order, of the server and the driver of
tests/backends/plain on two cores. The server's CPU holds what the probe does in its context.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.probe_session import ProbeSession
from tests.e2e.probe_subject import Subject, build, driver, free_port, server


def trial(subject: Subject, port: int, rate_rps: int, requests: int) -> float:
    """Microseconds of CPU a request, server and driver together."""
    with server(subject, port) as process:
        server_process = psutil.Process(process.pid)
        with driver(subject, port, rate_rps=rate_rps, requests=requests) as load:
            driver_process = psutil.Process(load.pid)
            used = 0.0
            # A zombie keeps its times until it is waited for: asked for after the last answer.
            assert load.stdout is not None
            assert int(load.stdout.readline()) == requests
            for one in (server_process, driver_process):
                times = one.cpu_times()
                used += times.user + times.system
    return used * 1e6 / requests


def watched(
    session: ProbeSession, subject: Subject, folder: Path, rate_rps: int, requests: int
) -> tuple[float, dict[str, Any]]:
    """The same with the probe on, and its answer to `stop`."""
    port = free_port()
    answer = session.say("start", output=str(folder), backend_pids=[], port=port)
    assert answer["event"] == "started", answer
    cost_us = trial(subject, port, rate_rps, requests)
    return cost_us, session.say("stop")


def measure(name: str, subject: Subject, options: argparse.Namespace) -> str:
    """Pairs for one probe; returns the line for its README."""
    requests = int(options.rate * options.seconds)
    differences, offs, run_ns, runs, user_us = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder, ProbeSession(name, Path(folder)) as session:
        cpus = {"backend": [subject.cpu_server], "engine": [subject.cpu_rest]}
        ready = session.say("configure", schema=1, cpus=cpus)
        assert ready["event"] == "ready", ready
        for pair in range(options.pairs):
            output = Path(folder) / str(pair)
            output.mkdir()
            off = 0.0
            if pair % 2:
                off = trial(subject, free_port(), options.rate, requests)
            on, stopped = watched(session, subject, output, options.rate, requests)
            if not pair % 2:
                off = trial(subject, free_port(), options.rate, requests)
            differences.append(on - off)
            offs.append(off)
            run_ns.append(stopped["bpf"]["run_ns"] / requests)
            runs.append(stopped["bpf"]["runs"] / requests)
            user_us.append(stopped["cpu_ns"] / 1e3 / requests)
    return (
        f"{name}: {options.pairs} pairs at {options.rate} RPS: off {statistics.median(offs):.2f} us"
        f" a request; on - off median {statistics.median(differences):+.2f} us"
        f" ({min(differences):+.2f} to {max(differences):+.2f}); inside BPF"
        f" {statistics.median(run_ns):.0f} ns in {statistics.median(runs):.1f} runs a request;"
        f" user side {statistics.median(user_us):.2f} us a request"
    )


def main() -> None:
    """Measure the probes named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("probes", nargs="+")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subject = build(Path(folder))
        for name in options.probes:
            sys.stdout.write(measure(name, subject, options) + "\n")


if __name__ == "__main__":
    main()
