"""Both runtimes with a backend of planted faults: started, limited, ended, nothing left behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.drivers import docker_runtime, runtimes
from harness.drivers.manifests import read_backend
from harness.drivers.runtime import Launch, Runtime, Server
from harness.errors import BackendFailed, BuildFailed, EnvironmentLacking
from harness.model.manifest import BackendManifest
from harness.model.plan import Artifact, Subject
from harness.system import cgroups, docker_daemon, process_table
from harness.system.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
FAULTY = ROOT / "tests" / "backends" / "faulty"
BUILD = ROOT / "build" / "e2e"
pytestmark = pytest.mark.e2e


def _lacking(reason: str) -> None:
    if os.environ.get("PAUSEMARK_NO_SKIP"):
        pytest.fail(f"{reason}, and PAUSEMARK_NO_SKIP is set")
    pytest.skip(reason)


@pytest.fixture(scope="module", params=["process", "docker"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if os.geteuid() != 0:
        _lacking("needs root")
    try:
        return runtimes.choose(request.param, build=BUILD)[0]
    except EnvironmentLacking as error:
        _lacking(str(error))
        raise


class Bench:
    """A built backend that tests start on free ports."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self.runtime = runtime
        self.manifest: BackendManifest = read_backend(FAULTY)
        self.artifact: Artifact = runtime.build(self.manifest, FAULTY)
        self.folder = folder
        self.port = 0
        self._number = 0

    def launch(self, variant: str = "sound", **changed: object) -> Launch:
        self._number += 1
        self.port = free_port()
        values: dict[str, object] = {
            "name": f"pausemark-e2e-{os.getpid()}-{self._number}",
            "subject": Subject("faulty", variant, (("after", "3"),)),
            "address": "127.0.0.1",
            "port": self.port,
            "threads": 1,
            "cpus": [max(os.sched_getaffinity(0))],
            "memory_limit_bytes": 256 << 20,
            "cpu_quota": None,
            "pids_limit": 64,
            "data_directory": self.folder / "data",
            "log": self.folder / f"server-{self._number}.log",
        }
        return Launch(**{**values, **changed})  # type: ignore[arg-type]

    def start(self, variant: str = "sound", **changed: object) -> Server:
        return self.runtime.start(self.artifact, self.manifest, self.launch(variant, **changed))

    def ask(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as reply:
            return int(reply.status)


@pytest.fixture
def bench(runtime: Runtime, tmp_path: Path) -> Iterator[Bench]:
    yield Bench(runtime, tmp_path)
    assert _left_behind() == []


def _left_behind() -> list[str]:
    """Processes, containers and control groups of ours that should be gone."""
    found = [
        f"process {pid}"
        for pid in process_table.pids()
        if process_table.name_of(pid).startswith("pausemark-faul") and process_table.identify(pid)
    ]
    for mount in cgroups.hierarchy().mounts.values():
        found += [str(path) for path in (mount / cgroups.OUR_FOLDER).glob("*-pausemark-e2e-*")]
    daemon = docker_daemon.answering()
    if daemon is not None:
        client = docker_runtime.connect(daemon)
        found += [
            c.name or "" for c in client.containers.list(all=True, filters={"label": "pausemark"})
        ]
        client.close()
    return [name for name in found if f"-{os.getpid()}-" in name or name.startswith("process")]


def _eventually(holds: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_build_leaves_a_receipt(bench: Bench) -> None:
    assert bench.artifact.version_line == "pausemark-faulty 0.1.0"
    assert len(bench.artifact.digest) == 64
    assert bench.artifact.runtime == bench.runtime.name


def test_a_build_that_fails_tells_the_compiler_s_words(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "faulty"
    folder.mkdir()
    for path in FAULTY.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / "store.c").write_text("#error planted\n")
    with pytest.raises(BuildFailed, match=r"planted|Error 1|returned a non-zero code") as caught:
        bench.runtime.build(bench.manifest, folder)
    log = Path(caught.value.hint.removeprefix("the whole log is "))
    assert "#error planted" in log.read_text()


def test_a_server_is_confined_counted_and_ended(bench: Bench) -> None:
    server = bench.start()
    try:
        assert bench.ask() == 200
        (pid,) = server.pids()
        assert os.sched_getaffinity(pid) == {max(os.sched_getaffinity(0))}
        status = Path(f"/proc/{pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        assert server.binary_path().read_bytes()[:4] == b"\x7fELF"
        usage = server.usage()
        assert (usage.cpu_ns or 0) > 0
        assert (usage.memory_peak_bytes or 0) > 0
        assert usage.throttled_ns == 0
        assert server.alive() is None
    finally:
        server.stop()
    assert server.alive() is not None
    server.stop()


def test_a_quota_throttles_and_is_counted(bench: Bench) -> None:
    server = bench.start(cpu_quota=0.01)
    try:
        for _ in range(300):
            bench.ask()
            if (server.usage().throttled_count or 0) > 0:
                break
        assert (server.usage().throttled_ns or 0) > 0
    finally:
        server.stop()


def test_one_that_never_gets_ready_is_ended_and_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.drivers.readiness.READY_TIMEOUT_S", 2.5)
    with pytest.raises(BackendFailed, match=r"GET / to answer 200 or 403 .* fault never-ready"):
        bench.start("never-ready")


def test_one_that_ends_at_once_tells_its_last_words(bench: Bench) -> None:
    with pytest.raises(BackendFailed, match=r"exit status 3; .* ending at once as planned"):
        bench.start("exits-at-once")


def _ask_until_it_dies(bench: Bench, server: Server) -> None:
    for _ in range(50):
        with contextlib.suppress(OSError, http.client.HTTPException):
            bench.ask()
        if server.alive() is not None:
            return
        time.sleep(0.05)
    raise AssertionError("it never died")


def test_a_crash_is_told_by_its_signal(bench: Bench) -> None:
    server = bench.start("crashes")
    try:
        _ask_until_it_dies(bench, server)
        ending = server.alive()
        assert ending is not None
        assert ending.id == "backend-died"
        # abort() of a container's first process, whose SIGABRT is ignored, ends in SIGSEGV.
        assert "signal 6" in ending.text or "signal 11" in ending.text
    finally:
        server.stop()


def test_running_out_of_memory_is_told(bench: Bench) -> None:
    server = bench.start("greedy")
    try:
        _ask_until_it_dies(bench, server)
        ending = server.alive()
        assert ending is not None
        assert "memory limit" in ending.text
    finally:
        server.stop()


@pytest.mark.parametrize("variant", ["stubborn", "forks"])
def test_those_that_do_not_want_to_end_are_ended(bench: Bench, variant: str) -> None:
    server = bench.start(variant)
    server.stop()


def test_a_port_in_use_is_refused_before_the_start(bench: Bench) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(EnvironmentLacking, match=rf"taken by .* \(pid {os.getpid()}\)"):
            bench.start(port=port)


_OWNER = """
import sys, time
from pathlib import Path
import tests.e2e.test_runtimes as t
from harness.drivers import runtimes
bench = t.Bench(runtimes.choose(sys.argv[1], build=t.BUILD)[0], Path(sys.argv[2]))
server = bench.start(sys.argv[3])
print(server.pids()[0], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("variant", ["sound", "forks"])
def test_what_a_killed_harness_left_is_cleaned_up(
    bench: Bench, tmp_path: Path, variant: str
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, bench.runtime.name, str(tmp_path), variant],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert owner.stdout is not None
    with owner.stdout:
        server = process_table.identify(int(owner.stdout.readline()))
    assert server is not None
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    runtimes.cleanup()
    _eventually(lambda: not process_table.lives(server))
    _eventually(lambda: not any(str(owner.pid) in name for name in _all_of_ours()))


def _all_of_ours() -> list[str]:
    names = [str(folder) for group in cgroups.abandoned() for folder in group.distinct_folders]
    names += [f"orphan {identity}" for identity in process_table.orphans()]
    daemon = docker_daemon.answering()
    if daemon is not None:
        client = docker_runtime.connect(daemon)
        names += [c.name or "" for c in client.containers.list(all=True)]
        client.close()
    return names
