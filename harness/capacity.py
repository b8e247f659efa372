"""The search for the highest rate that keeps an SLO: a series of ordinary runs, a trial each."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import __version__, calibrating, pipeline
from harness.drivers.probes import ProbeRoom
from harness.errors import NotValid
from harness.model import words
from harness.model.capacity import (
    SCHEMA,
    Answer,
    Capacity,
    Judged,
    Outcome,
    Search,
    State,
    Tried,
)
from harness.model.known import Reading
from harness.model.plan import Request, Subject
from harness.model.trial import Percentiles
from harness.paths import Paths
from harness.pipeline import Observer, Session
from harness.stats import slo
from harness.stats.search import REPEATS_MAX, search
from harness.store import run_folder
from harness.system import clock

_FIGURES = (*slo.PERCENTILES, "max")


def find(asked: Search, paths: Paths, observer: Observer) -> Capacity:
    """The capacity of every subject; what was tried survives whatever happens."""
    request = asked.request
    with pipeline.prepared(request, paths, observer, command="bench capacity") as ready:
        under = run_folder.scratch(paths.results, "capacity", stamp=clock.utc_stamp())
        longest_s = request.duration_s * 2**REPEATS_MAX
        plan = pipeline.plan_of(msgspec.structs.replace(request, duration_s=longest_s), ready)
        found = Capacity(SCHEMA, under.name, plan.created_utc, __version__, asked, [])
        run_folder.write_capacity(under, found)  # first: without it, prune does not see the folder
        readings = calibrating.before_a_run(plan, paths, under, observer.say)
        _refuse_uncalibrated(readings)
        with ProbeRoom(paths.root / "ebpf", plan=plan, log_folder=under, say=observer.say) as room:
            session = Session(paths, ready, readings, room, observer)
            hunt = _Hunt(found, under, session)
            for subject in request.subjects:
                hunt.search(subject)
    return hunt.found


def _refuse_uncalibrated(readings: list[Reading]) -> None:
    failed = calibrating.failures(readings)
    if failed:
        raise NotValid(
            "calibration",
            "; ".join(failed),
            hint="no trial would be valid: quiet the machine, or --no-calibrate",
        )


class _Hunt:
    """Makes the trials of a search, and notes each of them in capacity.json."""

    def __init__(self, found: Capacity, under: Path, session: Session) -> None:
        self.found = found
        self._asked = found.search
        self._under = under
        self._session = session

    def search(self, subject: Subject) -> None:
        """One subject's capacity."""
        trials: list[Tried] = []
        earlier = self.found.answers
        begun = Answer(subject.name, State.UNFINISHED, None, None, None, [], "", trials)

        def try_rate(rate_rps: float, *, full: bool, longer: int) -> Judged:
            request = self._request(subject, rate_rps, full=full, longer=longer)
            # Other arrivals and keys each time: a repetition is another sample.
            request = msgspec.structs.replace(request, seed=request.seed + len(trials))
            tried = self._try(request, step="confirm" if full else "bracket")
            trials.append(tried)
            self._note([*earlier, begun])
            return Judged(tried.outcome, tried.why)

        asked = self._asked
        found = search(try_rate, low=asked.from_rps, high=asked.to_rps, resolution=asked.resolution)
        self._note([*earlier, Answer(subject.name, trials=trials, **msgspec.structs.asdict(found))])

    def _note(self, answers: list[Answer]) -> None:
        self.found = msgspec.structs.replace(self.found, answers=answers)
        run_folder.write_capacity(self._under, self.found)

    def _try(self, request: Request, *, step: str) -> Tried:
        ready = self._session.ready
        folder = pipeline.begin(pipeline.plan_of(request, ready), self._under, ready)
        pipeline.finish(folder, self._session)
        (trial,) = folder.trials()
        data = trial.read_data()
        judged = slo.judge(self._asked.slo, data)
        self._tell(request.rate_rps, judged)
        latency = data.latency
        return Tried(
            rate_rps=request.rate_rps,
            step=step,
            outcome=judged.outcome,
            why=judged.why,
            duration_s=request.duration_s,
            verdict=data.verdict.status,
            response_time_ns=_figures(latency.response if latency else None) or {},
            response_time_clean_ns=_figures(latency.clean.response if latency else None),
            errors=slo.failures(data.load),
            served_share=slo.served_share(data.load),
            run=folder.run_id,
        )

    def _request(self, subject: Subject, rate_rps: float, *, full: bool, longer: int) -> Request:
        request = self._asked.request
        seconds = (request.duration_s if full else self._asked.trial_s) * 2**longer
        return msgspec.structs.replace(
            request, subjects=[subject], rate_rps=rate_rps, duration_s=seconds
        )

    def _tell(self, rate_rps: float, judged: Judged) -> None:
        said = {
            Outcome.KEPT: "kept",
            Outcome.BROKEN: "broken",
            Outcome.UNKNOWN: "counts neither for nor against",
            Outcome.INVALID: "counts neither for nor against",
        }[judged.outcome]
        why = f": {'; '.join(judged.why)}" if judged.why else ""
        self._session.observer.say(f"  {words.number(rate_rps)} requests/s: {said}{why}")


def _figures(values: Percentiles | None) -> dict[str, int | None] | None:
    return None if values is None else {name: getattr(values, name) for name in _FIGURES}
