"""Render: from a run's nouns to report.html, one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.drivers import templates
from harness.model import view, words
from harness.model.analysis import Analysis, Row
from harness.model.manifest import TRACKS
from harness.model.plan import Artifact, Plan, Request
from harness.model.verdict import Reason, Status
from harness.model.view import Fact, Facts, ReportInputs
from harness.stats import answer, charts, series, workload
from harness.stats.charts import Named

_WORST = {Status.VALID: 0, Status.DEGRADED: 1, Status.INVALID: 2}
_TUNED = {"applied", "already", "set", "ok", "done"}


def render(inputs: ReportInputs) -> str:
    """The page as text; pure but for reading the templates."""
    template = templates.environment().get_template("report.html.j2")
    return template.render(report=report_view(inputs))


def report_view(inputs: ReportInputs) -> view.Report:
    """Everything that the templates print and draw."""
    plan, analysis = inputs.plan, inputs.analysis
    names = answer.subject_names(analysis.rows)
    tuned = _tuning(inputs.environment)
    observed = charts.column_with(analysis, "p99", "observed") or charts.column_with(
        analysis, "p99"
    )
    clean = charts.column_with(analysis, "p99", "clean")
    return view.Report(
        run_id=analysis.run_id,
        created=plan.created_utc,
        version=plan.version,
        title=_title(plan.request, names),
        answer=_first_answer(analysis, names, clean or observed),
        answer_is_clean=clean is not None,
        asked=_asked(plan, analysis.pace),
        notices=[view.Notice(w.id, w.text, w.advice) for w in analysis.warnings],
        verdicts=_verdicts(inputs, names),
        reasons=_reasons(inputs, names),
        tables=answer.tables(analysis, names, answer.row_status(analysis, _statuses(inputs))),
        options=answer.ran_with(plan, names),
        intervals=charts.interval_chart(analysis, names, observed or "", clean or ""),
        curves=charts.curve_chart(analysis, names, _invalid(inputs)),
        series=series.series_groups(analysis, names, _collected(analysis.rows)),
        causes=charts.cause_chart(analysis.pauses, names),
        environment=_environment(inputs.environment),
        fingerprint=_text(inputs.environment.get("fingerprint", "")),
        tuned=[line for line in tuned if line.state in _TUNED],
        not_tuned=[line for line in tuned if line.state not in _TUNED],
        artifacts=[_artifact(artifact) for artifact in inputs.artifacts],
        calibration=[_calibration(check) for check in inputs.calibration],
        command=words.repeat_command(plan.request),
    )


def _title(request: Request, names: dict[str, Named]) -> str:
    titles = list(dict.fromkeys(name.title for name in names.values()))
    who = words.listing(titles) if len(titles) <= 5 else f"{len(titles)} subjects"
    if request.closed_loop or request.parts:
        return f"{who} under {words.offered(request)}"
    rate = words.number(request.rate_rps)
    return f"{who} at {rate} requests a second"


def _first_answer(analysis: Analysis, names: dict[str, Named], column: str | None) -> list[Fact]:
    """P99 of every subject in a line at the top, in the table's order: no ranking."""
    if column is None:
        return []
    facts = []
    for row in analysis.rows:
        cell = row.cells.get(column)
        text = "not measured"
        if cell is not None:
            text = cell.text if cell.value is None else words.duration(cell.value)
        facts.append(Fact(names[row.subject.name].title, text))
    return facts


def _asked(plan: Plan, pace: str) -> list[Facts]:
    request, scenario = plan.request, plan.request.scenario
    load = [
        Fact("Rate", _rate(request)),
        Fact("Time", f"{request.duration_s:g} s a trial after {request.warmup_s:g} s of warm-up"),
        Fact("Trials", f"{len(plan.trials)}, each a fresh process; {request.repeat} a subject"),
        Fact("Connections", f"{request.connections:,}, {_protocol(request)}"),
        Fact("Grain", f"wake-ups batched up to {words.duration(request.grain_ns)}"),
        *([Fact("Pace", _pace(request, pace))] if pace else []),
        Fact("Time limit", f"{words.duration(request.timeout_ns)} a request"),
    ]
    asked = [
        Fact("Scenario", scenario.title),
        Fact("Mix", workload.mix(scenario)),
        Fact("Objects", workload.objects_text(scenario)),
        Fact("Seed", str(request.seed)),
        *([Fact("Track", f"{request.track}: {TRACKS[request.track]}")] if request.track else []),
    ]
    machine = [
        Fact("Layout", plan.layout.name),
        Fact("Backend's CPUs", words.spans(plan.layout.backend_cpus) or "any"),
        Fact("Engine's CPUs", words.spans(plan.layout.engine_cpus) or "any"),
        Fact("Threads", f"{request.threads} a backend"),
        Fact("Memory limit", _size(request.memory_limit_bytes)),
        Fact("CPU quota", "none" if request.cpu_quota is None else f"{request.cpu_quota:g} CPUs"),
        Fact("Runtime", request.runtime),
        Fact("Probes, tuning", f"{request.probes}, {request.tune}"),
    ]
    return [Facts("Load", load), Facts("Requests", asked), Facts("Placement", machine)]


def _rate(request: Request) -> str:
    if request.closed_loop:
        return "none: a closed loop, every connection always busy"
    kind = "" if request.parts else "fixed, "
    return f"{words.offered(request)}, {kind}{request.arrivals}"


def _pace(request: Request, chosen: str) -> str:
    threads = "1 thread" if request.engine_threads == 1 else f"{request.engine_threads} threads"
    how = "spun: looked again at once" if chosen == "spin" else chosen
    return f"the engine's {threads}: {how}, asked for {request.pace}"


