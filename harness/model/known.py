"""Known-answer tests as nouns: what a case does, what must be read, and what was read."""

from __future__ import annotations

import msgspec

TIMEOUT_NS = 5_000_000_000


class Case(msgspec.Struct, frozen=True):
    """One known-answer test.

    `deed` names what the server does by its script (its log's word), `script` holds the flags that
    make it do that, without the dashes; "" where it freezes or nothing is done.
    """

    name: str
    rate_rps: float
    connections: int
    duration_s: float
    stop_generator: bool = False
    deed: str = ""
    script: dict[str, int] = {}
    timeout_ns: int = TIMEOUT_NS


class Deeds(msgspec.Struct, frozen=True):
    """What the server's log says that it did by its script, of one kind, by time; ns, 0: never."""

    received_ns: tuple[int, ...]
    first_ns: tuple[int, ...]
    last_ns: tuple[int, ...]

    def __len__(self) -> int:
        """How many requests it was done to."""
        return len(self.received_ns)


class Check(msgspec.Struct, frozen=True):
    """One figure that follows from the script, beside what the instrument read."""

    what: str
    expected: float
    found: float | None  # None: there was nothing to read it from
    tolerance: float
    unit: str = "count"  # count | ns

    @property
    def passed(self) -> bool:
        """Whether what was read is within the tolerance."""
        return self.found is not None and abs(self.found - self.expected) <= self.tolerance

    @property
    def text(self) -> str:
        """What was read, and what it must be."""
        if self.unit == "ns":
            found = "nothing" if self.found is None else f"{self.found / 1e6:.3f} ms"
            return f"{self.what} {found}, must be {self.expected / 1e6:.3f} ms"
        found = "nothing" if self.found is None else f"{self.found:,.0f}"
        return f"{self.what} {found}, must be {self.expected:,.0f}"


class Reading(msgspec.Struct, frozen=True):
    """What one try gave; ns. `disturbed`: by what, as its own verdict says; it is repeated then."""

    name: str
    passed: bool
    disturbed: list[str]
    expected_ns: int | None
    found_ns: int | None
    error_ns: int | None
    rho: float | None
    text: str
    checks: list[Check] = []
