"""From flags to a request: every flag is checked here, with an error that names it."""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path

from harness.drivers import manifests
from harness.drivers.load import Target
from harness.errors import UsageError
from harness.model.manifest import BackendManifest, Option, Scenario
from harness.model.plan import Subject

RATE_MAX = 5_000_000.0
DURATION_MAX_S = 7 * 24 * 3600.0
CONNECTIONS_MAX = 60_000
SUBJECTS_MAX = 64
OPTIONS_HINT = "`bench list` shows every option with its values"
VARIANTS_HINT = "`bench list` shows backends and variants"


def number(flag: str, value: float, *, low: float, high: float, unit: str) -> float:
    """A number within its limits; UsageError names the flag, the limits and what was given."""
    if not low <= value <= high:
        raise UsageError(
            flag,
            f"expected {low:g} to {high:g} {unit}, got {value:g}",
            hint=f"give {flag} a value in that range",
        )
    return value


def duration_s(flag: str, text: str) -> float:
    """Seconds from `30`, `30s`, `5m` or `1h`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text.strip())
    if match is None:
        raise UsageError(
            flag,
            f"expected seconds such as 30, 30s or 5m, got {text!r}",
            hint="a number, and behind it s, m or h where it is not seconds",
        )
    return float(match[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[match[2] or "s"]


def scenario(name: str, folder: Path) -> Scenario:
    """A scenario by its name, or by the path of a TOML file."""
    if name.endswith(".toml"):
        return manifests.read_scenario(Path(name))
    known = manifests.find_scenarios(folder)
    if name not in known:
        raise UsageError(
            "--scenario",
            f"expected one of {', '.join(known)} or a .toml file, got {name!r}",
            hint="`bench list` shows them",
        )
    return manifests.read_scenario(known[name])


def _settings(texts: tuple[str, ...]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        match = re.fullmatch(r"([a-z][a-z0-9-]*)\.([A-Za-z][A-Za-z0-9_-]*)=(.*)", text)
        if match is None:
            raise UsageError(
                "--set", f"expected backend.option=value, got {text!r}", hint=OPTIONS_HINT
            )
        found.setdefault(match[1], {})[match[2]] = match[3]
    return found


def _check_option(manifest: BackendManifest, name: str, value: str) -> None:
    option: Option | None = manifest.options.get(name)
    where = f"--set {manifest.name}.{name}"
    if option is None:
        known = ", ".join(manifest.options) or "none"
        raise UsageError(
            where, f"{manifest.name} has no such option; it has: {known}", hint=OPTIONS_HINT
        )
    if not option.allows(value):
        raise UsageError(
            where,
            f"expected {'one of ' if option.values else 'a value '}{option.allowed}, got {value!r}",
            hint=OPTIONS_HINT,
        )


def subjects(
    names: tuple[str, ...],
    settings: tuple[str, ...],
    *,
    folders: dict[str, Path],
    protocol: str,
    labels: list[str],
) -> list[Subject]:
    """Every subject asked for, once per label; all default variants when none is named."""
    wanted = [name for text in names for name in text.split(",") if name] or list(folders)
    chosen = _settings(settings)
    for backend in chosen:
        if backend not in {name.partition("/")[0] for name in wanted}:
            raise UsageError(
                "--set",
                f"{backend!r} is not among the backends of this run",
                hint="name it with --backend too, or leave its option out",
            )
    found = []
    for name in dict.fromkeys(wanted):
        backend, _, variant_name = name.partition("/")
        if backend not in folders:
            raise UsageError(
                "--backend",
                f"expected one of {', '.join(folders)}, got {backend!r}",
                hint=VARIANTS_HINT,
            )
        manifest = manifests.read_backend(folders[backend])
        variant = manifest.variant(variant_name or None)
        if variant is None:
            known = ", ".join(f"{backend}/{v.name}" for v in manifest.variants)
            raise UsageError(
                "--backend", f"expected one of {known}, got {name!r}", hint=VARIANTS_HINT
            )
        if protocol not in variant.protocols:
            raise UsageError(
                "--protocol",
                f"{backend}/{variant.name} speaks {', '.join(variant.protocols)}, not {protocol}",
                hint="take a protocol that every backend of the run speaks, or fewer --backend",
            )
        options = chosen.get(backend, {})
        for key, value in options.items():
            _check_option(manifest, key, value)
        pairs = tuple(sorted(options.items()))
        found += [Subject(backend, variant.name, pairs, label) for label in labels]
    if len(found) > SUBJECTS_MAX:
        raise UsageError(
            "--backend",
            f"expected at most {SUBJECTS_MAX} subjects, got {len(found)}",
            hint="name fewer with --backend, or make several runs",
        )
    return found


def target(text: str) -> Target:
    """From `http://host:port/path`; UsageError for anything else."""
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port or 80
    except ValueError as error:
        raise UsageError(
            "--target", f"{text!r} is not a URL: {error}", hint="write http://host:port/path"
        ) from error
    if parts.scheme != "http" or not parts.hostname or parts.username:
        raise UsageError(
            "--target",
            f"expected http://host:port/path, got {text!r}",
            hint="TLS and credentials are not spoken",
        )
    path = parts.path or "/"
    query = f"?{parts.query}" if parts.query else ""
    return Target(address=parts.hostname, port=port, host=parts.netloc, path=path + query)
