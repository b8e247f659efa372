"""A user's own locustfile through real Locust, against a server that stops for 60 ms a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from harness.drivers.freeze import FreezeServer
from harness.system.ports import free_port
from tests.e2e.conftest import ROOT, Bench

FILE = """
from locust import FastHttpUser, constant_throughput, task


class Mine(FastHttpUser):
    wait_time = constant_throughput(20)

    @task(3)
    def read(self):
        self.client.get("/read")

    @task
    def fail(self):
        with self.client.get("/fail", catch_response=True) as answer:
            answer.failure("as asked")
"""


def test_a_users_own_locustfile_is_timed_and_labelled(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    port = free_port("127.0.0.1")
    program = ROOT / "build/loadgen/pausemark-freeze"
    server = FreezeServer(program, port=port, freeze_us=60_000, cpus=[], folder=tmp_path)
    try:
        target = f"http://127.0.0.1:{port}"
        given = ["--locustfile", str(file), "--target", target, "--users", "4"]
        command = bench("run", *given, "--duration", "6s", "--warmup", "1s", "--json")
        code = command.end()
    finally:
        server.stop()
    assert code == 1, command.stderr  # the failures that were asked for
    found = json.loads(command.stdout)
    entries = {one["name"]: one for one in found["entries"]}
    assert entries["/read"]["failures"] == 0
    assert entries["/fail"]["failures"] == entries["/fail"]["count"] > 0
    assert list(found["errors"]) == ["CatchResponseError: as asked"]
    # A user asks every 50 ms and a freeze lasts 60: whoever meets one waits for 10 at least.
    assert entries["/read"]["service"]["max"] > 9_000_000
    assert entries["/read"]["service"]["p50"] % 1_000_000 != 0  # no whole milliseconds
    assert found["resolution"].startswith("1 us")
    assert "service times" in found["label"]
    assert (Path(found["folder"]) / "user-times.bin").stat().st_size % 24 == 0
