"""When known-answer tests are made, how often each, and which of its tries speaks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness import __version__, calibration
from harness.calibration import Case, Reading
from harness.drivers import engine
from harness.model.plan import Layout, Plan
from harness.paths import Paths
from harness.stages.plan import lay_out
from harness.store import run_folder
from harness.system import clock, environment, machine
from harness.system.journal import owned_machine
from harness.system.tuning import tuned_machine

Say = Callable[[str], None]


class CaseResult(msgspec.Struct, frozen=True):
    """A known-answer test over several tries; the try with the median error speaks for it."""

    name: str
    passed: bool
    tries: int
    text: str
    readings: list[Reading]


def before_a_run(plan: Plan, paths: Paths, under: Path, say: Say) -> list[Reading]:
    """The known-answer test before the first trial, if it was asked for; its files go `under`."""
    readings = []
    if plan.request.calibrate:
        case = calibration.SHORT
        say(f"calibrate: {case.name}")
        tries = [one_case(case, plan.layout, paths, under / "calibration", say)]
        while not tries[0].passed and len(tries) < calibration.SHORT_TRIES:
            say("calibrate: again; the median of three tries counts")
            again = under / "calibration" / str(len(tries))
            tries.append(one_case(case, plan.layout, paths, again, say))
        readings.append(calibration.median(tries))
    return readings


def failures(readings: Sequence[Reading]) -> list[str]:
    """What the failed ones read; empty where the instrument may be trusted, or was not asked."""
    return [reading.text for reading in readings if not reading.passed]


def one_case(case: Case, layout: Layout, paths: Paths, under: Path, say: Say) -> Reading:
    """A known-answer test, repeated while its own verdict says that it was disturbed by steal."""
    slug = "".join(c if c.isalnum() else "-" for c in case.name)
    for attempt in range(calibration.TRIES_MAX):
        reading = calibration.try_case(
            case,
            programs=paths.programs,
            locustfile=paths.locustfile,
            layout=layout,
            folder=under / f"{slug}-{attempt}",
            version=__version__,
        )
        if reading.passed or not reading.disturbed:
            break
        say(f"calibrate: disturbed by steal, again ({reading.text})")
    say(f"calibrate: {'passed' if reading.passed else 'FAILED'}: {reading.text}")
    return reading


def all_cases(cases: Sequence[Case], paths: Paths, say: Say, *, tries: int) -> list[CaseResult]:
    """`bench calibrate`: every case `tries` times on the tuned machine."""
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(owned_machine("bench calibrate"))
        engine.build(paths.root, paths.build, say)
        layout = lay_out("split", environment.usable_cpus())
        stack.enter_context(machine.quiet_harness(layout.engine_cpus))
        stack.enter_context(tuned_machine(journal, apply=True))
        under = run_folder.scratch(paths.results, "calibration", stamp=clock.utc_stamp())
        results = []
        for case in cases:
            readings = [
                one_case(case, layout, paths, under / str(number), say) for number in range(tries)
            ]
            results.append(_result(case, readings))
        return results


def _result(case: Case, readings: list[Reading]) -> CaseResult:
    if case.stop_generator:
        passed, text = all(r.passed for r in readings), readings[-1].text
    else:
        median = calibration.median(readings)
        passed, text = median.passed, median.text
    return CaseResult(case.name, passed, len(readings), text, readings)
