"""A probe that watches nothing and speaks as one: its name says what it does wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def say(event: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def main() -> None:
    kind = Path(sys.argv[0]).stem
    started = 0
    # Lives on in the same folder when the harness starts the probe anew.
    died = Path(sys.argv[0]).with_name("died")
    for line in sys.stdin:
        command = json.loads(line)["command"]
        if command == "configure":
            if kind == "absent":
                say("unavailable", reason="this kernel has no such hook")
            else:
                say("ready", unavailable=[])
        elif command == "start":
            started += 1
            say("started")
        elif command == "add":
            if kind == "mortal" and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            say("added")
        elif command == "stop":
            say("stopped", records={"windows": started}, drops={}, cpu_ns=1000,
                bpf={"runs": 5, "run_ns": 500}, summary={})  # fmt: skip


if __name__ == "__main__":
    main()
