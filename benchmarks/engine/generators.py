"""Runs one load generator once, pinned, and says what each of its requests cost."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
ENGINE_CPU = 0
SERVER_CPU = 1
CONNECTIONS = 64
OBJECT_PATH = "/bench/object-1"
OBJECT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took; CPU is user and system time of the generator's process."""

    requests: int
    cpu_s: float
    seconds: float

    @property
    def cpu_us_per_request(self) -> float:
        """Microseconds of CPU a request."""
        return self.cpu_s * 1e6 / max(1, self.requests)


def pin(cpu: int) -> Callable[[], None]:
    """What a child does before it becomes its program."""
    return lambda: os.sched_setaffinity(0, {cpu})


@contextlib.contextmanager
def server(command: list[str], port: int) -> Iterator[str]:
    """Runs the server on its own processor; the URL of one object of 1 KiB."""
    process = subprocess.Popen(command, preexec_fn=pin(SERVER_CPU), stderr=subprocess.DEVNULL)  # noqa: PLW1509
    try:
        yield f"http://127.0.0.1:{port}{put_object(port)}"
    finally:
        process.terminate()
        process.wait(10)


def put_object(port: int) -> str:
    """Stores the object that every generator asks for; the path to ask for."""
    deadline = time.monotonic() + 10
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            name = connection.getresponse().getheader("Server") or ""
            connection.close()
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    if name == "pausemark-freeze":
        return "/"
    for path, body in (("/bench", b""), (OBJECT_PATH, b"x" * OBJECT_BYTES)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("PUT", path, body=body)
        connection.getresponse().read()
        connection.close()
    return OBJECT_PATH


def finish(process: subprocess.Popen[str]) -> float:
    """Waits for the process; the CPU seconds it used."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"error: {process.args!s}: failed, expected 0, got {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def plan(url: str, rate_rps: float, seconds: float) -> dict[str, Any]:
    """An engine's plan for GETs of one URL."""
    port, path = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/.*)", url).groups()  # type: ignore[union-attr]
    return {
        "schema": 1,
        "target": {"address": "127.0.0.1", "port": int(port), "path": path},
        "scenario": None,
        "rate_rps": rate_rps,
        "warmup_s": 0,
        "duration_s": seconds,
        "connections": CONNECTIONS,
        "seed": 1,
        "cpus": [ENGINE_CPU],
        # What is in flight at the end is waited for, a backlog of millions is not.
        "timeout_ns": 100_000_000,
    }


def engine_events(binary: Path, what: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The engine's events as they come, then one `exit` with the CPU of the whole process."""
    process = subprocess.Popen(
        [str(binary), "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(what))
    process.stdin.close()
    for line in process.stdout:
        yield json.loads(line)
    yield {"event": "exit", "cpu_s": finish(process)}


def engine(binary: Path, url: str, rate_rps: float, seconds: float) -> Cost:
    """The engine, records off; as wrk2 keeps none."""
    requests, cpu_s = 0, 0.0
    for event in engine_events(binary, plan(url, rate_rps, seconds)):
        if event["event"] == "second":
            requests += event["completed"]
            if event["errors"]:
                raise SystemExit(f"error: engine: errors, expected none, got {event['errors']}")
        elif event["event"] == "exit":
            cpu_s = event["cpu_s"]
    return Cost(requests, cpu_s, seconds)


def wrk(binary: str, url: str, rate_rps: float, seconds: float) -> Cost:
    """wrk2, or wrk (which knows no rate and sends as fast as it is answered)."""
    helped = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False)
    rate = [f"-R{rate_rps:.0f}"] if "rate" in helped.stdout + helped.stderr else []
    command = [binary, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", *rate, url]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, text=True, preexec_fn=pin(ENGINE_CPU))  # noqa: PLW1509
        cpu_s = finish(process)
        out.seek(0)
        text = out.read()
    found = re.search(r"(\d+) requests in", text)
    if found is None or "Non-2xx" in text:
        raise SystemExit(f"error: {binary}: bad output, expected requests, got {text}")
    return Cost(int(found[1]), cpu_s, seconds)


def locust(url: str, seconds: float) -> Cost:
    """Locust's FastHttpUser as fast as it goes; CPU by its own clock, start to stop."""
    host, path = re.fullmatch(r"(http://[^/]+)(/.*)", url).groups()  # type: ignore[union-attr]
    command = [sys.executable, "-m", "locust", "-f", str(FOLDER / "fast_http.py"), "--headless"]
    command += ["-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "-t", f"{seconds:.0f}s"]
    command += ["--host", host, "--loglevel", "ERROR", "--only-summary"]
    environment = {**os.environ, "PAUSEMARK_PATH": path}
    done = subprocess.run(
        command,
        env=environment,
        preexec_fn=pin(ENGINE_CPU),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    found = re.search(r"^PAUSEMARK (\{.*\})$", done.stdout, re.MULTILINE)
    if found is None:
        raise SystemExit(f"error: locust: no result, expected one, got {done.stderr[-500:]}")
    result = json.loads(found[1])
    return Cost(result["requests"], result["cpu_s"], seconds)
