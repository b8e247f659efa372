"""Runs one load generator once, pinned, and says what its requests cost."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hdrh.histogram import HdrHistogram

FOLDER = Path(__file__).resolve().parent
ENGINE_CPU = 0
CONNECTIONS = 64
WRK2_GRAIN_NS = 1_000_000
SAID_MAX = 400  # characters of a failed generator's output
FLAT_RPS = 1_000_000.0  # more than one core can send


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took; CPU is user and system time of the generator's whole process."""

    requests: int
    cpu_s: float
    seconds: float

    @property
    def cpu_us_per_request(self) -> float:
        """Microseconds of CPU a request."""
        return self.cpu_s * 1e6 / max(1, self.requests)

    @property
    def rate_rps(self) -> float:
        """Answered a second."""
        return self.requests / self.seconds


def pinned(cpu: int, command: list[str]) -> list[str]:
    """The command, kept on one processor."""
    return ["taskset", "--cpu-list", str(cpu), *command]


def finish(process: subprocess.Popen[str], said: IO[str] | None = None) -> float:
    """Waits for the process; the CPU seconds it used. A failure ends us, with what it `said`."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        words = ""
        if said is not None:
            said.seek(0)
            words = f"\n{said.read()[-SAID_MAX:].strip()}"
        who, code = str(process.args), process.returncode
        raise SystemExit(f"error: {who}: failed, expected 0, got {code}{words}")
    return usage.ru_utime + usage.ru_stime


def ran(command: list[str], *, input_text: str = "") -> tuple[str, float]:
    """What a pinned generator printed, and the CPU seconds it used."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        said.write(input_text)
        said.seek(0)
        process = subprocess.Popen(
            pinned(ENGINE_CPU, command), stdin=said, stdout=out, stderr=out, text=True
        )
        cpu_s = finish(process, out)
        out.seek(0)
        return out.read(), cpu_s


def number(pattern: str, text: str, who: str) -> int:
    """The number that a generator reports by this pattern."""
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"error: {who}: bad output, expected {pattern}, got {text[-400:]}")
    return int(found[1])


def plan(url: str, rate_rps: float, seconds: float, grain_ns: int = 20_000) -> dict[str, Any]:
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
        "grain_ns": grain_ns,
        "cpus": [ENGINE_CPU],
        # What is in flight at the end is waited for, a backlog of millions is not.
        "timeout_ns": 100_000_000,
    }


def engine_events(binary: Path, what: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
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


def engine(binary: Path, url: str, rate_rps: float, seconds: float, grain_ns: int = 20_000) -> Cost:
    """The engine, records off; as wrk2 keeps none."""
    requests, cpu_s = 0, 0.0
    for event in engine_events(binary, plan(url, rate_rps, seconds, grain_ns)):
        if event["event"] == "second":
            requests += event["completed"]
            if event["errors"]:
                raise SystemExit(f"error: engine: errors, expected none, got {event['errors']}")
        elif event["event"] == "exit":
            cpu_s = event["cpu_s"]
    return Cost(requests, cpu_s, seconds)


def merged(seconds: list[dict[str, Any]], name: str) -> HdrHistogram:
    """One of the engine's histograms over these seconds; ns."""
    whole = HdrHistogram(1, 60_000_000_000, 3)
    for second in seconds:
        whole.decode_and_add(second["histograms"][name])
    return whole


def find_wrk2() -> str | None:
    """wrk2 calls itself wrk; WRK2 names where it is."""
    return os.environ.get("WRK2") or shutil.which("wrk2")


def wrk(binary: str, url: str, rate_rps: float | None, seconds: float) -> Cost:
    """wrk2 at a rate, or wrk (which knows none and sends as fast as it is answered)."""
    rate = [] if rate_rps is None else [f"-R{rate_rps:.0f}"]
    command = [binary, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", *rate, url]
    text, cpu_s = ran(command)
    if "Non-2xx" in text:
        raise SystemExit(f"error: {binary}: bad answers, expected 2xx, got {text[-400:]}")
    return Cost(number(r"(\d+) requests in", text, binary), cpu_s, seconds)


def h2load(binary: str, url: str, seconds: float) -> Cost:
    """nghttp2's generator in HTTP/1.1, closed loop."""
    command = [binary, "--h1", "-t1", f"-c{CONNECTIONS}", f"-D{seconds:.0f}", url]
    text, cpu_s = ran(command)
    return Cost(number(r"(\d+) succeeded", text, binary), cpu_s, seconds)


def hey(binary: str, url: str, seconds: float) -> Cost:
    """Go, closed loop; limited to one processor."""
    command = [binary, "-z", f"{seconds:.0f}s", "-c", str(CONNECTIONS), "-cpus", "1", url]
    text, cpu_s = ran(command)
    return Cost(number(r"\[200\]\s+(\d+) responses", text, binary), cpu_s, seconds)


def vegeta(binary: str, url: str, seconds: float) -> Cost:
    """Go; `-rate=0` is its closed loop."""
    with tempfile.TemporaryDirectory() as folder:
        results = f"{folder}/results.bin"
        command = [binary, "-cpus=1", "attack", "-rate=0", f"-max-workers={CONNECTIONS}"]
        command += [f"-workers={CONNECTIONS}", f"-connections={CONNECTIONS}", "-max-body=0"]
        command += [f"-duration={seconds:.0f}s", f"-output={results}"]
        _, cpu_s = ran(command, input_text=f"GET {url}\n")
        report = [binary, "report", "-type=json", results]
        told = json.loads(subprocess.run(report, capture_output=True, check=True).stdout)
    return Cost(int(told["status_codes"].get("200", 0)), cpu_s, seconds)


def locust(url: str, seconds: float) -> Cost:
    """Locust's FastHttpUser as fast as it goes; CPU by its own clock, start to stop."""
    host, path = re.fullmatch(r"(http://[^/]+)(/.*)", url).groups()  # type: ignore[union-attr]
    command = [sys.executable, "-m", "locust", "-f", str(FOLDER / "fast_http.py"), "--headless"]
    command += ["-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "-t", f"{seconds:.0f}s"]
    command += ["--host", host, "--loglevel", "ERROR", "--only-summary"]
    environment = {**os.environ, "PAUSEMARK_PATH": path}
    done = subprocess.run(
        pinned(ENGINE_CPU, command),
        env=environment,
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


Runner = Callable[[str, float], Cost]


def peers() -> dict[str, Runner]:
    """Whoever is installed, by name: each as fast as it goes on one processor."""
    found: dict[str, Runner] = {}
    wrk2 = find_wrk2()
    if wrk2:
        found["wrk2"] = lambda url, seconds: wrk(wrk2, url, FLAT_RPS, seconds)
    for name, run in (("wrk", wrk_closed), ("h2load", h2load), ("vegeta", vegeta), ("hey", hey)):
        binary = shutil.which(name)
        if binary:
            found[name] = functools.partial(run, binary)
    found["FastHttpUser"] = locust
    return found


def wrk_closed(binary: str, url: str, seconds: float) -> Cost:
    """The same without a rate."""
    return wrk(binary, url, None, seconds)
