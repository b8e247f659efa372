"""What `--json` prints (docs/formats/run-json.md): integers in ns, null for not measured."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.analysis import Analysis
from harness.model.plan import Plan
from harness.model.trial import Percentiles, TrialData

SCHEMA = 1
_POINTS = ("p50", "p90", "p99", "p999", "p9999", "max")


def percentiles(values: Percentiles | None) -> dict[str, Any] | None:
    """Without the curve."""
    if values is None:
        return None
    return {"count": values.count, **{name: getattr(values, name) for name in _POINTS}}


def trial_summary(data: TrialData) -> dict[str, Any]:
    """One trial."""
    plain = msgspec.to_builtins(data)
    latency = data.latency
    return {
        "trial": data.spec.index,
        "block": data.spec.block,
        "subject": data.spec.subject.name,
        "artifact_digest": data.spec.subject.artifact_digest,
        "verdict": plain["verdict"],
        "load": plain["load"],
        "response_time_ns": percentiles(latency.response) if latency else None,
        "response_time_clean_ns": percentiles(latency.clean.response) if latency else None,
        "share_touched": latency.clean.share_touched if latency else None,
        "clean_withheld": latency.clean.withheld if latency else "no latency was measured",
        "service_time_ns": percentiles(latency.service) if latency else None,
        "own_fault_lag_ns": percentiles(latency.own_fault_lag) if latency else None,
        "backlog_lag_ns": percentiles(latency.backlog_lag) if latency else None,
        "server_time_ns": percentiles(data.server_time),
        "pauses": plain["pauses"],
        "collector": plain["collector"],
        "resources": plain["resources"],
        "platform": plain["platform"],
        "probes": plain["probes"],
        "not_measured": data.not_measured,
        "parts": plain["parts"],
        "closed_loop": plain["closed_loop"],
        "pacing": plain["pacing"],
    }


def summarise(plan: Plan, analysis: Analysis, trials: list[TrialData]) -> dict[str, Any]:
    """A run: what was asked, every subject's row, every trial."""
    return {
        "schema": SCHEMA,
        "run_id": analysis.run_id,
        "created_utc": plan.created_utc,
        "rate_rps": None if plan.request.closed_loop else plan.request.rate_rps,
        "rate_parts": msgspec.to_builtins(plan.request.parts),
        "closed_loop": plan.request.closed_loop,
        "grain_ns": plan.request.grain_ns,
        "pace": plan.request.pace,
        "engine_threads": plan.request.engine_threads,
        "duration_s": plan.request.duration_s,
        "scenario": plan.request.scenario.name,
        "parts": [
            {"title": row.title, "cells": msgspec.to_builtins(row.cells)}
            for row in analysis.part_rows
        ],
        "subjects": [
            {
                "name": row.subject.name,
                "options": plan.options_effective.get(row.subject.name),
                "protocol": plan.request.protocol_of(row.subject),
                "protocol_note": plan.protocol_notes.get(row.subject.name),
                "worst_verdict": row.worst,
                "trials": row.trials,
                "trials_valid": row.trials_valid,
                "cells": msgspec.to_builtins(row.cells),
            }
            for row in analysis.rows
        ],
        "trials": [trial_summary(trial) for trial in trials],
        "warnings": msgspec.to_builtins(analysis.warnings),
    }
