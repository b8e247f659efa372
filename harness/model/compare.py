"""What `bench compare` says: ratios with intervals, words, and the exit code that follows."""

from __future__ import annotations

import msgspec

from harness.errors import EXIT_FAILURE, EXIT_GOOD, EXIT_NOT_VALID

WORSE = "worse"
BETTER = "better"
SAME = "no difference"  # shown by equivalence (two one-sided tests), never by a lack of evidence
NOT_SHOWN = "no difference shown"
CANNOT_TELL = "cannot tell"


class MetricCell(msgspec.Struct, frozen=True):
    """One metric of one pair of subjects; ratios are new / base, so above 1 is worse."""

    metric: str  # p50_clean, p99_observed, cpu_per_request ...
    title: str
    unit: str
    gates: bool
    n: int  # pairs (one run), or the smaller number of trials (two runs)
    base: float | None  # geometric means
    new: float | None
    ratio: float | None
    low: float | None  # 95%, t on logs
    high: float | None
    p: float | None  # two-sided, before Holm
    p_holm: float | None  # over the subject's gating family; None outside it
    detectable: float | None  # the smallest ratio - 1 that n blocks find 4 times in 5
    margin: float  # delta of the gate
    word: str
    regression: bool
    text: str  # ready to print


class ErrorsCell(msgspec.Struct, frozen=True):
    """Shares of failed requests, over all trials; gated by their absolute difference."""

    base: float | None
    new: float | None
    difference: float | None
    margin: float
    regression: bool
    text: str


class PairComparison(msgspec.Struct, frozen=True):
    """One subject against its base."""

    base: str
    new: str
    is_twin: bool  # the same image: its differences are noise, it never fails a gate
    cells: list[MetricCell]
    errors: ErrorsCell
    notes: list[str]


class Comparison(msgspec.Struct, frozen=True):
    """`bench compare`."""

    kind: str  # paired | two-runs
    base_run: str
    new_run: str
    pairs: list[PairComparison]
    environment_differs: list[str]
    notes: list[str]
    schema: int = 1

    @property
    def regressions(self) -> list[str]:
        """What got worse beyond its margin, ready to print."""
        return [
            f"{pair.new}: {text}"
            for pair in self.pairs
            if not pair.is_twin
            for text in [
                *(cell.text for cell in pair.cells if cell.regression),
                *([pair.errors.text] if pair.errors.regression else []),
            ]
        ]

    @property
    def undecided(self) -> list[str]:
        """Why a gate cannot decide; empty when it can."""
        found = [] if self.pairs else ["no two subjects to compare"]
        if self.kind != "paired":
            return [*found, "two runs inform and never gate: measure both in blocks of one run"]
        for pair in self.pairs:
            if pair.is_twin:
                continue
            gating = [cell for cell in pair.cells if cell.gates]
            found += [f"{pair.new}: {c.text}" for c in gating if c.word.startswith(CANNOT_TELL)]
            if not any(cell.metric.endswith("_clean") for cell in gating):
                found.append(f"{pair.new}: no clean percentiles, and observed ones do not gate")
        return found

    def exit_code(self, *, gate: bool) -> int:
        """1 on a regression beyond the margin; under a gate 3 when it cannot be told."""
        if self.regressions:
            return EXIT_FAILURE
        return EXIT_NOT_VALID if gate and self.undecided else EXIT_GOOD
