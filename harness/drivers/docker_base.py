"""The base image: pulled where a registry answers, else made here with debootstrap and imported."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound

from harness.errors import EnvironmentLacking
from harness.system.apt import debian_archive
from harness.system.process import find, run, run_checked

BASE = "debian:trixie-slim"
SUITE = "trixie"
SECURITY_LABEL = "Debian-Security"
PULL_TIMEOUT_S = 120.0
DEBOOTSTRAP_TIMEOUT_S = 900.0
CA_BUNDLE = Path("etc/ssl/certs/ca-certificates.crt")
MADE_BY_LABEL = "pausemark.base"
# What Debian's own slim images leave out as well, and apt's lists and packages.
_LEFT_OUT = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info",
    "var/cache/apt", "var/lib/apt/lists", "dev", "proc", "sys",
)  # fmt: skip
_SOURCE = """\
Types: deb
URIs: {archive}
Suites: {suites}
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
        archive = debian_archive()  # without one, debootstrap has a default of its own
        argv = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root)]
        run_checked([*argv, *([archive] if archive else [])], timeout_s=DEBOOTSTRAP_TIMEOUT_S)
        _prepare(root)
        tree = Path(folder) / "root.tar"
        with tarfile.open(tree, "w") as tar:
            tar.add(root, arcname=".")
        try:
            client.api.import_image_from_file(
                str(tree),
                repository="debian",
                tag="trixie-slim",
                changes=[f"LABEL pausemark=1 {MADE_BY_LABEL}=debootstrap", 'CMD ["bash"]'],
            )
        except DockerException as error:
            raise EnvironmentLacking(
                BASE, f"cannot be imported: {error}", hint="see `docker info`"
            ) from error


def sources_text(written: str, *, security: str | None) -> str:
    """The image's debian.sources, from the sources.list that debootstrap left in the tree.

    Updates come from the archive that the tree is from; security where this machine's apt has it.
    """
    found = re.search(rf"^deb (\S+) {SUITE} ", written, re.M)
    if found is None:
        raise EnvironmentLacking(
            BASE,
            f"expected debootstrap to leave a sources.list with {SUITE}, got {written[:200]!r}",
            hint="load the image by hand (`docker pull`, `docker load`), or use --runtime process",
        )
    texts = [_SOURCE.format(archive=found[1], suites=f"{SUITE} {SUITE}-updates")]
    if security is not None:
        texts.append(_SOURCE.format(archive=security, suites=f"{SUITE}-security"))
    return "\n".join(texts)


def _prepare(root: Path) -> None:
    """The host's CA bundle (a network may have one of its own), apt's sources, and less weight."""
    bundle = Path("/") / CA_BUNDLE
    if bundle.is_file():
        (root / CA_BUNDLE).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle, root / CA_BUNDLE)
    written = root / "etc/apt/sources.list"
    (root / "etc/apt/sources.list.d/debian.sources").write_text(
        sources_text(written.read_text(encoding="utf-8"), security=debian_archive(SECURITY_LABEL)),
        encoding="utf-8",
    )
    written.unlink()
    for name in _LEFT_OUT:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/apt/lists/partial").mkdir()
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
