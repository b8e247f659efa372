"""`make conformance`: unmodified clients x backend variants, with verified signatures, as a table.

Exit 0: every client that is here took every step; 1: a step failed; 2: wrong use; 4: nothing could
be asked, because no backend declares the profiles or no client is here.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance.steps import STEPS
from tests.conformance.tools import CLIENTS, NotHereError, Tool
from tests.contract.servers import (
    AUTH_VERIFY,
    REPOSITORY,
    Backend,
    ProcessLauncher,
    build,
    discover,
)
from tests.contract.signing import Client as Reference
from tests.contract.signing import Key, Signer

NEEDED = frozenset({"verify", "mpu"})
KEY = Key("PAUSEMARKCONFORMANCE", "conformance-secret-0123456789abcdef")
REGION = "us-east-1"
DRIVER_TIMEOUT_S = 300
PASSED_ON = ("PATH", "LANG", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass(frozen=True, slots=True)
class Cell:
    """What one client did at one backend: reasons by step; None for a step that went well."""

    steps: dict[str, str | None] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """Names of the steps that failed."""
        return [name for name, why in self.steps.items() if why is not None]

    def text(self) -> str:
        """`ok`, or the steps that failed."""
        return "ok" if not self.failed else f"FAILED {', '.join(self.failed)}"


def ask(name: str, tool: Tool, port: int, folder: Path) -> Cell:
    """Run one client's driver against a server, in a bucket made for it."""
    bucket = f"conformance-{name}"
    made = Reference(port, Signer(KEY)).ask("PUT", f"/{bucket}", [], b"")
    if made.status != 200:
        raise RuntimeError(f"the bucket of {name} could not be made: {made}")
    environment = {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "CONFORMANCE_ENDPOINT": f"http://127.0.0.1:{port}",
        "CONFORMANCE_KEY_ID": KEY.id,
        "CONFORMANCE_SECRET": KEY.secret,
        "CONFORMANCE_REGION": REGION,
        "CONFORMANCE_BUCKET": bucket,
        "CONFORMANCE_FOLDER": str(folder),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",  # keys that are not ASCII stand on command lines
        "PYTHONPATH": str(REPOSITORY),
        **tool.environment,
    }
    command = [tool.python, "-m", f"tests.conformance.client_{name}"]
    return Cell(_steps_of(command, environment, folder))


def _steps_of(
    command: Sequence[str], environment: dict[str, str], folder: Path
) -> dict[str, str | None]:
    """What the driver said of each step; a step that it never came to has failed."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=DRIVER_TIMEOUT_S,
            check=False,
            env=environment,
            cwd=folder,
        )
        said, ended = done.stdout, f"exit {done.returncode}: {done.stderr.strip()[-300:]}"
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else ""
        ended = f"no end within {DRIVER_TIMEOUT_S} s"
    told = {line["step"]: line["why"] for line in map(json.loads, said.splitlines())}
    return {name: told.get(name, f"not reached, {ended}") for name in STEPS}


def table(rows: dict[str, list[str]], columns: list[str], corner: str = "client") -> list[str]:
    """The rows in columns of equal width."""
    lines = [[corner, *columns], *([name, *cells] for name, cells in rows.items())]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def installed(names: Sequence[str], folder: Path) -> dict[str, Tool | str]:
    """Each client, or why it is not here; said as it happens."""
    found: dict[str, Tool | str] = {}
    for name in names:
        try:
            found[name] = tool = CLIENTS[name](folder)
            say(f"{name}: {tool.version}")
        except NotHereError as error:
            found[name] = str(error)
            say(f"{name}: not here ({error})")
    return found


def say(line: str) -> None:
    """Talk goes to stderr; the table is data."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def asked(backend: Backend, tools: dict[str, Tool | str]) -> dict[str, Cell]:
    """The cells of one backend's column, from a server of its own."""
    cells = {}
    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        build(backend)
        credential = f"--credential={KEY.id}:{KEY.secret}"
        running = ProcessLauncher(Path(scratch)).start(backend, (AUTH_VERIFY, credential))
        try:
            for name, tool in tools.items():
                if isinstance(tool, Tool):
                    folder = Path(scratch) / name
                    folder.mkdir()
                    cells[name] = ask(name, tool, running.port, folder)
                    say(f"{backend.name}: {name}: {cells[name].text()}")
        finally:
            running.stop()
    return cells


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--backends-dir", action="append", default=[], type=Path)
    parser.add_argument("--backend", action="append", default=[], help="only this one, by name")
    parser.add_argument("--client", action="append", default=[], choices=list(CLIENTS))
    parser.add_argument("--tools", type=Path, default=REPOSITORY / "build" / "conformance")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Install, ask, print; the exit code."""
    asked_for = arguments(given)
    folders = [path.resolve() for path in asked_for.backends_dir] or [REPOSITORY / "backends"]
    wanted = set(asked_for.backend)
    backends = []
    for backend in discover(folders):
        if wanted and backend.manifest["name"] not in wanted:
            continue
        if missing := sorted(NEEDED - backend.profiles):
            say(f"{backend.name}: not asked, its manifest does not declare {', '.join(missing)}")
        else:
            backends.append(backend)
    tools = installed(asked_for.client or list(CLIENTS), asked_for.tools.resolve())
    if not backends or not any(isinstance(tool, Tool) for tool in tools.values()):
        say(
            "error: conformance: nothing to ask, expected a backend with verify and mpu, "
            "and a client"
        )
        say("hint: --backends-dir DIR, or see above why each is not there")
        return 4
    columns = {backend.name: asked(backend, tools) for backend in backends}
    return report(columns, tools)


def report(columns: dict[str, dict[str, Cell]], tools: dict[str, Tool | str]) -> int:
    """Print the table and the reasons; 1 when there is any."""
    rows = {
        name: [
            columns[column][name].text() if isinstance(tool, Tool) else f"not here ({tool})"
            for column in columns
        ]
        for name, tool in tools.items()
    }
    lines = table(rows, list(columns))
    reasons = [
        f"{column}: {name}: {step}: {re.sub(r'[^ -~]', '?', why)}"
        for column, cells in columns.items()
        for name, cell in cells.items()
        for step, why in cell.steps.items()
        if why is not None
    ]
    sys.stdout.write("\n".join([*lines, "", *reasons] if reasons else lines) + "\n")
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
