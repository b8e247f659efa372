"""A user's mistake: `error:` and `hint:` on stderr, the right exit code, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.stages import site
from harness.store import run_folder

ROOT = Path(__file__).parents[2]
BENCH = [sys.executable, "-c", "from harness.cli import main; main()"]

BACKEND = """
schema = 1
name = "{name}"
title = "t"
language = "C"
license = "x"
collector = "{collector}"
build = {{ artifact = "a" }}
run = {{ command = ["{{artifact}}"] }}
[[variants]]
name = "v"
title = "v"
tracks = ["idiomatic"]
protocols = ["h1"]
default = true
"""


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--rps", "0"], "--rps: expected 1 to 5000000 requests/s, got 0"),
        (["run", "--rps", "10000000"], "--rps: expected 1 to 5000000 requests/s, got 10000000"),
        (["run", "--rps", "nan"], "--rps: expected"),
        (["run", "--rps", "1..2:3"], "--rps: expected a rate, steps or a ramp, got '1..2:3'"),
        (["run", "--saturate", "--rps", "5"], "--saturate: with --rps 5"),
        (["run", "--saturate", "--pace", "spin"], "--saturate: with --pace spin"),
        (["run", "--saturate", "--arrivals", "poisson"], "--saturate: with --arrivals poisson"),
        (["run", "--engine-threads", "65"], "expected at most one a connection, got 65 for 64"),
        (
            ["load", "--target", "http://127.0.0.1/", "--rps", "x"],
            "--rps: expected a rate, steps or a",
        ),
        (["run", "--duration", "0"], "--duration: expected 1 to 604800 s, got 0"),
        (["run", "--duration", "soon"], "--duration: expected seconds"),
        (["run", "--backend", "cobol"], "--backend: expected one of"),
        (["run", "--backend", "c/none"], "--backend: expected one of c/"),
        (["run", "--backend", "c", "--set", "c.nothing=1"], "has no such option"),
        (["run", "--backend", "c", "--set", "c.allocator=x"], "expected one of pool, malloc, got"),
        (["run", "--backend", "go", "--set", "go.gogc=x"], "expected a value matching [0-9]+|off"),
        (["run", "--backend", "c", "--set", "nonsense"], "--set: expected backend.option=value"),
        (["run", "--backend", "c", "--set", "go.gogc=1"], "not among the backends of this run"),
        (
            ["run", "--track", "controlled", "--backend", "rust/hyper"],
            "share controlled, got",
        ),
        (
            ["run", "--backend", "rust/mio", "--backend", "go/nethttp"],
            "share a track, got rust",
        ),
        (["run", "--scenario", "none"], "--scenario: expected one of"),
        (["run", "--scenario", "none.toml"], "none.toml: cannot be read"),
        (["run", "--connections", "0"], "--connections: expected 1 to 60000"),
        (["run", "--grain", "0.5us"], "--grain: expected 1us to 10ms, got 0.5us"),
        (["run", "--grain", "11ms"], "--grain: expected 1us to 10ms, got 11ms"),
        (["run", "--grain", "20"], "--grain: expected a time such as 20us, 1.5ms or 2s, got '20'"),
        (["run", "--pipeline", "4"], "--pipeline: 4 with --protocol h1"),
        (["run", "--streams", "4"], "--streams: 4 with --protocol h1"),
        (["run", "--nonsense"], "No such option"),
        (
            ["run", "--workers", "5", "--connections", "4"],
            "--workers: expected at most 4, one for each of --connections, got 5",
        ),
        (["run", "--workers", "0"], "--workers: expected 1 to 256, got 0 hint"),
        (["run", "--expect-workers", "1"], "--address: expected one that the workers of other"),
        (
            [
                "run",
                "--expect-workers",
                "1",
                "--address",
                "10.1.1.1",
                "--master-bind-host",
                "0.0.0.0",
            ],
            "--master-bind-host: 0.0.0.0 is beyond this machine, and no token is set",
        ),
        (["run", "--address", "nonsense"], "--address: expected an IP address, got 'nonsense'"),
        (["run", "--users", "500"], "--users: has no effect without --locustfile"),
        (["worker", "--master", "a..b"], "--master:"),
        (["load", "--target", "http://127.0.0.1:0/", "--rps", "1"], "--target: expected http:"),
        (["run", "--token", "short"], "--token: expected at least 16 characters, got 5"),
        (["run", "--web", "80"], "--web: expected 1024 to 65535"),
        (["run", "--join-timeout", "0"], "--join-timeout: expected 1 to 3600"),
        (["worker"], "Missing option '--master'"),
        (["worker", "--master", "10.1.1.1"], "--master: 10.1.1.1 is beyond this machine"),
        (["worker", "--master", "a:b"], "--master: expected HOST or HOST:PORT, got 'a:b'"),
        (["worker", "--master", "a:" + "9" * 5000], "--master: expected HOST or HOST:PORT"),
        (
            ["worker", "--master", "127.0.0.1", "--name", "here-1"],
            "--name: expected letters, digits, dots and dashes",
        ),
        (["load", "--target", "ftp://x", "--rps", "1"], "--target: expected http://"),
        (["load", "--target", "http://127.0.0.1:1/", "--rps", "0"], "--rps: expected 1"),
        (
            ["load", "--target", "http://127.0.0.1:1/", "--rps", "1", "--grain", "1h"],
            "--grain: expected a time",
        ),
        (
            ["load", "--target", "http://127.0.0.1:1/", "--rps", "1", "--grain", "9" * 400 + "s"],
            "--grain: expected a time",
        ),
        (
            ["load", "--target", "http://127.0.0.1:1/", "--rps", "1", "--warmup", "2h"],
            "--warmup: expected 0 to 3600 s, got 7200",
        ),
        (["load", "--target", "http://127.0.0.1:1/a b", "--rps", "1"], "--target: expected http:"),
        (
            ["load", "--target", "http://127.0.0.1:1/", "--rps", "1", "--streams", "4"],
            "--streams: 4 with --protocol h1",
        ),
        (
            ["load", "--target", "http://127.0.0.1:1/", "--rps", "1", "--protocol", "h1-pipelined"],
            "--pipeline: 1 with --protocol h1-pipelined",
        ),
        (["capacity"], "Missing option '--slo'"),
        (["capacity", "--slo", "p95=5ms"], "--slo: expected p50, p90, p99, p99.9 = a time"),
        (["capacity", "--slo", "p99=5ms", "--from", "0"], "--from: expected 1 to 5000000"),
        (
            ["capacity", "--slo", "p99=5ms", "--from", "500", "--to", "400"],
            "--to: expected 500 to 5000000 requests/s, got 400",
        ),
        (["capacity", "--slo", "p99=5ms", "--resolution", "0"], "--resolution: expected 0.5 to"),
        (["capacity", "--slo", "p99=5ms", "--trial", "0"], "--trial: expected 1 to 3600 s"),
        (
            ["capacity", "--slo", "p99=5ms", "--percentiles", "clean", "--probes", "off"],
            "--percentiles: clean with --probes off",
        ),
        (["capacity", "--slo", "p99=5ms", "--backend", "cobol"], "--backend: expected one of"),
        (["report", "/nonexistent"], "is not a run"),
        (["compare", "/nonexistent"], "is not a run"),
    ],
)
def test_wrong_use_exits_2(arguments: list[str], said: str) -> None:
    finished = _bench(*arguments)
    assert finished.returncode == 2, finished.stderr
    assert "error: " in finished.stderr
    assert "\nhint: " in finished.stderr
    assert said in finished.stderr.replace("\n", " ")
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""


def test_nobody_listening_exits_4() -> None:
    finished = _bench("load", "--target", "http://127.0.0.1:9/", "--rps", "10")
    assert finished.returncode == 4
    assert "nobody listens on 127.0.0.1:9" in finished.stderr
    assert "hint: " in finished.stderr


def test_a_site_where_a_file_is_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        site.site([], tmp_path / "file")


@pytest.mark.parametrize("name", ["calibration", "load", "locustfile"])
def test_measurements_that_are_no_runs_are_pruned_too(tmp_path: Path, name: str) -> None:
    folder = run_folder.scratch(tmp_path, name, stamp="20261124T103000Z")
    (folder / "try").mkdir()
    (folder / "try" / "requests.bin").write_bytes(b"x" * 10)
    assert run_folder.prunable(tmp_path, records=True, keep=None) == [
        (folder / "try" / "requests.bin", 10)
    ]
    assert run_folder.prunable(tmp_path, records=False, keep=0) == [(folder, 10)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = [", "is not TOML"),
        ("schema = 2\n", "schema: expected 1, got 2"),
        ("schema = 1\n", "missing required field `name`"),
        (BACKEND.format(name="other", collector="none"), "name: expected the folder's name"),
        (BACKEND.format(name="bad", collector="zgc"), "collector: expected one of none, go"),
        ("extra = 1\n" + BACKEND.format(name="bad", collector="none"), "unknown field `extra`"),
    ],
)
def test_a_malformed_manifest_names_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "backend.toml").write_text(text)
    finished = _bench("run", "--backends-dir", str(tmp_path), "--backend", "bad")
    assert finished.returncode == 2
    assert said in finished.stderr
    assert "backend.toml" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_help_lists_every_command() -> None:
    finished = _bench("--help")
    assert finished.returncode == 0
    commands = (
        "run",
        "load",
        "list",
        "prune",
        "doctor",
        "calibrate",
        "capacity",
        "report",
        "compare",
        "site",
        "env",
    )
    assert all(f"  {command} " in finished.stdout for command in commands)
