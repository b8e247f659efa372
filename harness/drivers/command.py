"""A backend's command line and environment, from its manifest and what was asked."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.errors import UsageError
from harness.model.manifest import BackendManifest
from harness.model.plan import Subject


class Command(msgspec.Struct, frozen=True):
    """What is executed, and the variables that are added to its environment."""

    argv: list[str]
    environment: dict[str, str]


def compose(manifest: BackendManifest, subject: Subject, values: Mapping[str, str]) -> Command:
    """`values` fills {artifact} {address} {port} {threads} {data_directory}.

    Variant before options, so that an option that was asked for wins. UsageError for an unknown
    variant, option or placeholder.
    """
    where = f"backend {manifest.name}"
    variant = manifest.variant(subject.variant)
    if variant is None:
        known = ", ".join(v.name for v in manifest.variants)
        raise UsageError(
            where, f"expected a variant of {known}, got {subject.variant}", hint="see `bench list`"
        )
    argv = [_filled(part, values, where) for part in [*manifest.run.command, *variant.arguments]]
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
    return Command(argv, environment)


def _filled(part: str, values: Mapping[str, str], where: str) -> str:
    try:
        return part.format_map(values)
    except (KeyError, IndexError, ValueError) as error:
        raise UsageError(
            f"{where}: run.command",
            f"expected placeholders of {', '.join(values)}, got {part!r} ({error})",
            hint="docs/formats/manifests.md lists every placeholder",
        ) from error
