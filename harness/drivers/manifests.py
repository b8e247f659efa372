"""Finds backends, probes and scenarios by their manifests, and checks what those say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.errors import UsageError
from harness.model import scenario_rules, toml_lines
from harness.model.manifest import TRACKS, BackendManifest, ProbeManifest, Scenario
from harness.model.plan import FASTCGI

T = TypeVar("T")

SCHEMA = 1
NAME = re.compile(r"[a-z][a-z0-9-]*")
COLLECTORS = ("none", "go")
PROTOCOLS = ("h1", "h1-pipelined", "h2c", FASTCGI)
MANIFEST_BYTES_MAX = 256 * 1024
DEPTH_MAX = 16
NUMBER_BITS_MAX = 63
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # but for a tab and a line's end
FAULTS_TOLD = 20


def _read_text(path: Path) -> tuple[str, dict[str, Any]]:
    """A manifest's text, and what it says; UsageError names the file and what is wrong with it."""
    try:
        if path.stat().st_size > MANIFEST_BYTES_MAX:
            raise UsageError(
                str(path),
                f"expected at most {MANIFEST_BYTES_MAX} bytes, got {path.stat().st_size}",
                hint="a manifest is a page of settings: is this the right file?",
            )
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise UsageError(
            str(path), f"cannot be read: {error.strerror}", hint="give the path of a TOML file"
        ) from error
    except RecursionError as error:
        raise _too_deep(path) from error
    except ValueError as error:  # no UTF-8, no TOML, or a number of thousands of digits
        raise UsageError(
            str(path), f"is not TOML: {error}", hint="mend the line that is named"
        ) from error
    _require_plain(path, document)
    return text, document


def _too_deep(path: Path) -> UsageError:
    return UsageError(
        str(path),
        f"expected tables within tables at most {DEPTH_MAX} deep, got more",
        hint="a manifest is a page of settings: is this the right file?",
    )


def _require_plain(path: Path, document: dict[str, Any]) -> None:
    """TOML allows what no manifest needs, and what neither a message nor a terminal can bear."""
    left: list[tuple[str, Any]] = list(document.items())
    depth = 0
    while left:
        depth += 1
        if depth > DEPTH_MAX:
            raise _too_deep(path)
        below: list[tuple[str, Any]] = []
        for key, value in left:
            if isinstance(value, dict):
                below += [(f"{key}.{name}", inner) for name, inner in value.items()]
            elif isinstance(value, list):
                below += [(f"{key}.{index}", inner) for index, inner in enumerate(value)]
            wide = isinstance(value, int) and value.bit_length() > NUMBER_BITS_MAX
            if wide or CONTROL.search(key) or (isinstance(value, str) and CONTROL.search(value)):
                raise UsageError(
                    f"{path}: {CONTROL.sub('?', key)}",
                    f"expected no number beyond {NUMBER_BITS_MAX} bits and no control character",
                    hint="write it out plainly",
                )
        left = below


def read_toml(path: Path, kind: type[T]) -> T:
    """A manifest as `kind`; UsageError names the file, the key, expected and found."""
    text, document = _read_text(path)
    if document.get("schema") != SCHEMA:
        raise UsageError(
            f"{path}: schema",
            f"expected {SCHEMA}, got {document.get('schema')!r}",
            hint="this version reads schema 1 only",
        )
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{path}:{_line_of(text, str(error))}",
            str(error),
            hint="docs/formats/manifests.md lists every key",
        ) from error


def _line_of(text: str, message: str) -> int:
    """The line of what msgspec names as `$.variants[0].name`."""
    parts = re.findall(r"\.(\w[\w-]*)|\[(\d+)\]", message.partition("at `$")[2])
    path = tuple(name or int(index) for name, index in parts)
    return toml_lines.line_of(toml_lines.lines(text), path)


def require_key(path: Path, key: str, *, holds: bool, expected: str, found: object) -> None:
    """UsageError that names the file and the key, unless it `holds`."""
    if not holds:
        raise UsageError(
            f"{path}: {key}",
            f"expected {expected}, got {found!r}",
            hint="docs/formats/manifests.md lists every key",
        )


