"""Debian's archive comes from apt's own configuration, in Python and in set-up's shell alike."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.drivers.docker_base import SUITE, sources_text
from harness.errors import EnvironmentLacking
from harness.system.apt import debian_archive

ROOT = Path(__file__).resolve().parents[2]
RELEASE = """\
Origin: {origin}
Label: {label}
Suite: stable
Codename: trixie
Architectures: all amd64
Components: main
"""


def in_shell() -> str | None:
    """What set-up finds."""
    said = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "source tools/setup_lib.sh; debian_archive"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.strip() or None


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Gives apt a configuration of its own; each call adds a source and its Release file."""
    if shutil.which("apt-get") is None:
        pytest.skip("this machine has no apt")
    lists, sources = tmp_path / "lists", tmp_path / "sources.list"
    (lists / "partial").mkdir(parents=True)
    sources.write_text("")
    configuration = tmp_path / "apt.conf"
    configuration.write_text(
        f'Dir::Etc::SourceList "{sources}";\nDir::Etc::SourceParts "/dev/null";\n'
        f'Dir::State::Lists "{lists}";\nAPT::Architecture "amd64";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(configuration))

    def add(uri: str, origin: str, label: str) -> None:
        with sources.open("a") as file:
            file.write(f"deb [trusted=yes] {uri} trixie main\n")
        stem = f"{uri.partition('://')[2].replace('/', '_')}_dists_trixie"
        (lists / f"{stem}_Release").write_text(RELEASE.format(origin=origin, label=label))
        (lists / f"{stem}_main_binary-amd64_Packages").write_text("")

    return add


def test_a_mirror_is_found_behind_other_peoples_archives(
    apt: Callable[[str, str, str], None],
) -> None:
    apt("https://tools.example/linux", "Tools", "Debian")
    apt("http://mirror.example/security", "Debian", "Debian-Security")
    apt("http://mirror.example/debian", "Debian", "Debian")
    apt("http://second.example/debian", "Debian", "Debian")
    assert debian_archive() == in_shell() == "http://mirror.example/debian"
    assert debian_archive("Debian-Security") == "http://mirror.example/security"


def test_an_apt_that_knows_no_debian_names_nothing(apt: Callable[[str, str, str], None]) -> None:
    apt("https://tools.example/linux", "Tools", "Tools")
    assert debian_archive() is None
    assert in_shell() is None


def test_an_images_sources_follow_the_tree_that_it_is_made_of() -> None:
    written = f"deb http://mirror.example/debian {SUITE} main\n"
    text = sources_text(written, security="http://mirror.example/security")
    assert [line for line in text.splitlines() if line.startswith(("URIs", "Suites"))] == [
        "URIs: http://mirror.example/debian",
        "Suites: trixie trixie-updates",
        "URIs: http://mirror.example/security",
        "Suites: trixie-security",
    ]
    assert "security" not in sources_text(written, security=None)
    with pytest.raises(EnvironmentLacking, match=r"sources\.list with trixie, got ''"):
        sources_text("", security=None)
