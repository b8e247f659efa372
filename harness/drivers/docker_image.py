"""Builds a backend's image from its Dockerfile, and reads the receipt out of it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import msgspec
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.models.containers import Container

from harness.drivers import docker_base
from harness.drivers.receipt import (
    TOOLCHAIN_FILE,
    parse_toolchain,
    sources,
    sources_digest,
    version_line,
)
from harness.errors import BuildFailed
from harness.model.manifest import BackendManifest
from harness.model.plan import Artifact
from harness.system.clock import monotonic_ns

ARTIFACT_FOLDER = "/artifact"
LABEL = "pausemark"
VERSION_TIMEOUT_S = 30
LOG_LINES_SHOWN = 5


def build(
    client: docker.DockerClient,
    manifest: BackendManifest,
    folder: Path,
    *,
    build_folder: Path,
    say: Callable[[str], None],
) -> Artifact:
    """The image of these sources, built only when it is not there; BuildFailed.

    The same sources on the same base image are the same image: its tag is their digest.
    """
    base = docker_base.ensure(client, say)
    base_id = str(client.images.get(docker_base.BASE).id)
    key = hashlib.sha256(f"{sources_digest(folder)} {base_id}".encode()).hexdigest()[:16]
    tag = f"pausemark/{manifest.name}:{key}"
    build_folder.mkdir(parents=True, exist_ok=True)
    note = build_folder / f"{manifest.name}-{key}.json"
    known = _known(client, note)
    if known is not None:
        return known
    log = build_folder / f"{manifest.name}-{key}.log"
    began_ns = monotonic_ns()
    image_id = _build_image(client, manifest, folder, tag=tag, log=log)
    build_ns = monotonic_ns() - began_ns
    artifact = _receipt(client, manifest, image_id, build_ns=build_ns, base=base)
    note.write_bytes(msgspec.json.encode(artifact))
    return artifact


def _known(client: docker.DockerClient, note: Path) -> Artifact | None:
    """What an earlier build noted, if its image is still there."""
    try:
        artifact = msgspec.json.decode(note.read_bytes(), type=Artifact)
        client.images.get(artifact.location)
    except (OSError, msgspec.MsgspecError, ImageNotFound):
        return None
    return artifact


def _context(folder: Path) -> io.BytesIO:
    """The backend's own files as a tar, and nothing else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sources(folder):
            tar.add(path, arcname=str(path.relative_to(folder)), filter=_without_owner)
    buffer.seek(0)
    return buffer


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owner and times would change the context's digest, and with it spoil the cache."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _build_image(
    client: docker.DockerClient, manifest: BackendManifest, folder: Path, *, tag: str, log: Path
) -> str:
    who = f"backend {manifest.name}"
    if not (folder / "Dockerfile").is_file():
        raise BuildFailed(
            who, f"expected {folder / 'Dockerfile'}, got no such file", hint="--runtime process"
        )
    said: list[str] = []
    failed = False
    try:
        with log.open("w", encoding="utf-8") as file:
            lines: Any = client.api.build(
                fileobj=_context(folder),
                custom_context=True,
                tag=tag,
                network_mode="host",
                rm=True,
                forcerm=True,
                decode=True,
                labels={LABEL: "1", "pausemark.backend": manifest.name},
            )
            for line in lines:
                text = str(line.get("stream") or line.get("error") or "")
                file.write(text)
                said += [part for part in text.splitlines() if part.strip()]
                failed = failed or "error" in line
        if failed:
            last = " | ".join(said[-LOG_LINES_SHOWN:])
            raise BuildFailed(who, f"docker build failed: {last}", hint=f"the whole log is {log}")
        return str(client.images.get(tag).id)
    except DockerException as error:
        raise BuildFailed(
            who, f"docker build failed: {error}", hint="is the daemon still there? `docker info`"
        ) from error


def _receipt(
    client: docker.DockerClient,
    manifest: BackendManifest,
    image_id: str,
    *,
    build_ns: int,
    base: str,
) -> Artifact:
    """Runs the version command in the image, without network, and reads the artifact's digest."""
    path = f"{ARTIFACT_FOLDER}/{manifest.build.artifact}"
    container = client.containers.create(
        image_id,
        [path, manifest.build.version_argument],
        labels={LABEL: "1"},
        network_mode="none",
        cap_drop=["ALL"],
        read_only=True,
        user="65532:65532",
    )
    try:
        container.start()
        status = int(container.wait(timeout=VERSION_TIMEOUT_S)["StatusCode"])
        line = version_line(
            manifest,
            status=status,
            stdout=container.logs(stdout=True, stderr=False).decode(errors="replace"),
            stderr=container.logs(stdout=False, stderr=True).decode(errors="replace"),
        )
        binary = _file_of(container, path)
        toolchain = _file_of(container, f"{ARTIFACT_FOLDER}/{TOOLCHAIN_FILE}")
    except DockerException as error:
        raise BuildFailed(
            f"backend {manifest.name}",
            f"expected the image to run {path}: {error}",
            hint="backends/CONTRACT.md says where the artifact belongs",
        ) from error
    finally:
        container.remove(force=True)
    if binary is None:
        raise BuildFailed(
            f"backend {manifest.name}",
            f"expected {path} in the image, got none",
            hint="backends/CONTRACT.md says where the artifact belongs",
        )
    return Artifact(
        backend=manifest.name,
        runtime="docker",
        location=image_id,
        digest=hashlib.sha256(binary).hexdigest(),
        version_line=line,
        build_ns=build_ns,
        toolchain={**parse_toolchain((toolchain or b"").decode()), "base": f"trixie-slim ({base})"},
    )


def _file_of(container: Container, path: str) -> bytes | None:
    try:
        chunks, _ = container.get_archive(path)
    except NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return None if file is None else file.read()
