"""`bench list`: what a person reads of a backend before running it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main

BACKEND = """
schema = 1
name = "zig"
title = "Zig: std.http"
language = "Zig"
license = "x"
collector = "none"
profiles = ["mpu", "verify"]
build = { artifact = "a" }
run = { command = ["{artifact}"] }
[[variants]]
name = "std"
title = "std.http"
tracks = ["idiomatic"]
protocols = ["h1"]
default = true
[options.durability]
about = "when a write is acknowledged"
values = ["ram", "batch"]
default = "ram"
argument = "--durability={value}"
[options.pages]
about = "how many"
pattern = "[0-9]+"
environment = "PAGES"
"""


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What `bench list` prints of one backend."""
    (folder / "zig").mkdir()
    (folder / "zig" / "backend.toml").write_text(BACKEND)
    main.main(args=["list", "--backends-dir", str(folder), *more])
    return capsys.readouterr().out


def cells(text: str, first: str) -> list[str]:
    """The cells of the one line that begins with `first`."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(first)]
    return [cell.strip() for cell in line.split("   ") if cell.strip()]


def test_profiles_and_options_are_readable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = listed(tmp_path, capsys)
    assert cells(text, "zig/std *") == [
        *("zig/std *", "std.http", "Zig", "idiomatic", "h1", "mpu, verify")
    ]
    assert cells(text, "zig.durability") == [
        *("zig.durability", "ram, batch", "ram", "when a write is acknowledged")
    ]
    assert cells(text, "zig.pages") == [
        *("zig.pages", "matching [0-9]+", "the backend's own", "how many")
    ]


def test_json_has_the_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (backend,) = json.loads(listed(tmp_path, capsys, "--json"))["backends"]
    assert backend["profiles"] == ["mpu", "verify"]
    assert backend["options"]["durability"]["default"] == "ram"
