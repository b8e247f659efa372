"""Docker's daemon dies in the middle of a trial; it is a daemon of the test's own."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.drivers import docker_runtime
from harness.drivers.docker_runtime import DockerRuntime, connect
from harness.drivers.manifests import read_backend
from harness.drivers.runtime import Launch
from harness.model.plan import Artifact, Subject
from harness.system import docker_daemon, process_table
from harness.system.clock import Deadline, sleep_s
from harness.system.ports import free_port
from harness.system.process import end, find, last_lines, run_checked, spawn, tree

ROOT = Path(__file__).resolve().parents[2]
FAULTY = ROOT / "tests" / "backends" / "faulty"
pytestmark = pytest.mark.e2e


class OwnDaemon:
    """A dockerd beside the machine's own, with folders of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "d.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> docker_daemon.Daemon:
        for name in ("d.pid", "exec/containerd/containerd.pid"):
            (self.folder / name).unlink(missing_ok=True)  # as harness.system.docker_daemon does
        flags = {
            "--data-root": self.folder / "data",
            "--exec-root": self.folder / "exec",
            "--pidfile": self.folder / "d.pid",
            "--host": f"unix://{self.socket}",
            "--bridge": "none",
        }
        log = self.folder / "log"
        self.process = spawn(
            ["dockerd", "--iptables=false", *(f"{name}={value}" for name, value in flags.items())],
            stdout=log,
            stderr=log,
        )
        deadline = Deadline(60)
        while (found := docker_daemon.answering()) is None:
            assert self.process.poll() is None, last_lines(log)
            assert not deadline.passed, last_lines(log)
            sleep_s(0.1)
        return found

    def kill(self) -> None:
        assert self.process is not None
        for pid in tree(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def own_daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    if os.geteuid() != 0 or find("dockerd") is None:
        reason = "needs root and dockerd"
        if os.environ.get("PAUSEMARK_NO_SKIP"):
            pytest.fail(f"{reason}, and PAUSEMARK_NO_SKIP is set")
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="pausemark-daemon-"))  # a socket's path must be short
    daemon = OwnDaemon(folder)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{daemon.socket}")
    try:
        yield daemon
    finally:
        if daemon.process is not None:
            end(daemon.process, timeout_s=10)
        for mount in sorted(_mounts_under(folder), reverse=True):
            run_checked(["umount", "--lazy", mount], timeout_s=10)
        shutil.rmtree(folder, ignore_errors=True)


def _mounts_under(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [name for line in lines if (name := line.split()[1]).startswith(str(folder))]


def _image(runtime_client: object, folder: Path) -> str:
    """An image with nothing but the program, linked statically: no base image is needed."""
    run_checked(
        ["make", "-C", str(FAULTY), "build", f"OUT={folder}", "CC=gcc -static"], timeout_s=60
    )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(folder / "pausemark-faulty", arcname="artifact/pausemark-faulty")
    archive = folder / "image.tar"
    archive.write_bytes(buffer.getvalue())
    imported = runtime_client.api.import_image(  # type: ignore[attr-defined]
        src=str(archive), repository="pausemark/faulty-static", tag="test"
    )
    assert "error" not in imported
    return str(runtime_client.images.get("pausemark/faulty-static:test").id)  # type: ignore[attr-defined]


@pytest.fixture
def refused_connections() -> Iterator[None]:
    """Sockets of refused connections, which docker-py leaves to the collector, are collected here.

    Their warning is filtered here; in whichever test comes next it would be an error.
    """
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.usefixtures("refused_connections")
def test_a_daemon_that_dies_is_named_and_its_orphan_is_ended(
    own_daemon: OwnDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(connect(own_daemon.start())) as client:
        image = _image(client, tmp_path)
        runtime = DockerRuntime(client, tmp_path)
        artifact = Artifact("faulty", "docker", image, "0" * 64, "pausemark-faulty 0.1.0", 0)
        launch = Launch(
            name="pausemark-lost",
            subject=Subject("faulty", "sound"),
            address="127.0.0.1",
            port=free_port(),
            threads=1,
            cpus=[],
            memory_limit_bytes=256 << 20,
            cpu_quota=None,
            pids_limit=64,
            data_directory=tmp_path / "data",
            log=tmp_path / "server.log",
        )
        server = runtime.start(artifact, read_backend(FAULTY), launch)
        (pid,) = server.pids()
        backend = process_table.identify(pid)
        stat = process_table.read_stat(pid)
        assert backend is not None
        assert stat is not None
        shim = process_table.identify(stat.parent)
        assert shim is not None
        assert server.alive() is None

        own_daemon.kill()
        ending = server.alive()
        assert ending is not None
        assert ending.id == "runtime-lost"
        assert process_table.lives(backend)  # containers outlive their daemon

        server.stop()
        assert not process_table.lives(backend)
        assert not process_table.lives(shim)
        assert "listening on" in launch.log.read_text()

    # The record that nobody could remove goes with the next command, once its owner is dead.
    with contextlib.closing(connect(own_daemon.start())) as client:
        assert [c.name for c in client.containers.list(all=True)] == ["pausemark-lost"]
        assert docker_runtime.cleanup(client) == []
        monkeypatch.setattr(docker_runtime, "lives", lambda _: False)
        assert len(docker_runtime.cleanup(client)) == 1
        assert client.containers.list(all=True) == []
