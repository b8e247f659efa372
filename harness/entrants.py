"""Who takes part in a run: backends, variants, options, their one track, and what they speak."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.drivers import manifests
from harness.errors import UsageError
from harness.model.manifest import TRACKS_OF_TRANSPORTS, BackendManifest, Option, Variant
from harness.model.plan import Subject

SUBJECTS_MAX = 64
OPTIONS_HINT = "`bench list` shows every option with its values"
VARIANTS_HINT = "`bench list` shows backends, variants and tracks"

Settings = dict[str, dict[str, str]]  # by backend: option and value


@dataclass(frozen=True, slots=True)
class Entrants:
    """The subjects of a run, the track on which they are compared, and what they speak.

    `protocol` is the one of all, or "" where each has its own: `protocols`, by subject's name.
    """

    subjects: list[Subject]
    track: str
    protocol: str
    protocols: dict[str, str]


def choose(
    names: tuple[str, ...],
    settings: tuple[str, ...],
    *,
    folders: dict[str, Path],
    protocol: str | None,
    track: str | None,
    labels: list[str],
) -> Entrants:
    """Every subject asked for, once per label; every backend when none is named.

    A backend named without a variant takes part with its default one; with a track, with its first
    on that track, or with all on it where transports are compared. UsageError when they share no
    track: charts never mix tracks. The protocol is the first that each of them lists, unless one is
    asked for; where those differ, UsageError too, but on the tracks that compare transports.
    """
    chosen = _settings(settings)
    entries = _entries(names, folders, track)
    for backend in chosen:
        if backend not in {manifest.name for manifest, _ in entries}:
            raise UsageError(
                "--set",
                f"{backend!r} is not among the backends of this run",
                hint="name it with --backend too, or leave its option out",
            )
    found = []
    protocols = {}
    track = _common_track(entries, track)
    protocol = _common_protocol(entries, track) if protocol is None else protocol
    for manifest, variant in entries:
        if protocol and protocol not in variant.protocols:
            raise _not_spoken(manifest, variant, protocol, folders)
        options = chosen.get(manifest.name, {})
        for key, value in options.items():
            _check_option(manifest, key, value)
        pairs = tuple(sorted(options.items()))
        subjects = [Subject(manifest.name, variant.name, pairs, label) for label in labels]
        found += subjects
        if not protocol:
            protocols.update({subject.name: variant.protocols[0] for subject in subjects})
    if len(found) > SUBJECTS_MAX:
        raise UsageError(
            "--backend",
            f"expected at most {SUBJECTS_MAX} subjects, got {len(found)}",
            hint="name fewer with --backend, or make several runs",
        )
    return Entrants(found, track, protocol, protocols)


def _not_spoken(
    manifest: BackendManifest, variant: Variant, protocol: str, folders: dict[str, Path]
) -> UsageError:
    all_of = (manifests.read_backend(folder) for folder in folders.values())
    able = [f"{m.name}/{v.name}" for m in all_of for v in m.variants if protocol in v.protocols]
    who = f"only {', '.join(able)}" if able else "no variant"
    return UsageError(
        "--protocol",
        f"{manifest.name}/{variant.name} speaks {', '.join(variant.protocols)}, not {protocol}",
        hint=f"{protocol} is spoken by {who}: name with --backend, or take a protocol of all",
    )


Entry = tuple[BackendManifest, Variant]


def _entries(names: tuple[str, ...], folders: dict[str, Path], track: str | None) -> list[Entry]:
    named = [name for text in names for name in text.split(",") if name]
    found = [_asked_for(name, folders, track) for name in dict.fromkeys(named or folders)]
    entries = [(manifest, variant) for manifest, variants in found for variant in variants]
    entries = [e for i, e in enumerate(entries) if e not in entries[:i]]
    absent = [manifest.name for manifest, variants in found if not variants]
    if not entries or (absent and named):
        raise UsageError(
            "--track",
            f"{', '.join(absent) or 'no backend'}: no variant on track {track!r}",
            hint=VARIANTS_HINT,
        )
    return entries


def _asked_for(
    name: str, folders: dict[str, Path], track: str | None
) -> tuple[BackendManifest, list[Variant]]:
    backend, _, variant_name = name.partition("/")
    if backend not in folders:
        raise UsageError(
            "--backend",
            f"expected one of {', '.join(folders)}, got {backend!r}",
            hint=VARIANTS_HINT,
        )
    manifest = manifests.read_backend(folders[backend])
    if not variant_name and track is not None:
        on_it = manifest.variants_on(track)
        return manifest, on_it if track in TRACKS_OF_TRANSPORTS else on_it[:1]
    variant = manifest.variant(variant_name or None)
    if variant is None:
        known = ", ".join(f"{backend}/{v.name}" for v in manifest.variants)
        raise UsageError("--backend", f"expected one of {known}, got {name!r}", hint=VARIANTS_HINT)
    return manifest, [variant]


def _common_track(entries: Iterable[Entry], asked: str | None) -> str:
    entries = list(entries)
    shared = set.intersection(*(set(variant.tracks) for _, variant in entries))
    if asked in shared:
        return asked
    by_default = [track for track in entries[0][1].tracks if track in shared]
    if by_default and asked is None:
        return by_default[0]
    told = "; ".join(f"{m.name}/{v.name}: {', '.join(v.tracks)}" for m, v in entries)
    raise UsageError(
        "--backend" if asked is None else "--track",
        f"expected variants that share {'a track' if asked is None else asked}, got {told}",
        hint="charts never mix tracks: make a run of each, or let --track choose the variants",
    )


def _common_protocol(entries: Iterable[Entry], track: str) -> str:
    usual = {f"{m.name}/{v.name}": v.protocols[0] for m, v in entries}
    if len(set(usual.values())) > 1 and track in TRACKS_OF_TRANSPORTS:
        return ""
    if len(set(usual.values())) > 1:
        told = "; ".join(f"{name}: {protocol}" for name, protocol in usual.items())
        raise UsageError(
            "--backend",
            f"expected variants whose first protocol is the same, got {told}",
            hint="name one that all speak with --protocol; tracks cross and article mix them",
        )
    return next(iter(usual.values()))


def _settings(texts: tuple[str, ...]) -> Settings:
    found: Settings = {}
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