def _protocol(request: Request) -> str:
    own = ", ".join(f"{name} {protocol}" for name, protocol in request.protocols.items())
    return words.spoken(request.protocol or own, request.pipeline, request.streams)


def _size(size_bytes: int) -> str:
    scale = words.column_scale("bytes", [size_bytes])
    return f"{words.number(size_bytes / scale.divisor)} {scale.unit}" if size_bytes else "none"


def _verdicts(inputs: ReportInputs, names: dict[str, Named]) -> list[view.SubjectVerdicts]:
    chips: dict[str, list[view.TrialChip]] = {name: [] for name in names}
    for spec in inputs.plan.trials:
        verdict = inputs.verdicts.get(spec.index)
        status = verdict.status.value if verdict else "NOT RUN"
        why = "; ".join(reason.text for reason in verdict.reasons) if verdict else "was not run"
        title = f"trial {spec.index + 1}: {status}" + (f": {why}" if why else "")
        chips.setdefault(spec.subject.name, []).append(
            view.TrialChip(spec.index + 1, status, title)
        )
    lines = []
    for name, trials in chips.items():
        counts = [
            f"{sum(chip.status == status for chip in trials)} {status}"
            for status in ("VALID", "DEGRADED", "INVALID", "NOT RUN")
            if any(chip.status == status for chip in trials)
        ]
        named = names.get(name, Named(name, 0))
        lines.append(view.SubjectVerdicts(named.title, named.slot, trials, ", ".join(counts)))
    return lines


def _reasons(inputs: ReportInputs, names: dict[str, Named]) -> list[view.ReasonLine]:
    """Grouped, so that forty trials with one cause are one line."""
    groups: dict[tuple[str, str], list[tuple[int, Reason]]] = {}
    for spec in inputs.plan.trials:
        verdict = inputs.verdicts.get(spec.index)
        for reason in verdict.reasons if verdict else []:
            groups.setdefault((reason.id, spec.subject.name), []).append((spec.index, reason))
    lines = []
    for (id, subject), entries in groups.items():
        worst = max((r for _, r in entries), key=lambda r: (_WORST[r.status], r.value))
        title = names[subject].title if subject in names else subject
        trials = words.spans([index + 1 for index, _ in entries])
        lines.append(view.ReasonLine(worst.status.value, id, title, trials, worst.text))
    return sorted(lines, key=lambda line: line.status != "INVALID")


def _statuses(inputs: ReportInputs) -> dict[str, list[Status]]:
    found: dict[str, list[Status]] = {}
    for spec in inputs.plan.trials:
        if spec.index in inputs.verdicts:
            status = inputs.verdicts[spec.index].status
            found.setdefault(spec.subject.name, []).append(status)
    return found


def _invalid(inputs: ReportInputs) -> set[int]:
    bad = {i for i, verdict in inputs.verdicts.items() if verdict.status is Status.INVALID}
    return bad | charts.invalid_trials(inputs.analysis)


def _collected(rows: list[Row]) -> dict[str, bool]:
    """A subject has a collector unless its cells say "no GC"."""
    return {
        row.subject.name: not any(cell.text == "no GC" for cell in row.cells.values())
        for row in rows
    }


def _environment(environment: Mapping[str, Any]) -> list[Facts]:
    """Every section as it is; what stands outside of a section comes first."""
    loose: list[Fact] = []
    sections: list[Facts] = []
    for key, value in environment.items():
        if key in {"tuning", "fingerprint", "schema"}:
            continue
        if isinstance(value, Mapping):
            facts = [_fact(str(name), item) for name, item in value.items()]
            sections.append(Facts(_label(str(key)).capitalize(), facts))
        else:
            loose.append(_fact(str(key), value))
    return ([Facts("Machine", loose)] if loose else []) + sections


def _label(key: str) -> str:
    return key.replace("_", " ")


def _fact(key: str, value: object) -> Fact:
    """A name that ends in a unit of ours tells how its number is read."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if key.endswith("_bytes"):
            return Fact(_label(key.removesuffix("_bytes")), _size(int(value)))
        if key.endswith("_ns"):
            return Fact(_label(key.removesuffix("_ns")), words.duration(value))
    return Fact(_label(key), _text(value))


def _short(digest: str) -> str:
    """Enough of a digest to tell two apart; artifacts.json has all of it."""
    return digest if len(digest) <= 26 else f"{digest[:26]}…"


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value) or "none"
    return str(value)


def _tuning(environment: Mapping[str, Any]) -> list[view.TuningLine]:
    records = msgspec.convert(environment.get("tuning") or [], list[view.Tuning], strict=False)
    return [
        view.TuningLine(r.operation, r.state, _value(r.before), _value(r.after), r.reason)
        for r in records
    ]


def _value(value: object) -> str:
    return "–" if value is None else _text(value)  # noqa: RUF001


def _artifact(artifact: Artifact) -> Facts:
    facts = [
        Fact("receipt", artifact.version_line),
        Fact(artifact.runtime, artifact.location),
        Fact("digest", _short(artifact.digest)),
        Fact("build time", words.duration(artifact.build_ns)),
    ]
    facts += [Fact(name, version) for name, version in artifact.toolchain.items()]
    return Facts(artifact.backend, facts)


def _calibration(record: Mapping[str, Any]) -> view.CalibrationLine:
    check = msgspec.convert(record, view.Calibration, strict=False)
    times = [
        "–" if value is None else words.duration(value)  # noqa: RUF001
        for value in (check.expected_ns, check.found_ns, check.error_ns)
    ]
    expected, found, error = times
    return view.CalibrationLine(check.name, check.passed, expected, found, error, check.text)
