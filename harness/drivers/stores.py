"""Object stores that others wrote, as `loadgen/targets/*.toml` describes them: got, and started."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.drivers.load import Target
from harness.drivers.manifests import NAME, read_toml, require_key
from harness.drivers.readiness import wait_ready
from harness.drivers.runtime import Ending
from harness.errors import EnvironmentLacking, UsageError
from harness.model.manifest import Scenario
from harness.model.signing import Signing
from harness.model.store import FEATURES, Store, missing
from harness.system.ports import free_port
from harness.system.process import describe_exit, end, find, last_lines, run, spawn

BUILD_TIMEOUT_S = 3600.0
STOP_TIMEOUT_S = 10.0
ADDRESS = "127.0.0.1"
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*(?:/[A-Za-z0-9][A-Za-z0-9._~-]*)*")


def find_stores(folder: Path) -> dict[str, Path]:
    """Every store's file by name."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_store(path: Path) -> Store:
    """A store's manifest; UsageError when it is malformed."""
    store = read_toml(path, Store)
    require_key(
        path,
        "name",
        holds=store.name == path.stem and NAME.fullmatch(store.name) is not None,
        expected=f"the file's name {path.stem!r}",
        found=store.name,
    )
    named = [*store.features, *store.lacks]
    require_key(
        path,
        "features",
        holds=set(named) <= set(FEATURES) and len(named) == len(set(named)),
        expected=f"some of {', '.join(FEATURES)}, each once in features or in lacks",
        found=named,
    )
    get = store.get
    require_key(
        path,
        "get",
        holds=bool(get.program) and bool(get.go_module) == bool(get.go_version),
        expected="program, and go_module with go_version where it is built",
        found=[get.program, get.go_module, get.go_version],
    )
    _require_plain_names(path, store)
    return store


def _require_plain_names(path: Path, store: Store) -> None:
    """What becomes a path, or a word of a command, must not lead out of its folder or be a flag."""
    get = store.get
    for key, text, pattern, expected in (
        ("get.program", get.program, _FILE, "the plain name of a program"),
        ("get.go_module", get.go_module, _MODULE, "a module's path"),
        ("get.go_version", get.go_version, _FILE, "a version"),
        *(("start.files", name, _FILE, "plain names of files") for name in store.start.files),
    ):
        left_out = not text and key.startswith("get.")
        holds = left_out or pattern.fullmatch(text) is not None
        require_key(path, key, holds=holds, expected=expected, found=text)
    command = store.start.command
    require_key(
        path,
        "start.command",
        holds=bool(command) and command[0] == "{program}",
        expected='"{program}" and its arguments',
        found=command,
    )


def require_features(store: Store, scenario: Scenario) -> None:
    """UsageError that names what the store lacks, and why."""
    absent = missing(store, scenario)
    if absent:
        told = ", ".join(f"{name} ({why})" if why else name for name, why in absent.items())
        raise UsageError(
            f"--target {store.name}",
            f"lacks what scenario {scenario.name} needs: {told}",
            hint=f"it has: {', '.join(store.features)}; `bench list` shows scenarios",
        )


def cache_folder() -> Path:
    """Where programs of others are built: outside the checkout."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "pausemark" / "stores"


def obtain(store: Store, say: Callable[[str], None]) -> Path:
    """The store's program, built if need be; EnvironmentLacking when there is none."""
    get = store.get
    if not get.go_module:
        found = find(get.program)
        if found is None:
            raise EnvironmentLacking(
                f"--target {store.name}",
                f"expected {get.program}, got no such program",
                hint=f"install the package {get.package or get.program}",
            )
        return Path(found)
    folder = cache_folder() / f"{store.name}-{get.go_version}"
    program = folder / get.program
    if program.is_file():
        return program
    say(f"build {store.title} ({get.go_module}@{get.go_version}) in {folder}; this takes minutes")
    folder.mkdir(parents=True, exist_ok=True)
    built = run(
        ["go", "install", f"{get.go_module}@{get.go_version}"],
        timeout_s=BUILD_TIMEOUT_S,
        cwd=folder,
        env={"GOBIN": str(folder), "GOFLAGS": "-buildvcs=false"},
    )
    if built.exit_status != 0 or not program.is_file():
        said = " | ".join(built.stderr.strip().splitlines()[-3:]) or "nothing"
        raise EnvironmentLacking(
            f"--target {store.name}",
            f"`go install` {describe_exit(built.exit_status)} and said: {said}",
            hint="it needs Go and its module proxy once; the program is kept in the cache",
        )
    return program


def drawn(payload: str) -> Signing:
    """Keys that live as long as one server of ours."""
    access_key = f"PAUSEMARK{secrets.token_hex(6).upper()}"
    return Signing(access_key, secrets.token_hex(20), payload=payload, lasting=False)


class _Running:
    """A store as our child."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def alive(self) -> Ending | None:
        status = self._process.poll()
        return None if status is None else Ending("backend-died", describe_exit(status))


@contextlib.contextmanager
def served(
    store: Store, program: Path, *, data: Path, log: Path, payload: str
) -> Iterator[tuple[Target, Signing]]:
    """The store on a port of its own, with keys drawn for it; it is gone after the block."""
    signing = drawn(payload)
    port = free_port(ADDRESS)
    values = {
        "program": str(program),
        "address": ADDRESS,
        "port": str(port),
        "data_directory": str(data),
        "access_key": signing.access_key,
        "secret_key": signing.secret_key,
    }
    data.mkdir(parents=True)
    for name, text in store.start.files.items():
        (data / name).write_text(_filled(text, values), encoding="utf-8")
    process = spawn(
        [_filled(part, values) for part in store.start.command],
        cwd=data,
        env={name: _filled(text, values) for name, text in store.start.environment.items()},
        stdout=log,
        stderr=log,
    )
    try:
        wait_ready(
            _Running(process),
            who=f"target {store.name}",
            address=ADDRESS,
            port=port,
            last_words=lambda: last_lines(log),
        )
        yield Target(address=ADDRESS, port=port), signing
    finally:
        end(process, timeout_s=STOP_TIMEOUT_S)


def _filled(text: str, values: dict[str, str]) -> str:
    """Only the known placeholders: a configuration file has braces of its own."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
