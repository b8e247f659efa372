"""What an object store that others wrote can do, and how it is got and started."""

from __future__ import annotations

import msgspec

from harness.model.manifest import Scenario

# What a scenario may ask of a target. `bucket-create`: PUT of a bucket; `preload`: the
# scenario's objects are taken by PUT, whatever it answers.
FEATURES = (
    *("get", "put", "head", "delete", "range", "list-v2"),
    *("bucket-create", "preload"),
)
_OF_OPERATIONS = {"list": "list-v2"}


class Get(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where its program comes from: a Go module, or this system."""

    go_module: str = ""  # with the package's path, as `go install` takes it
    go_version: str = ""
    program: str = ""  # the program's name
    package: str = ""  # the system's package that has it


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With placeholders {program} {address} {port} {data_directory} {access_key} {secret_key}."""

    command: list[str]
    environment: dict[str, str] = {}
    files: dict[str, str] = {}  # written into the data directory before the start


class Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`loadgen/targets/<name>.toml`."""

    schema: int
    name: str
    title: str
    license: str
    features: list[str]
    get: Get
    start: Start
    lacks: dict[str, str] = {}  # feature -> why it has it not


def needs(scenario: Scenario) -> list[str]:
    """The features that a scenario cannot do without, its operations' first."""
    operations = [_OF_OPERATIONS.get(one.name, one.name) for one in scenario.operations]
    return list(dict.fromkeys([*operations, *scenario.needs, "preload"]))


def missing(store: Store, scenario: Scenario) -> dict[str, str]:
    """Features that the scenario needs and the store lacks, with the reason where one is told."""
    absent = [feature for feature in needs(scenario) if feature not in store.features]
    return {feature: store.lacks.get(feature, "") for feature in absent}
