"""What a build leaves to show for itself: its digest, its version line, its toolchain."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from harness.errors import BuildFailed
from harness.model.manifest import BackendManifest
from harness.system.process import describe_exit

# What builds leave behind in a backend's folder: never part of its sources.
NOT_SOURCES = {"build", "target", "node_modules", ".git", "__pycache__"}
# `make build` may leave lines of `name: version` beside the artifact under this name.
TOOLCHAIN_FILE = "toolchain"


def sources(folder: Path) -> Iterator[Path]:
    """A backend's own files, in a stable order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not NOT_SOURCES & set(path.relative_to(folder).parts):
            yield path


def sources_digest(folder: Path) -> str:
    """SHA-256 over names, executable bits and contents."""
    digest = hashlib.sha256()
    for path in sources(folder):
        executable = path.stat().st_mode & 0o111 != 0
        digest.update(f"{path.relative_to(folder)}\0{executable}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def parse_toolchain(text: str) -> dict[str, str]:
    """Lines of `name: version`; other lines are not for us."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): version.strip() for name, _, version in pairs}


def version_line(manifest: BackendManifest, *, status: int, stdout: str, stderr: str) -> str:
    """The one line that the version command printed; BuildFailed when it did not."""
    lines = [line for line in stdout.splitlines() if line.strip()]
    if status == 0 and len(lines) == 1:
        return lines[0].strip()
    argument = manifest.build.version_argument
    said = f"{len(lines)} lines" if status == 0 else describe_exit(status)
    raise BuildFailed(
        f"backend {manifest.name}",
        f"expected `{manifest.build.artifact} {argument}` to print one line and exit 0, got {said}"
        + (f": {stderr.strip()[-200:]}" if stderr.strip() else ""),
        hint="the contract asks for it: backends/CONTRACT.md",
    )
