"""Installs the clients, at pinned versions, into a folder of their own; says why one is not here.

Only rclone's version is the distribution's: it comes as a Debian package, unpacked, not installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

INSTALL_TIMEOUT_S = 900
WHY_CHARACTERS_MAX = 160
MC = "github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9"
JS_VERSION = "3.1175.0"


class NotHereError(Exception):
    """The client cannot be had on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Tool:
    """An installed client: what it calls itself, and how its driver is run."""

    version: str
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)


def _run(arguments: list[str], **environment: str) -> str:
    """Output of an installer or of `--version`; a failure is that the client is not here."""
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
            env={**os.environ, **environment},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHereError(str(error)[:WHY_CHARACTERS_MAX]) from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()
        raise NotHereError(f"{arguments[0]}: {lines[-1]}"[:WHY_CHARACTERS_MAX])
    return done.stdout


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotHereError(f"there is no {name} to install or run it with")
    return found


def _pip(package: str, version: str, program: str | None, folder: Path) -> Tool:
    """A Python package in a virtual environment of its own."""
    home = folder / f"{package}-{version}"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(home)])
        quiet = ["--quiet", "--disable-pip-version-check"]
        _run([str(python), "-m", "pip", "install", *quiet, f"{package}=={version}"])
        (home / "complete").touch()
    if program is None:
        return Tool(f"{package} {version}", str(python))
    path = str(home / "bin" / program)
    _run([path, "--version"])
    return Tool(f"{package} {version}", environment={f"CONFORMANCE_TOOL_{program.upper()}": path})


def _rclone(folder: Path) -> Tool:
    """From the PATH, or else from Debian's package."""
    path = shutil.which("rclone")
    if path is None:
        home = folder / "rclone"
        path = str(home / "usr" / "bin" / "rclone")
        if not Path(path).exists():
            home.mkdir(parents=True, exist_ok=True)
            apt, dpkg = _program("apt-get"), _program("dpkg-deb")
            _run(["/bin/sh", "-c", f"cd '{home}' && '{apt}' -qq download rclone"])
            _run([dpkg, "-x", str(next(home.glob("rclone_*.deb"))), str(home)])
    version = _run([path, "version"]).splitlines()[0]
    return Tool(version, environment={"CONFORMANCE_TOOL_RCLONE": path})


def _mc(folder: Path) -> Tool:
    """Built from its Go module."""
    home = folder / f"mc-{MC.rpartition('@')[2]}"
    path = home / "mc"
    if not path.exists():
        go = _program("go")
        _run([go, "install", MC], GOBIN=str(home), GOTOOLCHAIN="local", GOFLAGS="-mod=mod")
    _run([str(path), "--version"])
    version = f"mc {MC.rpartition('@')[2]}"
    return Tool(version, environment={"CONFORMANCE_TOOL_MC": str(path)})


def _js(folder: Path) -> Tool:
    """The SDK's client from npm, run by the node of the machine."""
    node, home = _program("node"), folder / f"js-{JS_VERSION}"
    modules = home / "node_modules"
    if not (home / "complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        flags = ["--no-fund", "--no-audit", "--no-package-lock", "--ignore-scripts"]
        package = f"@aws-sdk/client-s3@{JS_VERSION}"
        _run([_program("npm"), "install", "--prefix", str(home), *flags, package])
        (home / "complete").touch()
    version = re.sub(r"\s", "", _run([node, "--version"]))
    return Tool(
        f"@aws-sdk/client-s3 {JS_VERSION}, node {version}",
        environment={
            "CONFORMANCE_TOOL_NODE": node,
            "NODE_PATH": str(modules),
            "NODE_NO_WARNINGS": "1",  # of the SDK, about versions of node to come
        },
    )


# Name of the client as the table shows it; its driver is client_<name>.py.
CLIENTS: dict[str, Callable[[Path], Tool]] = {
    "boto3": partial(_pip, "boto3", "1.44.8", None),
    "awscli": partial(_pip, "awscli", "1.46.3", "aws"),
    "s3cmd": partial(_pip, "s3cmd", "2.4.0", "s3cmd"),
    "rclone": _rclone,
    "mc": _mc,
    "obstore": partial(_pip, "obstore", "0.12.1", None),
    "pyarrow": partial(_pip, "pyarrow", "26.0.1", None),
    "js": _js,
}
