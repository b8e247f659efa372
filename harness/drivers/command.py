"""A backend's command line and environment, from its manifest and what was asked."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.errors import UsageError
from harness.model.manifest import BackendManifest, Option, Variant
from harness.model.plan import Subject

# What the contract's core does where a manifest has no such option (backends/CONTRACT.md).
CORE_OPTIONS = {"auth": "parse", "durability": "ram"}


class Command(msgspec.Struct, frozen=True):
    """What is executed, and the variables that are added to its environment."""

    argv: list[str]
    environment: dict[str, str]


def compose(
    manifest: BackendManifest, subject: Subject, values: Mapping[str, str], protocol: str = ""
) -> Command:
    """`values` fills {artifact} {address} {port} {threads} {data_directory}.

    A backend that verifies signatures is told its `credential` (ID:SECRET) beside its options.
    Variant before protocol before options, so that an option that was asked for wins. UsageError
    for an unknown variant, option or placeholder.
    """
    where = f"backend {manifest.name}"
    variant = _variant(manifest, subject)
    argv = [_filled(part, values, where) for part in _words(manifest, variant, protocol)]
    environment = dict(variant.environment)
    for name, value in subject.options:
        option = manifest.options.get(name)
        if option is None:
            known = ", ".join(manifest.options) or "none"
            raise UsageError(
                where, f"expected an option of {known}, got {name}", hint="see `bench list`"
            )
        if option.argument is not None:
            argv.append(option.argument.replace("{value}", value))
        elif option.environment is not None:
            environment[option.environment] = value
    if verifies(subject):
        argv.append(f"--credential={values['credential']}")
    return Command(argv, environment)


def _words(manifest: BackendManifest, variant: Variant, protocol: str) -> list[str]:
    """The command line but for the options that were asked for."""
    spoken = variant.by_protocol.get(protocol)
    return [*manifest.run.command, *variant.arguments, *(spoken.arguments if spoken else [])]


def verifies(subject: Subject) -> bool:
    """Whether it was asked to verify signatures (backends/CONTRACT.md, profile `verify`)."""
    return dict(subject.options).get("auth") == "verify"


def effective_options(
    manifest: BackendManifest, subject: Subject, protocol: str = ""
) -> dict[str, str | None]:
    """What the subject runs with: asked for, else set by protocol or variant, else the default.

    Every option of the manifest, and the contract's core where the manifest has no option for it;
    None where only the backend knows its default. UsageError for an unknown variant.
    """
    variant = _variant(manifest, subject)
    asked = dict(subject.options)
    found: dict[str, str | None] = dict(CORE_OPTIONS)
    for name, option in manifest.options.items():
        given = asked.get(name, _set_by(variant, manifest, option, protocol))
        found[name] = option.default if given is None else given
    return dict(sorted(found.items()))


def protocol_note(manifest: BackendManifest, subject: Subject, protocol: str) -> str | None:
    """What is different about it while this is spoken; None when nothing is."""
    spoken = _variant(manifest, subject).by_protocol.get(protocol)
    return None if spoken is None else f"{protocol}: {spoken.about}"


def _variant(manifest: BackendManifest, subject: Subject) -> Variant:
    variant = manifest.variant(subject.variant)
    if variant is None:
        known = ", ".join(v.name for v in manifest.variants)
        raise UsageError(
            f"backend {manifest.name}",
            f"expected a variant of {known}, got {subject.variant}",
            hint="see `bench list`",
        )
    return variant


def _set_by(
    variant: Variant, manifest: BackendManifest, option: Option, protocol: str
) -> str | None:
    """The value that the command line or the environment already has; the last one wins."""
    if option.environment is not None:
        return variant.environment.get(option.environment)
    head, mark, tail = (option.argument or "").partition("{value}")
    if not head or not mark:
        return None
    given = [
        part.removeprefix(head).removesuffix(tail)
        for part in _words(manifest, variant, protocol)
        if part.startswith(head) and part.endswith(tail)
    ]
    return given[-1] if given else None


def _filled(part: str, values: Mapping[str, str], where: str) -> str:
    try:
        return part.format_map(values)
    except (KeyError, IndexError, ValueError) as error:
        raise UsageError(
            f"{where}: run.command",
            f"expected placeholders of {', '.join(values)}, got {part!r} ({error})",
            hint="docs/formats/manifests.md lists every placeholder",
        ) from error
