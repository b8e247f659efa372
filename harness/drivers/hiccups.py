"""Runs the platform's control beside a trial: threads that only sleep, one a CPU."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from harness.errors import PausemarkError
from harness.system.process import spawn

STOP_TIMEOUT_S = 5.0


class Hiccups:
    """`pausemark-engine hiccup` on these CPUs; what it tells goes to `out` and is read later."""

    def __init__(self, engine: Path, *, cpus: list[int], out: Path, log: Path) -> None:
        """Starts it. A control that cannot run says why in `out`, and disturbs no trial."""
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = spawn(
                [str(engine), "hiccup", "--cpus", ",".join(map(str, cpus))],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cpus=cpus,
            )
        except (PausemarkError, OSError) as error:
            told = {"event": "error", "where": "hiccups", "what": f"cannot be started: {error}"}
            out.write_text(json.dumps(told) + "\n", encoding="utf-8")

    def stop(self) -> None:
        """Ends it; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
