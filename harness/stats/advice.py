"""The closed list of warnings: stable ids, what was seen, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.model.analysis import Warning_
from harness.model.plan import Subject
from harness.model.trial import TrialData
from harness.model.verdict import Status
from harness.model.words import percent

ADVICE: dict[str, str] = {
    "trials-invalid": "Do not use these trials; remove the cause that the verdict names and repeat",
    "trials-degraded": "Read the figures with the verdict's reason beside them, or repeat",
    "interval-missing": "Repeat with --repeat 3 or more: one trial has no interval",
    "tail-too-short": "Measure longer (--duration), or read a lower percentile",
    "clean-withheld": "Compare on a machine that is quieter, or with probes on (bench doctor)",
    "platform-heavy": "Trust the clean percentiles more than the observed ones, or move machine",
    "probe-missing": "Run bench doctor: it says what this machine lacks for the probe",
    "file-damaged": "Look at the trial's folder; figures that need the file are not shown",
}
TOUCHED_MUCH = 0.3


def warnings(groups: Mapping[Subject, Sequence[TrialData]]) -> list[Warning_]:
    """The warnings of a run, each subject's together."""
    found = []
    for subject, trials in groups.items():
        for kind, text in _of_subject(subject, trials):
            found.append(Warning_(id=kind, text=text, advice=ADVICE[kind]))
    return found


def _of_subject(subject: Subject, trials: Sequence[TrialData]) -> Iterator[tuple[str, str]]:
    name = subject.name
    counted = [trial for trial in trials if trial.verdict.status is not Status.INVALID]
    for status, kind in (
        (Status.INVALID, "trials-invalid"),
        (Status.DEGRADED, "trials-degraded"),
    ):
        part = [trial for trial in trials if trial.verdict.status is status]
        if part:
            why = part[0].verdict.reasons[0].text
            yield kind, f"{name}: {len(part)} of {len(trials)} trials are {status}: {why}"
    if len(counted) == 1:
        yield "interval-missing", f"{name}: one valid trial"
    latencies = [trial.latency for trial in counted if trial.latency is not None]
    if latencies and all(latency.response.p999 is None for latency in latencies):
        yield "tail-too-short", f"{name}: P99.9 has fewer than 20 tail episodes behind it"
    withheld = next((latency.clean.withheld for latency in latencies if latency.clean.withheld), "")
    if withheld:
        yield "clean-withheld", f"{name}: {withheld}"
    touched = [latency.clean.share_touched or 0.0 for latency in latencies]
    if touched and max(touched) > TOUCHED_MUCH:
        yield "platform-heavy", f"{name}: the platform touched up to {percent(max(touched))}"
    missing = {
        probe.name: probe.reason or probe.state
        for trial in trials
        for probe in trial.probes
        if probe.state in {"unavailable", "died"}
    }
    for probe_name, why in missing.items():
        yield "probe-missing", f"{name}: probe {probe_name}: {why}"
    for file in ("requests", "engine.jsonl"):
        damage = next((t.not_measured[file] for t in trials if file in t.not_measured), "")
        if damage:
            yield "file-damaged", f"{name}: {damage}"
