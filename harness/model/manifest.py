"""What backends, probes and scenarios say of themselves in their manifests."""

from __future__ import annotations

import re

import msgspec

# What a comparison is about: charts never mix two.
TRACKS = {
    "controlled": "the same structure in every language",
    "idiomatic": "each language's mainstream stack",
    "article": "the article's stacks: transport confounded with language",
    "cross": "one transport beside another",
}
TRACKS_OF_TRANSPORTS = ("article", "cross")  # each variant speaks its own protocol there


class Build(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How `make build` leaves the artifact, and the receipt that it worked."""

    artifact: str
    version_argument: str = "--version"


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The command with placeholders {artifact} {address} {port} {threads} {data_directory}."""

    command: list[str]


class Spoken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is different about a variant while one of its protocols is spoken."""

    about: str  # a sentence for reports: who is there, or is not
    arguments: list[str] = []  # behind the variant's


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way of running a backend; exactly one is the default."""

    name: str
    title: str
    tracks: list[str]  # some of TRACKS, the one that a run is on by default first
    protocols: list[str]
    default: bool = False
    arguments: list[str] = []
    environment: dict[str, str] = {}
    by_protocol: dict[str, Spoken] = {}
    choices: dict[str, str] = {}  # departures of this variant alone, beside the backend's


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A setting of a backend: `--set backend.option=value`."""

    about: str
    default: str | None = None
    values: list[str] = []
    pattern: str | None = None
    argument: str | None = None
    environment: str | None = None

    @property
    def allowed(self) -> str:
        """Its values in words, or the pattern that they match."""
        return ", ".join(self.values) or f"matching {self.pattern}"

    def allows(self, value: str) -> bool:
        """Whether it can be set to this value."""
        if self.values:
            return value in self.values
        return self.pattern is not None and re.fullmatch(self.pattern, value) is not None


class BackendManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`backends/<name>/backend.toml`."""

    schema: int
    name: str
    title: str
    language: str
    license: str
    collector: str
    build: Build
    run: Run
    variants: list[Variant]
    options: dict[str, Option] = {}
    symbols: dict[str, str] = {}
    profiles: list[str] = []  # what goes beyond the contract's core; the tests of each run then
    choices: dict[str, str] = {}  # departures from the contract's letter: name -> reason

    def variant(self, name: str | None) -> Variant | None:
        """The variant of this name, the default one for None, or None when there is no such."""
        for variant in self.variants:
            if variant.name == name or (name is None and variant.default):
                return variant
        return None

    def variants_on(self, track: str) -> list[Variant]:
        """Those that are on this track, the default one first."""
        on_it = [variant for variant in self.variants if track in variant.tracks]
        return sorted(on_it, key=lambda variant: not variant.default)


class ProbeStream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of fixed-size records that a probe writes."""

    name: str
    about: str


class ProbeField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number in each line of `<probe>.seconds.jsonl`."""

    name: str
    unit: str
    about: str


class ProbeManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ebpf/<probe>/probe.toml`."""

    schema: int
    name: str
    title: str
    hooks: list[str]
    collector: str = ""
    streams: list[ProbeStream] = []
    fields: list[ProbeField] = []


class FixedSize(msgspec.Struct, frozen=True, tag_field="distribution", tag="fixed"):
    """All objects are as large."""

    bytes: int


class LognormalSize(msgspec.Struct, frozen=True, tag_field="distribution", tag="lognormal"):
    """Sizes whose logarithms are normal; what lies beyond an end has its size."""

    median_bytes: int
    sigma: float
    min_bytes: int
    max_bytes: int


class TableSize(msgspec.Struct, frozen=True, tag_field="distribution", tag="table"):
    """Sizes with their weights."""

    rows: list[tuple[int, int]]


class Objects(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The objects that a scenario preloads and asks for."""

    bucket: str
    count: int
    key: str
    size_bytes: int | None = None  # of all; or their distribution in `size`
    size: FixedSize | LognormalSize | TableSize | None = None
    group: int | None = None  # neighbours that share what {group} stands for
    churn: int = 0  # so many more come and go
    popularity: str = "uniform"
    exponent: float | None = None


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of request with its share of the mix and the status it must get."""

    name: str
    weight: int
    status: int
    length_bytes: int | None = None  # of range
    keys: int | None = None  # of list
    prefix: str | None = None  # of list


class Preload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is there before a run; None: all objects, with all connections."""

    count: int | None = None
    parallel: int | None = None


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the bodies are compared whole: one in N, 0 for none."""

    digest_one_in: int = 0


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`loadgen/scenarios/<name>.toml`."""

    schema: int
    name: str
    title: str
    objects: Objects
    operations: list[Operation]
    check: Check = Check()
    preload: Preload = Preload()
    needs: list[str] = []  # features of a target beside its operations' own
