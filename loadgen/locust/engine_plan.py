"""Divides a plan among workers, and merges what their engines report; no Locust in here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hdrh.histogram import HdrHistogram

JsonObject = dict[str, Any]

LOWEST_NS, HIGHEST_NS, DIGITS = 1, 60_000_000_000, 3
COUNTERS = (
    "offered",
    "sent",
    "completed",
    "good",
    "good_by_end",
    "bytes_in",
    "bytes_out",
    "cpu_ns",
    "runqueue_ns",
    "in_flight",
    "overflow",
    "connections_opened",
    "connections_lost",
    "digests_checked",
    "digests_wrong",
    "signed_late",
    "records",
    "records_dropped",
    "unfinished",
)


def shares(
    plan: Mapping[str, Any], workers: Sequence[str], here: int | None = None
) -> dict[str, JsonObject]:
    """Each worker's own plan: its part of rate and connections, its phase, and CPUs of its own.

    Connections that do not divide evenly go to the first workers. The first `here` workers (all,
    when left out) run on the machine whose CPUs the plan names, and these are dealt out to them.

    Raises:
        ValueError: more workers than connections.
    """
    count = len(workers)
    if count > int(plan["connections"]):
        raise ValueError(f"{count} workers cannot share {plan['connections']} connections")
    whole, rest = divmod(int(plan["connections"]), count)
    divided: dict[str, JsonObject] = {}
    for index, worker in enumerate(workers):
        share = dict(plan)
        share["rate_rps"] = float(plan["rate_rps"]) / count
        if "parts" in plan:
            share["parts"] = [_divided(part, count) for part in plan["parts"]]
        share["connections"] = whole + (1 if index < rest else 0)
        share["share"] = {"index": index, "count": count}
        share["cpus"] = dealt(plan.get("cpus") or [], index, count if here is None else here)
        if index > 0 and plan.get("records_path"):
            share["records_path"] = f"{plan['records_path']}.{index}"
        divided[worker] = share
    return divided


def _divided(part: Mapping[str, Any], count: int) -> JsonObject:
    """A step or ramp at one worker's part of its rates."""
    rates = {name: float(part[name]) / count for name in ("from_rps", "to_rps")}
    return {**part, **rates}


def dealt(cpus: Sequence[int], index: int, count: int) -> list[int]:
    """The CPUs of worker `index` of `count`: its own where there are enough, else one in turn."""
    if not cpus or index >= count:
        return []
    return list(cpus[index::count]) or [cpus[index % len(cpus)]]


def with_drawn_keys(plan: JsonObject, environment: Mapping[str, str]) -> JsonObject:
    """The plan with the keys that were drawn for this trial alone, if any: they may travel."""
    drawn = environment.get("PAUSEMARK_DRAWN_KEYS")
    if not drawn:
        return plan
    return {**plan, "target": {**plan["target"], "credentials": json.loads(drawn)}}


def with_credentials(plan: JsonObject, environment: Mapping[str, str]) -> JsonObject:
    """The plan with this worker's own AWS keys where it asks for them: lasting ones never travel.

    KeyError names the variable that is missing.
    """
    target = plan.get("target", {})
    if target.get("credentials") != "environment":
        return plan
    credentials = {
        "access_key": environment["AWS_ACCESS_KEY_ID"],
        "secret_key": environment["AWS_SECRET_ACCESS_KEY"],
        "region": environment.get("AWS_REGION") or "us-east-1",
    }
    return {**plan, "target": {**target, "credentials": credentials}}


def decode(encoded: str) -> HdrHistogram:
    """A histogram from its standard encoding."""
    return HdrHistogram.decode(encoded)


def recorded(histogram: HdrHistogram) -> list[tuple[int, int]]:
    """(ns, count) of each bucket with something in it: as its own iterator, some 30 times faster.

    A live page must not cost more than the load that it shows.
    """
    return [
        (int(histogram.get_highest_equivalent_value(histogram.get_value_from_index(index))), count)
        for index, count in enumerate(histogram.counts[:])
        if count
    ]


def merge_histograms(encoded: Sequence[str]) -> str:
    """The exact sum, bucket by bucket, in the standard encoding."""
    if len(encoded) == 1:
        return encoded[0]
    merged = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    for text in encoded:
        merged.add(HdrHistogram.decode(text))
    return str(merged.encode().decode("ascii"))


def _merge_errors(events: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    errors: dict[str, int] = {}
    for event in events:
        for kind, count in event.get("errors", {}).items():
            errors[kind] = errors.get(kind, 0) + int(count)
    return errors


def merge_counts(events: Sequence[Mapping[str, Any]]) -> JsonObject:
    """Counters summed, errors by kind, histograms merged; all else from the first event."""
    merged: JsonObject = dict(events[0])
    for name in COUNTERS:
        if name in merged:
            merged[name] = sum(int(event.get(name) or 0) for event in events)
    if "errors" in merged:
        merged["errors"] = _merge_errors(events)
    if "histograms" in merged:
        parts = [event["histograms"] for event in events if event.get("histograms")]
        merged["histograms"] = {
            name: merge_histograms([part[name] for part in parts]) for name in merged["histograms"]
        }
    if len(events) > 1:
        merged.pop("summary", None)  # percentiles of the first one alone
    return merged


def merge_done(events: Sequence[Mapping[str, Any]]) -> JsonObject:
    """The `done` events of all workers as one."""
    merged = merge_counts(events)
    merged["totals"] = merge_counts([event["totals"] for event in events])
    merged["wall_ns"] = max(int(event["wall_ns"]) for event in events)
    merged["interrupted"] = any(event.get("interrupted") for event in events)
    names = {name for event in events for name in event["by_operation"]}
    merged["by_operation"] = {
        name: _merge_operation(
            [event["by_operation"][name] for event in events if name in event["by_operation"]]
        )
        for name in sorted(names)
    }
    return merged


def _merge_operation(parts: Sequence[Mapping[str, Any]]) -> JsonObject:
    errors: Any = (
        _merge_errors(parts)
        if isinstance(parts[0]["errors"], dict)
        else sum(int(part["errors"]) for part in parts)
    )
    return {
        "good": sum(int(part["good"]) for part in parts),
        "errors": errors,
        "response": merge_histograms([part["response"] for part in parts]),
    }


class Seconds:
    """Holds each second back until every worker that is still there has reported it."""

    def __init__(self, workers: Sequence[str]) -> None:
        """`workers`: the ids that take part in this trial."""
        self._alive = list(workers)
        self._held: dict[int, dict[str, JsonObject]] = {}

    def lose(self, worker: str) -> list[JsonObject]:
        """Goes on without a worker; returns the seconds that only waited for it."""
        self._alive = [name for name in self._alive if name != worker]
        return self._release()

    def add(self, worker: str, second: JsonObject) -> list[JsonObject]:
        """Takes one worker's second; returns merged seconds that became complete, in order."""
        self._held.setdefault(int(second["index"]), {})[worker] = second
        return self._release()

    def rest(self) -> list[JsonObject]:
        """What is still held at the end, merged from those who reported."""
        left = [merge_counts(list(self._held[index].values())) for index in sorted(self._held)]
        self._held.clear()
        return left

    def _release(self) -> list[JsonObject]:
        released = []
        for index in sorted(self._held):
            parts = self._held[index]
            if not all(worker in parts for worker in self._alive):
                break
            released.append({**merge_counts(list(parts.values())), "workers": len(parts)})
            del self._held[index]
        return released
