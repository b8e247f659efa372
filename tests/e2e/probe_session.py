"""Speaks to one probe as the harness does, and reads what it wrote; shared by the probes' tests."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
INTERPRETER = "/usr/bin/python3"
ANSWER_S = 120.0  # compiling on a busy core
HEADER_BYTES = 4096
NEVER_COMPLETED = 1 << 31
DISCARDED = 1 << 30


def require_bpf() -> None:
    """Skip with the reason where probes cannot run; in CI they must."""
    if os.environ.get("CI") == "true":
        return
    if os.geteuid() != 0:
        pytest.skip("probes need root")
    asked = [INTERPRETER, "-c", "import bcc"]
    if subprocess.run(asked, capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("python3-bpfcc is not installed for /usr/bin/python3")


class ProbeSession:
    """One probe's process; leaving the block ends it."""

    def __init__(self, name: str, output: Path) -> None:
        self.name = name
        self.output = output
        self._process = subprocess.Popen(
            [INTERPRETER, str(REPOSITORY / "ebpf" / name / f"{name}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> ProbeSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """The probe's process."""
        return self._process.pid

    def wait(self) -> int:
        """The exit code, once the probe has ended by itself."""
        return self._process.wait(timeout=30)

    def say(self, command: str, **fields: Any) -> dict[str, Any]:
        """One command and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **fields}) + "\n")
        self._process.stdin.flush()
        ready = select.select([self._process.stdout], [], [], ANSWER_S)[0]
        assert ready, f"{self.name} did not answer {command} within {ANSWER_S:g} s"
        answer = json.loads(self._process.stdout.readline())
        assert isinstance(answer, dict)
        return answer

    def configure(self, cpus: list[int]) -> dict[str, Any]:
        """Compile; the answer must be `ready`."""
        answer = self.say("configure", schema=1, cpus={"backend": cpus, "engine": []})
        assert answer["event"] == "ready", answer
        return answer

    def start(self, pid: int, binary: str = "") -> dict[str, Any]:
        """Begin a trial on the process tree under `pid`."""
        return self.say(
            "start", output=str(self.output), backend_pids=[pid], engine_pids=[], binary=binary
        )

    def stop(self) -> dict[str, Any]:
        """End the trial; the answer must be `stopped`, with nothing lost."""
        answer = self.say("stop")
        assert answer["event"] == "stopped", answer
        assert not any(answer["drops"].values()), answer
        assert answer["summary"]["lost"] == 0, answer
        return answer

    def seconds(self) -> list[dict[str, Any]]:
        """The lines of the trial's seconds."""
        text = (self.output / f"{self.name}.seconds.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def stream(self, name: str) -> np.ndarray[Any, Any]:
        """The whole records of a stream, read by the file's own header."""
        data = (self.output / f"{name}.bin").read_bytes()
        assert data[:8] == b"PMEVT001"
        (length,) = struct.unpack_from("<I", data, 8)
        header = json.loads(data[12 : 12 + length])
        kind = np.dtype([(field, form) for field, form in header["fields"]])
        assert kind.itemsize == header["record_bytes"]  # every stream of these tests is unpadded
        records: np.ndarray[Any, Any] = np.frombuffer(data, kind, offset=HEADER_BYTES)
        whole = (records["ring"] & (NEVER_COMPLETED | DISCARDED)) == 0
        return np.compress(whole, records)
