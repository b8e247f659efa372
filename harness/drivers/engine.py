"""Builds the programs of the load generator room by its own Makefile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.errors import BuildFailed
from harness.system.process import run

BUILD_TIMEOUT_S = 1200.0
PROGRAMS = ("pausemark-engine", "pausemark-freeze")


def build(root: Path, out: Path, say: Callable[[str], None]) -> None:
    """`make -C loadgen build`, which skips what is fresh; BuildFailed with the log's end."""
    folder = out / "loadgen"
    if not all((folder / name).is_file() for name in PROGRAMS):
        say("build the load generator")
    result = run(
        ["make", "--no-print-directory", "-C", str(root / "loadgen"), "build", f"OUT={folder}"],
        timeout_s=BUILD_TIMEOUT_S,
    )
    if result.exit_status != 0:
        raise BuildFailed(
            "loadgen",
            f"`make build` ended with exit status {result.exit_status}: "
            + " | ".join(result.stderr.strip().splitlines()[-5:]),
            hint="run `make setup`, then `make -C loadgen build`",
        )
