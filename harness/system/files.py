"""Small readings of files that may vanish while they are read: /proc, /sys, logs."""

from __future__ import annotations

import os
from pathlib import Path

STATE_DIRECTORY = Path("/run/pausemark")
LOG_DIRECTORY = Path("/var/log/pausemark")
TAIL_BYTES_MAX = 64 * 1024


def read_text(path: Path) -> str | None:
    """The whole text, or None when it is gone or not ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    """A file that holds one integer; None when it is gone or holds something else ("max")."""
    text = read_text(path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def read_fields(path: Path) -> dict[str, int]:
    """A file of `name value` lines, as cpu.stat and memory.events are; {} when it is gone."""
    fields = {}
    for line in (read_text(path) or "").splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdigit():
            fields[name] = int(value)
    return fields


def tail(path: Path, lines: int = 10) -> list[str]:
    """The last lines that are not empty, of at most the last 64 KiB."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES_MAX))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]
