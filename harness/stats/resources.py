"""What a trial used: CPU time and memory of backend and engine, and what probes saw of both."""

from __future__ import annotations

from typing import Any

from harness.model.facts import TrialFacts
from harness.model.recording import Recording
from harness.model.trial import Load, Resources, Total
from harness.stats import samples


def of_trial(
    facts: TrialFacts, load: Load | None, recording: Recording, missing: dict[str, str]
) -> tuple[Resources | None, dict[str, float | None]]:
    """Besides them the share of its cores that each role used; None where it was not measured."""
    low, high = facts.measure_ns, facts.end_ns
    span = max(high - low, 1)
    backend = samples.between(facts.samples, lambda s: s.backend_cpu_ns, low, high)
    engine = samples.between(facts.samples, lambda s: s.engine_cpu_ns, low, high)
    if engine is None:
        lines = (recording.engine or {}).get("second", [])
        spent = [int(line.get("cpu_ns", 0)) for line in lines if not line.get("warmup")]
        engine = sum(spent) if spent else None
    use = {
        "backend": None
        if backend is None
        else backend / span / max(len(facts.layout.backend_cpus), 1),
        "engine": None if engine is None else engine / span / max(len(facts.layout.engine_cpus), 1),
    }
    if backend is None or engine is None or load is None:
        missing["resources"] = _unknown(facts, backend, engine)
        return None, use
    extra = _probed(recording, low, high)
    return (
        Resources(
            backend_cpu_ns=backend,
            backend_cpu_ns_per_request=backend / max(load.completed, 1),
            memory_peak_bytes=facts.memory_peak_bytes,
            engine_cpu_ns=engine,
            engine_core_share=engine / span,
            throttled_ns=samples.between(facts.samples, lambda s: s.throttled_ns, low, high),
            **extra,
        ),
        use,
    )


def _unknown(facts: TrialFacts, backend: int | None, engine: int | None) -> str:
    known = {"backend": backend, "engine": engine}
    absent = [name for name, spent in known.items() if spent is None]
    told = f"no two samples of the CPU time of {' and '.join(absent)}"
    return samples.unsampled(facts) or (told if absent else "nothing is known of the load")


def _probed(recording: Recording, low: int, high: int) -> dict[str, Any]:
    """Page faults, allocator calls and run-queue wait of [low, high), summed over the seconds."""
    memory, queue = _lines(recording, "memory", low, high), _lines(recording, "runqueue", low, high)
    faults = [int(line["page_faults"]) for line in memory if "page_faults" in line]
    calls = {
        name: _total(memory, f"{name}_count", f"{name}_ns")
        for name in ("mmap", "munmap", "madvise", "brk")
        if any(f"{name}_count" in line for line in memory)
    }
    waits = [line for line in queue if "waits" in line]
    holders: dict[str, int] = {}
    for line in waits:
        for held in line.get("holders", []):
            # Waiting for a thread of one's own is the backend's doing, and named so.
            mark = f" ({held['kind']})" if held.get("kind") not in {None, "foreign"} else ""
            name = f"{held['name']}{mark}"
            holders[name] = holders.get(name, 0) + int(held["ns"])
    return {
        "page_faults": sum(faults) if faults else None,
        "allocator_calls": calls or None,
        "runqueue_wait": _total(waits, "waits", "wait_ns") if waits else None,
        "runqueue_holders": holders if waits else None,
    }


def _lines(recording: Recording, probe: str, low: int, high: int) -> list[dict[str, Any]]:
    return [
        line
        for line in recording.seconds.get(probe, [])
        if low <= (int(line.get("start_ns", 0)) + int(line.get("end_ns", 0))) // 2 < high
    ]


def _total(lines: list[dict[str, Any]], count: str, spent: str) -> Total:
    return Total(
        count=sum(int(line.get(count, 0)) for line in lines),
        total_ns=sum(int(line.get(spent, 0)) for line in lines),
        max_ns=max((int(line.get(f"{spent}_max", 0)) for line in lines), default=0),
    )
