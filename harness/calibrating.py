"""When known-answer tests are made, how often each, and which of its tries speaks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness import __version__, calibration
from harness.drivers import engine
from harness.model.known import Case, Reading
from harness.model.plan import Layout, Plan
from harness.paths import Paths
from harness.stages.plan import lay_out
from harness.store import run_folder
from harness.system import clock, environment, machine
from harness.system.journal import owned_machine
from harness.system.tuning import tuned_machine

Say = Callable[[str], None]


class CaseResult(msgspec.Struct, frozen=True):
    """A known-answer test over several tries, and what speaks for it."""

    name: str
    passed: bool
    tries: int
    text: str
    readings: list[Reading]

    @property
    def tries_passed(self) -> int:
        """How many of the tries read what they must."""
        return sum(reading.passed for reading in self.readings)


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
    """A known-answer test, repeated while its own verdict says that the machine disturbed it."""
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
        say(f"calibrate: again ({reading.text}); disturbed: {'; '.join(reading.disturbed)}")
    say(f"calibrate: {'passed' if reading.passed else 'FAILED'}: {reading.text}")
    return reading


def all_cases(
    cases: Sequence[Case], paths: Paths, say: Say, *, tries: int, every: bool = False
) -> list[CaseResult]:
    """`bench calibrate`: all cases, `tries` times in turn, on the tuned machine.

    `every`: each try must pass; else the one with the median error speaks for a case that has one.
    """
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(owned_machine("bench calibrate"))
        engine.build(paths.root, paths.build, say)
        layout = lay_out("split", environment.usable_cpus())
        stack.enter_context(machine.quiet_harness(layout.engine_cpus))
        stack.enter_context(tuned_machine(journal, apply=True))
        under = run_folder.scratch(paths.results, "calibration", stamp=clock.utc_stamp())
        readings: list[list[Reading]] = [[] for _ in cases]
        for number in range(tries):
            for case, done in zip(cases, readings, strict=True):
                done.append(one_case(case, layout, paths, under / str(number), say))
        return [
            _result(case, done, every=every) for case, done in zip(cases, readings, strict=True)
        ]


def _result(case: Case, readings: list[Reading], *, every: bool) -> CaseResult:
    if every or case.stop_generator or case.deed:
        failed = [reading for reading in readings if not reading.passed]
        passed, speaks = not failed, [*failed, readings[-1]][0]
    else:
        speaks = calibration.median(readings)
        passed = speaks.passed
    return CaseResult(case.name, passed, len(readings), speaks.text, readings)
