"""VALID, DEGRADED, INVALID: the one table of thresholds, and the closed list of reasons."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Status(StrEnum):
    """Worst last; INVALID trials are kept, shown and never ranked."""

    VALID = "VALID"
    DEGRADED = "DEGRADED"
    INVALID = "INVALID"


class Threshold(msgspec.Struct, frozen=True):
    """Above `degraded` a trial is DEGRADED, above `invalid` INVALID; None: never."""

    id: str
    about: str
    unit: str  # ratio | ns | count
    degraded: float | None
    invalid: float | None


_TABLE = (
    Threshold("generator-lag", "own-fault send lag, P99", "ns", 1_000_000, 5_000_000),
    Threshold(
        "generator-stalled", "share of seconds with own-fault lag over 5 ms", "ratio", 0.02, 0.2
    ),
    Threshold(
        "generator-runqueue",
        "share of time the engine's threads waited for a processor",
        "ratio",
        0.02,
        0.2,
    ),
    Threshold(
        "generator-throttled",
        "share of time the engine was throttled by a CPU quota",
        "ratio",
        0.001,
        0.05,
    ),
    Threshold(
        "schedule-slots", "slots of the plan that are not recorded exactly once", "count", None, 0
    ),
    Threshold(
        "schedule-nonconforming",
        "greatest distance of the requests from the plan, share",
        "ratio",
        0.01,
        0.1,
    ),
    Threshold(
        "littles-law",
        "requests in flight by two books of the engine, difference",
        "ratio",
        0.01,
        0.1,
    ),
    Threshold(
        "connections-exhausted",
        "requests that waited for a connection while the server answered, share",
        "ratio",
        0.001,
        None,
    ),
    Threshold(
        "generator-bound",
        "of a closed loop: share of its threads' time that the engine used",
        "ratio",
        0.9,
        None,
    ),
    Threshold("rate-missed", "offered requests that were never sent, share", "ratio", 0.005, 0.05),
    Threshold(
        "steal-backend", "share of time stolen from the backend's cores", "ratio", 0.02, 0.25
    ),
    Threshold("steal-engine", "share of time stolen from the engine's cores", "ratio", 0.02, 0.25),
    Threshold(
        "platform-hiccups",
        "how late a thread that only sleeps woke on these CPUs, P99",
        "ns",
        1_000_000,
        None,
    ),
    Threshold("quota-throttled", "share of time throttled by a CPU quota", "ratio", 0.001, None),
    Threshold(
        "core-shared",
        "share of time a foreign process held the backend's cores",
        "ratio",
        0.03,
        0.5,
    ),
    Threshold("errors", "requests that failed, share", "ratio", 0.0, 0.01),
    Threshold(
        "worker-lost", "requests that were lost with their worker, share", "ratio", 0.0, 0.05
    ),
    Threshold("records-dropped", "request records lost", "count", 0, None),
    Threshold("load-missing", "no request's times are known", "count", None, 0),
    Threshold("probe-dropped", "probe events lost, share", "ratio", 0.0, None),
    Threshold("backend-died", "the backend ended before its trial did", "count", None, 0),
    Threshold(
        "backend-wrong", "answers that were wrong (status, length, digest)", "count", None, 0
    ),
    Threshold("engine-died", "the engine or Locust ended before the trial did", "count", None, 0),
    Threshold("probe-died", "probe processes that ended before the trial did", "count", 0, None),
    Threshold("runtime-lost", "the container engine went away during the trial", "count", None, 0),
    Threshold("calibration-failed", "known-answer tests that failed", "count", None, 0),
    Threshold("layout-shared", "backend and engine share cores", "count", 0, None),
    Threshold("interrupted", "the trial was stopped before its time", "count", None, 0),
)
THRESHOLDS: dict[str, Threshold] = {row.id: row for row in _TABLE}


def page_of(id: str) -> str:
    """Where the repository explains a reason: what it means, how it is measured, what to do."""
    return f"docs/verdicts/{id}.md"


class Reason(msgspec.Struct, frozen=True):
    """Why a trial is not VALID; `id` is a key of THRESHOLDS."""

    id: str
    status: Status
    value: float
    limit: float
    who: str  # the culprit by name: a process, a core, a probe
    text: str  # one sentence with the amount


class Verdict(msgspec.Struct, frozen=True):
    """The judgement of one trial."""

    status: Status
    reasons: list[Reason]
