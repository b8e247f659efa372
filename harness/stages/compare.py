"""Compares subjects of one run, paired by block, or two runs, which informs and never gates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from harness.model import compare as words_of
from harness.model import words
from harness.model.compare import Comparison, ErrorsCell, MetricCell, PairComparison
from harness.model.plan import Subject
from harness.model.trial import TrialData
from harness.model.verdict import Status
from harness.stats import inference, means
from harness.stats.columns import FIGURES, Figure

MARGIN = 0.05
FLOOR_NS = 50_000  # a latency that differs by less is not worth a night's alarm
ERRORS_MARGIN = 0.001
BLOCKS_MIN = 8
_SHOWN = ("p50_observed", "p50_clean", "p99_observed", "p99_clean", "p999_observed",
          "p999_clean", "cpu_per_request")  # fmt: skip
_FAMILY = ("p50_clean", "p99_clean", "cpu_per_request")
_FIGURES: dict[str, Figure] = {figure.column.id: figure for figure in FIGURES}


@dataclass(frozen=True, slots=True)
class _Sides:
    """A metric's values; paired: place i of both is one block."""

    base: list[float]
    new: list[float]
    paired: bool

    @property
    def n(self) -> int:
        return min(len(self.base), len(self.new))

    def logs(self) -> list[float]:
        """Log-ratios of the pairs."""
        return [math.log(b / a) for a, b in zip(self.base, self.new, strict=True)]


def compare_run(
    run_id: str,
    trials: Sequence[TrialData],
    *,
    base: str | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
) -> Comparison:
    """Compare the subjects of one run with `base` (a name), or each candidate with its baseline.

    `history`: per metric the |A/A| ratios - 1 of earlier runs on this machine.
    """
    groups = _groups(trials)
    pairs = _pairs(list(groups), base)
    margins = _margins(groups, pairs, history or {})
    found = [_pair(groups[a], groups[b], (a, b), paired=True, margins=margins) for a, b in pairs]
    return Comparison("paired", run_id, run_id, found, [], [])


