"""The process runtime: a backend as a child on this host, in a control group where allowed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path

from harness.drivers.command import compose
from harness.drivers.readiness import wait_ready
from harness.drivers.receipt import TOOLCHAIN_FILE, parse_toolchain, version_line
from harness.drivers.runtime import Ending, Launch, Usage
from harness.errors import BuildFailed
from harness.model.manifest import BackendManifest
from harness.model.plan import Artifact
from harness.system import cgroups, ports, process_table
from harness.system.cgroups import Group, Limits
from harness.system.files import read_text, tail
from harness.system.process import (
    ProgramMissing,
    describe_exit,
    end,
    last_lines,
    run,
    spawn,
    wait_until_exec,
)
from harness.system.process_table import own_identity, read_stat, tree

BUILD_TIMEOUT_S = 1800.0
VERSION_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 3.0  # the contract gives a backend 2 s
# Compilers by a manifest's language; a language that is not here is recorded without one, unless
# its build leaves a toolchain file.
_COMPILERS = {"C": ("gcc",), "C++": ("g++",), "Rust": ("rustc",), "Go": ("go",)}


class ProcessRuntime:
    """Builds with `make` and runs on this host."""

    name = "process"

    def __init__(self, build: Path, toolchain_path: str = "") -> None:
        """Artifacts go under `build`; `toolchain_path` is searched before PATH."""
        self._build = build
        path = os.environ.get("PATH", os.defpath)
        self._environment = {"PATH": f"{toolchain_path}:{path}" if toolchain_path else path}

    def build(self, manifest: BackendManifest, folder: Path) -> Artifact:
        """`make build OUT=`, then the version command; BuildFailed with the compiler's words."""
        # Candidate and baseline are two folders of one name: the folder decides where it goes.
        label = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
        out = self._build / "process" / f"{manifest.name}-{label}"
        out.mkdir(parents=True, exist_ok=True)
        log = out.parent / f"{manifest.name}-{label}.log"
        log.write_bytes(b"")
        made = run(
            ["make", "-C", str(folder), "build", f"OUT={out}"],
            timeout_s=BUILD_TIMEOUT_S,
            env=self._environment,
            log=log,
        )
        artifact = out / manifest.build.artifact
        if made.exit_status != 0 or not artifact.is_file():
            what = (
                f"expected `make build` to leave {manifest.build.artifact}, got no such file"
                if made.exit_status == 0
                else f"`make build` {describe_exit(made.exit_status)}: {last_lines(log)}"
            )
            raise BuildFailed(f"backend {manifest.name}", what, hint=f"the whole log is {log}")
        said = run([str(artifact), manifest.build.version_argument], timeout_s=VERSION_TIMEOUT_S)
        return Artifact(
            backend=manifest.name,
            runtime=self.name,
            location=str(artifact.relative_to(self._build)),
            digest=hashlib.sha256(artifact.read_bytes()).hexdigest(),
            version_line=version_line(
                manifest, status=said.exit_status, stdout=said.stdout, stderr=said.stderr
            ),
            build_ns=made.wall_ns,
            toolchain=self._toolchain(manifest, out),
        )

    def _toolchain(self, manifest: BackendManifest, out: Path) -> dict[str, str]:
        left = read_text(out / TOOLCHAIN_FILE)
        if left is not None:
            return parse_toolchain(left)
        found = {}
        for compiler in _COMPILERS.get(manifest.language, ()):
            argument = "version" if compiler == "go" else "--version"
            with contextlib.suppress(ProgramMissing):
                said = run([compiler, argument], timeout_s=10, env=self._environment)
                found[compiler] = (said.stdout.splitlines() or ["unknown"])[0]
        return found

    def start(self, artifact: Artifact, manifest: BackendManifest, launch: Launch) -> ProcessServer:
        """Starts it and waits until it is ready."""
        ports.require_free(launch.address, launch.port)
        values = {
            "artifact": str(self._build / artifact.location),
            "address": launch.address,
            "port": str(launch.port),
            "threads": str(launch.threads),
            "data_directory": str(launch.data_directory),
            "credential": launch.credential,
        }
        command = compose(manifest, launch.subject, values, launch.protocol)
        launch.data_directory.mkdir(parents=True, exist_ok=True)
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        limits = Limits(
            cpus=tuple(launch.cpus),
            memory_bytes=launch.memory_limit_bytes,
            cpu_quota=launch.cpu_quota,
            pids=launch.pids_limit,
        )
        group = cgroups.create(launch.name, own_identity(), limits)
        try:
            process = spawn(
                command.argv,
                env=command.environment,
                stdout=launch.log,
                stderr=launch.log,
                cpus=launch.cpus,
                groups=group.membership_files,
                unprivileged=True,
            )
        except BaseException:
            group.remove()
            raise
        server = ProcessServer(process, group, launch.log)
        try:
            wait_until_exec(process)
            wait_ready(
                server,
                who=launch.subject.name,
                address=launch.address,
                port=launch.port,
                protocol=launch.protocol,
                last_words=lambda: last_lines(launch.log),
            )
        except BaseException:
            server.stop()
            raise
        return server


class ProcessServer:
    """A backend that runs as our child."""

    def __init__(self, process: subprocess.Popen[bytes], group: Group, log: Path) -> None:
        """`process` has joined `group`."""
        self._process = process
        self._group = group
        self._log = log
        # What could not be limited here and why, affinity aside: it needs no control group.
        self.not_limited = {k: v for k, v in group.not_limited.items() if k != "cpus"}

    def pids(self) -> list[int]:
        """The root of its process tree."""
        return [self._process.pid]

    def binary_path(self) -> Path:
        """Through /proc: the very file that runs, even when it was built anew meanwhile."""
        return Path(f"/proc/{self._process.pid}/exe")

    def usage(self) -> Usage:
        """From the control group; without one, from the living processes of the tree."""
        group = self._group
        throttled = group.throttled()
        cpu_ns = group.cpu_ns()
        memory_bytes = group.memory_bytes()
        if cpu_ns is None or memory_bytes is None:
            stats = [read_stat(pid) for pid in tree([self._process.pid])]
            tree_cpu_ns = sum(stat.cpu_ns for stat in stats if stat is not None)
            cpu_ns = cpu_ns if cpu_ns is not None else (tree_cpu_ns if any(stats) else None)
            memory_bytes = memory_bytes or self._status_bytes("VmRSS")
        return Usage(
            cpu_ns=cpu_ns,
            memory_bytes=memory_bytes,
            memory_peak_bytes=group.memory_peak_bytes() or self._status_bytes("VmHWM"),
            throttled_ns=None if throttled is None else throttled.time_ns,
            throttled_count=None if throttled is None else throttled.count,
        )

    def _status_bytes(self, field: str) -> int | None:
        """A field in kB of /proc/PID/status, summed over the tree."""
        values = [process_table.status_bytes(pid, field) for pid in tree([self._process.pid])]
        return sum(value for value in values if value is not None) if any(values) else None

    def alive(self) -> Ending | None:
        """None while it runs; a poll of our own child, and no more."""
        status = self._process.poll()
        if status is None:
            return None
        kills = self._group.out_of_memory_kills()
        because = " because it reached its memory limit" if kills else ""
        return Ending("backend-died", describe_exit(status) + because)

    def last_words(self) -> list[str]:
        """The end of its log."""
        return tail(self._log)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for all that is left; safe to call twice."""
        end(self._process, timeout_s=STOP_TIMEOUT_S)
        self._group.remove()
