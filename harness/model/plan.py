"""What was asked (request), what will be done (plan), and what a row of a table is (subject)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from harness.model.manifest import Scenario

STREAMED = "h2c"  # the protocol with streams
FASTCGI = "fastcgi"  # the one that is not HTTP


class Subject(msgspec.Struct, frozen=True, order=True):
    """A row's identity: backend, variant, options, artifact digest and label."""

    backend: str
    variant: str
    options: tuple[tuple[str, str], ...] = ()
    label: str = ""  # "", "candidate", "baseline", "twin"
    artifact_digest: str = ""

    @property
    def name(self) -> str:
        """As in `--backend go/nethttp`, with options and label where there are any.

        Never the artifact's digest: two builds of the same thing have one name.
        """
        options = ",".join(f"{key}={value}" for key, value in self.options)
        return (
            f"{self.backend}/{self.variant}"
            + (f"[{options}]" if options else "")
            + (f" ({self.label})" if self.label else "")
        )


Amount = Annotated[float, msgspec.Meta(ge=0, le=1e9)]  # finite; the flags allow far less


class RatePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of the measured part: a step where both rates are the same, else a ramp."""

    from_rps: Amount
    to_rps: Amount
    duration_s: Amount


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The flags of `bench run`, parsed and complete."""

    subjects: list[Subject]
    scenario: Scenario
    rate_rps: float  # the mean of its parts where it has some; 0 in a closed loop
    duration_s: float
    warmup_s: float
    repeat: int
    seed: int
    connections: int
    threads: int
    protocol: str  # "" where each subject has its own
    pipeline: int
    arrivals: str
    grain_ns: int
    timeout_ns: int
    runtime: str  # auto | docker | process
    layout: str  # split | shared
    tune: str  # auto | off
    probes: str  # auto | off | require
    address: str
    memory_limit_bytes: int
    cpu_quota: float | None = None  # CPUs; None for no quota
    calibrate: bool = True
    streams: int = 1  # at once on a connection of h2c; 1 for other protocols
    track: str = ""  # what its comparison is about; "" where there are no backends to compare
    payload: str = "unsigned"  # what is signed of bodies, where the backend verifies signatures
    protocols: dict[str, str] = {}  # by subject's name, where `protocol` is ""
    workers: int = 1  # engines beside the harness, which share rate and connections
    workers_elsewhere: int = 0  # engines on other machines, which share them too
    parts: list[RatePart] = []  # steps and ramps in order, `duration_s` together; [] for one rate
    closed_loop: bool = False  # every connection always busy: a maximum, and no fixed rate
    pace: str = "sleep"  # sleep | spin | auto
    engine_threads: int = 1

    @property
    def first_rate_rps(self) -> float:
        """Of the warm-up, and of the schedule's first slot."""
        return self.parts[0].from_rps if self.parts else self.rate_rps

    def protocol_of(self, subject: Subject) -> str:
        """What is spoken with this subject."""
        return self.protocols.get(subject.name, self.protocol)

    def streams_of(self, subject: Subject) -> int:
        """Streams at once on a connection with this subject; 1 where there are no streams."""
        return self.streams if self.protocol_of(subject) == STREAMED else 1


class Layout(msgspec.Struct, frozen=True):
    """Which CPUs belong to whom."""

    name: str
    backend_cpus: list[int]
    engine_cpus: list[int]


class TrialSpec(msgspec.Struct, frozen=True):
    """One cell, once, in a fresh process."""

    index: int
    block: int
    subject: Subject
    seed: int


class Plan(msgspec.Struct, frozen=True):
    """`plan.json`: everything that decides what the run will do."""

    schema: int
    request: Request
    layout: Layout
    trials: list[TrialSpec]
    created_utc: str
    version: str
    # What each subject really runs with, by its name: asked for, set by its variant, or a default.
    # None: the option has no default that the manifest knows of.
    options_effective: dict[str, dict[str, str | None]] = {}
    # What is different about a subject by its protocol, by its name: a sentence of its manifest.
    protocol_notes: dict[str, str] = {}


class Artifact(msgspec.Struct, frozen=True):
    """`artifacts.json`: what was built, with the receipt."""

    backend: str
    runtime: str  # docker | process
    location: str  # image id, or file name relative to the build folder
    digest: str
    version_line: str
    build_ns: int
    toolchain: dict[str, str] = {}
