"""Each operation of a scenario by itself: collected from a trial, and as columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.model.analysis import Column
from harness.model.recording import Ints, Requests
from harness.model.trial import OperationFigures, TrialData
from harness.stats import decoded, means, percentiles
from harness.stats.columns import Figure, Reading, Summarise


def of_requests(requests: Requests, response: Ints) -> dict[str, OperationFigures]:
    """Of the measured part's records, with their response times; operations in their order."""
    found = {}
    for index, name in enumerate(requests.operations):
        mine = requests.operation == index
        count = int(np.count_nonzero(mine))
        if not count:
            continue
        # What was never answered is no good answer either.
        good = mine & (requests.outcome == 0) & (requests.last_byte_ns > 0)
        times = percentiles.summarise(response[mine], requests.intended_ns[mine])
        found[name] = OperationFigures(
            count=count,
            errors=count - int(np.count_nonzero(good)),
            p50=times.p50 if times else None,
            p99=times.p99 if times else None,
        )
    return found


def of_done(by_operation: Mapping[str, Mapping[str, Any]]) -> dict[str, OperationFigures]:
    """Of the engine's `done`, where the records are elsewhere."""
    found = {}
    for name, part in by_operation.items():
        times = decoded.summarise(str(part["response"]))
        if times is not None:
            errors = int(part["errors"])
            count = int(part["good"]) + errors
            found[name] = OperationFigures(count, errors, times.p50, times.p99)
    return found


def _figure(
    id: str, title: str, unit: str, about: str, summarise: Summarise = means.geometric
) -> tuple[Column, str, Summarise]:
    return Column(id, title, unit, about), id.removeprefix("operation_"), summarise


_LATE = "Of this operation alone, from the intended send time to the last byte: "
_FIGURES = (
    _figure("operation_count", "Requests", "", "Of all valid trials together.", means.total),
    _figure("operation_errors", "Errors", "", "Those that failed or were never answered.",
            means.total),
    _figure("operation_p50", "P50", "ns", _LATE + "half were faster."),
    _figure("operation_p99", "P99", "ns", _LATE + "1 in 100 was slower."),
)  # fmt: skip
COLUMNS = [column for column, _, _ in _FIGURES]


def figures(operation: str) -> list[Figure]:
    """The columns, read for one operation."""
    return [Figure(column, _reader(operation, name), how) for column, name, how in _FIGURES]


def _reader(operation: str, name: str) -> Callable[[TrialData], Reading]:
    def read(trial: TrialData) -> Reading:
        found = trial.operations.get(operation)
        if found is None:
            return "not measured (no such request was recorded)"
        value = getattr(found, name)
        return "too few tail episodes" if value is None else float(value)

    return read