def read_backend(folder: Path) -> BackendManifest:
    """The manifest of one backend; UsageError when it is malformed."""
    path = folder / "backend.toml"
    manifest = read_toml(path, BackendManifest)

    def require(key: str, expected: str, found: object, *, holds: bool) -> None:
        require_key(path, key, holds=holds, expected=expected, found=found)

    require(
        "name",
        f"the folder's name {folder.name!r}",
        manifest.name,
        holds=manifest.name == folder.name and NAME.fullmatch(manifest.name) is not None,
    )
    require(
        "collector",
        f"one of {', '.join(COLLECTORS)}",
        manifest.collector,
        holds=manifest.collector in COLLECTORS,
    )
    defaults = [variant.name for variant in manifest.variants if variant.default]
    require("variants", "exactly one with default = true", defaults, holds=len(defaults) == 1)
    for variant in manifest.variants:
        where = f"variants.{variant.name}"
        require(
            f"{where}.tracks",
            f"some of {', '.join(TRACKS)}, each once",
            variant.tracks,
            holds=bool(variant.tracks)
            and set(variant.tracks) <= set(TRACKS)
            and len(variant.tracks) == len(set(variant.tracks)),
        )
        require(
            f"{where}.protocols",
            f"some of {', '.join(PROTOCOLS)}",
            variant.protocols,
            holds=bool(variant.protocols) and set(variant.protocols) <= set(PROTOCOLS),
        )
        require(
            f"{where}.by_protocol",
            f"some of its protocols {', '.join(variant.protocols)}",
            sorted(variant.by_protocol),
            holds=set(variant.by_protocol) <= set(variant.protocols),
        )
    for name, option in manifest.options.items():
        require(
            f"options.{name}",
            "values or pattern, and argument or environment",
            sorted(msgspec.to_builtins(option)),
            holds=bool(option.values) != bool(option.pattern)
            and bool(option.argument) != bool(option.environment),
        )
    return manifest


def read_scenario(path: Path) -> Scenario:
    """A scenario; UsageError holds every fault with its line and key."""
    text, document = _read_text(path)
    lines = toml_lines.lines(text)
    faults = scenario_rules.faults(document)
    faults.sort(key=lambda fault: toml_lines.line_of(lines, fault.path))
    found = [
        (f"{path}:{toml_lines.line_of(lines, fault.path)}: {fault.key}", fault.what)
        for fault in faults
    ]
    if found:
        where, what = found[0]
        hint = "loadgen/CONTRACT.md describes every key of a scenario"
        raise UsageError(where, what, hint=hint, more=found[1:FAULTS_TOLD])
    return msgspec.convert(document, Scenario)


def _folders(root: Path, manifest: str) -> Iterator[Path]:
    if not root.is_dir():
        raise UsageError(str(root), "is not a folder", hint="run from the checkout's top folder")
    yield from sorted(path.parent for path in root.glob(f"*/{manifest}"))


def find_backends(roots: list[Path]) -> dict[str, Path]:
    """Every backend's folder by name; a name found twice is an error."""
    found: dict[str, Path] = {}
    for root in roots:
        for folder in _folders(root, "backend.toml"):
            if folder.name in found:
                raise UsageError(
                    str(folder), f"the name is taken by {found[folder.name]}", hint="rename one"
                )
            found[folder.name] = folder
    return found


def find_probes(root: Path) -> dict[str, Path]:
    """Every probe's folder by name."""
    return {folder.name: folder for folder in _folders(root, "probe.toml")}


def read_probe(folder: Path) -> ProbeManifest:
    """The manifest of one probe."""
    return read_toml(folder / "probe.toml", ProbeManifest)


def find_scenarios(root: Path) -> dict[str, Path]:
    """Every scenario's file by name."""
    return {path.stem: path for path in sorted(root.glob("*.toml"))}
