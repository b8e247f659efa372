"""The base image: pulled where a registry answers, else made here with debootstrap and imported."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound

from harness.errors import EnvironmentLacking
from harness.system.process import find, run, run_checked

BASE = "debian:trixie-slim"
SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
PULL_TIMEOUT_S = 120.0
DEBOOTSTRAP_TIMEOUT_S = 900.0
CA_BUNDLE = Path("etc/ssl/certs/ca-certificates.crt")
MADE_BY_LABEL = "pausemark.base"
# What Debian's own slim images leave out as well, and apt's lists and packages.
_LEFT_OUT = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info",
    "var/cache/apt", "var/lib/apt/lists", "dev", "proc", "sys",
)  # fmt: skip
_SOURCES = """\
Types: deb
URIs: {mirror}
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: {mirror}-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def ensure(client: docker.DockerClient, say: Callable[[str], None]) -> str:
    """How the base image came to be here: `registry` or `debootstrap`; EnvironmentLacking."""
    found = origin(client)
    if found is not None:
        return found
    say(f"base image {BASE}: asking the registry")
    if _pulled():
        return "registry"
    say(f"base image {BASE}: no registry answers; making it with debootstrap")
    _make(client)
    return "debootstrap"


def origin(client: docker.DockerClient) -> str | None:
    """Where the base image that is here came from, None when there is none."""
    try:
        image: Any = client.images.get(BASE)
    except ImageNotFound:
        return None
    return str((image.labels or {}).get(MADE_BY_LABEL, "registry"))


def _pulled() -> bool:
    """The client's own command, because only a process can be given up after a time."""
    program = find("docker")
    if program is None:
        return False
    try:
        return run([program, "pull", "--quiet", BASE], timeout_s=PULL_TIMEOUT_S).exit_status == 0
    except Exception as error:  # a registry that hangs is a registry that does not answer
        if isinstance(error, KeyboardInterrupt):
            raise
        return False


def _make(client: docker.DockerClient) -> None:
    if find("debootstrap") is None or os.geteuid() != 0:
        raise EnvironmentLacking(
            BASE,
            "no registry answers, and it can be made here only by root with debootstrap",
            hint="run `make setup` as root, or use --runtime process",
        )
    with tempfile.TemporaryDirectory(prefix="pausemark-base-") as folder:
        root = Path(folder) / "root"
        run_checked(
            [
                "debootstrap",
                "--variant=minbase",
                "--include=ca-certificates",
                SUITE,
                str(root),
                MIRROR,
            ],
            timeout_s=DEBOOTSTRAP_TIMEOUT_S,
        )
        _prepare(root)
        archive = Path(folder) / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(root, arcname=".", filter=lambda member: member)
        try:
            client.api.import_image_from_file(
                str(archive),
                repository="debian",
                tag="trixie-slim",
                changes=[f"LABEL pausemark=1 {MADE_BY_LABEL}=debootstrap", 'CMD ["bash"]'],
            )
        except DockerException as error:
            raise EnvironmentLacking(
                BASE, f"cannot be imported: {error}", hint="see `docker info`"
            ) from error


def _prepare(root: Path) -> None:
    """The host's CA bundle (a network may have one of its own), apt's sources, and less weight."""
    bundle = Path("/") / CA_BUNDLE
    if bundle.is_file():
        (root / CA_BUNDLE).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle, root / CA_BUNDLE)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    (root / "etc/apt/sources.list.d/debian.sources").write_text(
        _SOURCES.format(mirror=MIRROR), encoding="ascii"
    )
    for name in _LEFT_OUT:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/apt/lists/partial").mkdir()
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