def compare_runs(
    base_run: str,
    new_run: str,
    base: Sequence[TrialData],
    new: Sequence[TrialData],
    *,
    environments: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> Comparison:
    """Compare the same subjects of two runs; `environments`: what makes up each fingerprint."""
    old, fresh = _groups(base), _groups(new)
    by_name = {subject.name: subject for subject in old}
    found, notes = [], []
    for subject, trials in fresh.items():
        match = by_name.get(subject.name)
        if match is None:
            notes.append(f"{subject.name} is not in {base_run}")
            continue
        found.append(_pair(old[match], trials, (match, subject), paired=False, margins={}))
    first, second = environments
    differs = [
        f"{key}: {first.get(key, 'not recorded')} against {second.get(key, 'not recorded')}"
        for key in sorted({*first, *second})
        if first.get(key) != second.get(key)
    ]
    return Comparison("two-runs", base_run, new_run, found, differs, notes)


def _groups(trials: Sequence[TrialData]) -> dict[Subject, list[TrialData]]:
    groups: dict[Subject, list[TrialData]] = {}
    for trial in trials:
        groups.setdefault(trial.spec.subject, []).append(trial)
    return groups


def _same_thing(a: Subject, b: Subject) -> bool:
    return (a.backend, a.variant, a.options) == (b.backend, b.variant, b.options)


def _pairs(subjects: list[Subject], base: str | None) -> list[tuple[Subject, Subject]]:
    """(base, new): twins against their own, candidates against baselines, else all against one."""
    twins = [
        (a, b)
        for b in subjects
        if b.label == "twin"
        for a in [_original(subjects, b)]
        if a is not None
    ]
    plain = [subject for subject in subjects if subject.label != "twin"]
    if base is None:
        labelled = [
            (a, b)
            for b in plain
            if b.label == "candidate"
            for a in plain
            if a.label == "baseline" and _same_thing(a, b)
        ]
        if labelled:
            return labelled + twins
    chosen = [s for s in plain if base is None or base in {s.name, f"{s.backend}/{s.variant}"}]
    if not chosen:
        return twins
    return [(chosen[0], b) for b in plain if b != chosen[0]] + twins


def _original(subjects: list[Subject], twin: Subject) -> Subject | None:
    """The subject that the twin is a copy of: its own image first, then the baseline."""
    same = [s for s in subjects if s.label != "twin" and _same_thing(s, twin)]
    same.sort(key=lambda s: (s.artifact_digest != twin.artifact_digest, s.label != "baseline"))
    return same[0] if same else None


def _valid(trials: Sequence[TrialData]) -> list[TrialData]:
    return [trial for trial in trials if trial.verdict.status is not Status.INVALID]


def _sides(
    metric: str, base: Sequence[TrialData], new: Sequence[TrialData], *, paired: bool
) -> _Sides:
    """The values of trials that are not INVALID and have the metric."""

    def read(trials: Sequence[TrialData]) -> dict[int, float]:
        found = {}
        for trial in _valid(trials):
            value = _FIGURES[metric].read(trial)
            if not isinstance(value, str) and value > 0:
                found[trial.spec.block if paired else trial.spec.index] = value
        return found

    a, b = read(base), read(new)
    if not paired:
        return _Sides(list(a.values()), list(b.values()), paired)
    both = sorted(a.keys() & b.keys())
    return _Sides([a[block] for block in both], [b[block] for block in both], paired)


def _margins(
    groups: dict[Subject, list[TrialData]],
    pairs: list[tuple[Subject, Subject]],
    history: Mapping[str, Sequence[float]],
) -> dict[str, float]:
    """Delta of each metric: 5%, or what A/A pairs of this machine show, whichever is larger."""
    margins = {}
    for metric in _SHOWN:
        found = [MARGIN]
        if history.get(metric):
            found.append(float(np.quantile(np.abs(history[metric]), 0.95)))
        for a, b in pairs:
            if b.label == "twin":
                sides = _sides(metric, groups[a], groups[b], paired=True)
                if sides.n >= 2:
                    found.append(inference.noise_margin(sides.logs()))
        margins[metric] = max(found)
    return margins


def _pair(
    base: list[TrialData],
    new: list[TrialData],
    names: tuple[Subject, Subject],
    *,
    paired: bool,
    margins: Mapping[str, float],
) -> PairComparison:
    cells, logs = [], {}
    for metric in _SHOWN:
        sides = _sides(metric, base, new, paired=paired)
        cells.append(_cell(metric, sides, margins.get(metric, MARGIN)))
        if paired:
            logs[metric] = sides.logs()
    cells = _decided(cells, logs)
    dropped = len(base) + len(new) - len(_valid(base)) - len(_valid(new))
    notes = [f"{dropped} INVALID trials left out"] if dropped else []
    if not any(cell.gates and cell.metric.endswith("_clean") for cell in cells):
        notes.append("observed only: without clean percentiles nothing gates but CPU and errors")
    return PairComparison(
        base=names[0].name,
        new=names[1].name,
        is_twin=names[1].label == "twin",
        cells=[msgspec.structs.replace(cell, text=_text(cell)) for cell in cells],
        errors=_errors(base, new, gates=paired),
        notes=notes,
    )


def _cell(metric: str, sides: _Sides, margin: float) -> MetricCell:
    """The estimate, before words."""
    column = _FIGURES[metric].column
    cell = MetricCell(
        metric=metric, title=column.title, unit=column.unit,
        gates=sides.paired and metric in _FAMILY and sides.n > 0, n=sides.n,
        base=None, new=None, ratio=None, low=None, high=None, p=None, p_holm=None,
        detectable=None, margin=margin, word=words_of.CANNOT_TELL, regression=False, text="",
    )  # fmt: skip
    if not sides.n:
        return cell
    ratio, low, high, change = _estimate(sides)
    return msgspec.structs.replace(
        cell,
        base=means.geometric(sides.base)[0],
        new=means.geometric(sides.new)[0],
        ratio=ratio,
        low=low,
        high=high,
        p=_p_value(sides),
        detectable=change,
    )


def _estimate(sides: _Sides) -> tuple[float, float | None, float | None, float | None]:
    """Ratio of geometric means, its t-interval, and the detectable change."""
    if sides.paired:
        logs = sides.logs()
        ratio, low, high = means.geometric([math.exp(value) for value in logs])
        if sides.n < 2:
            return ratio, None, None, None
        deviation = float(np.std(logs, ddof=1))
        return ratio, low, high, inference.detectable(deviation, sides.n - 1, sides.n**-0.5)
    a, b = np.log(sides.base), np.log(sides.new)
    middle = float(b.mean() - a.mean())
    if sides.n < 2:
        return math.exp(middle), None, None, None
    # Welch: the two runs need not scatter alike.
    va, vb = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    error = math.sqrt(va + vb)
    spread = va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)
    freedom = max(int((va + vb) ** 2 / spread), 1) if spread else len(a) + len(b) - 2
    reach = inference.t_reach(freedom) * error
    change = inference.detectable(error, freedom, 1.0)
    return math.exp(middle), math.exp(middle - reach), math.exp(middle + reach), change


def _p_value(sides: _Sides) -> float:
    if sides.paired:
        return inference.sign_flip(sides.logs())
    return inference.permutation(
        [math.log(v) for v in sides.base], [math.log(v) for v in sides.new], seed=1
    )


def _decided(cells: list[MetricCell], logs: Mapping[str, list[float]]) -> list[MetricCell]:
    """Words and regressions, with Holm over the gating family for both tests."""
    family = [i for i, cell in enumerate(cells) if cell.gates]
    shown = inference.holm([cells[i].p or 0.0 for i in family])
    beyond = inference.holm(
        [
            inference.sign_flip_above(logs[cells[i].metric], math.log1p(cells[i].margin))
            for i in family
        ]
    )
    adjusted = dict(zip(family, zip(shown, beyond, strict=True), strict=True))
    found = []
    for i, cell in enumerate(cells):
        p, above = adjusted.get(i, (cell.p, None))
        regression = (
            above is not None
            and cell.n >= BLOCKS_MIN
            and above <= inference.ALPHA
            and _over_floor(cell)
        )
        found.append(
            msgspec.structs.replace(
                cell,
                p_holm=p if above is not None else None,
                word=_word(cell, p, logs.get(cell.metric)),
                regression=regression,
            )
        )
    return found


def _over_floor(cell: MetricCell) -> bool:
    """Whether a latency differs by more than the floor; CPU per request has none."""
    if not cell.metric.startswith("p") or cell.base is None or cell.new is None:
        return True
    return cell.new - cell.base > FLOOR_NS


def _word(cell: MetricCell, p: float | None, logs: list[float] | None) -> str:
    if cell.ratio is None or p is None:
        return f"{words_of.CANNOT_TELL} (not measured)"
    if cell.n < BLOCKS_MIN:
        return f"{words_of.CANNOT_TELL} (needs n >= {BLOCKS_MIN})"
    if p <= inference.ALPHA:
        return words_of.WORSE if cell.ratio > 1 else words_of.BETTER
    if logs and inference.equivalent(logs, math.log1p(cell.margin)):
        return words_of.SAME
    return words_of.NOT_SHOWN


def _errors(base: list[TrialData], new: list[TrialData], *, gates: bool) -> ErrorsCell:
    """Over all trials, INVALID ones too: errors are what makes many of them INVALID."""
    a, b = _error_share(base), _error_share(new)
    if a is None or b is None:
        return ErrorsCell(a, b, None, ERRORS_MARGIN, False, "errors: not measured")
    text = f"errors: {words.percent(a)} -> {words.percent(b)} of the requests"
    return ErrorsCell(a, b, b - a, ERRORS_MARGIN, gates and b - a > ERRORS_MARGIN, text)


def _error_share(trials: list[TrialData]) -> float | None:
    loads = [trial.load for trial in trials if trial.load is not None]
    offered = sum(load.offered for load in loads)
    failed = sum(sum(load.errors.values()) + load.unfinished for load in loads)
    return failed / offered if offered else None


def _text(cell: MetricCell) -> str:
    """One line: title, values, ratio with interval, p, detectable effect, word."""
    if cell.ratio is None or cell.base is None or cell.new is None:
        return f"{cell.title}: {cell.word}"
    parts = [f"{words.duration(cell.base)} -> {words.duration(cell.new)}"]
    interval = "" if cell.low is None else f" [{cell.low:.3f}, {cell.high:.3f}]"
    parts.append(f"ratio {cell.ratio:.3f}{interval}")
    p = cell.p if cell.p_holm is None else cell.p_holm
    parts.append(f"p {p:.3g}{'' if cell.p_holm is None else ' (Holm)'}, n {cell.n}")
    if cell.detectable is not None:
        parts.append(f"detectable {words.percent(cell.detectable)}")
    end = f", beyond the margin of {words.percent(cell.margin)}" if cell.regression else ""
    return f"{cell.title}: {'; '.join(parts)}: {cell.word}{end}"
