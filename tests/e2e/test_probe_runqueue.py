"""The run-queue probe against two busy loops on one CPU: who held it, by name, and for how long."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.probe_session import ProbeSession, require_bpf

SECONDS = 3


@contextmanager
def busy(name: Path, cpu: int) -> Iterator[int]:
    """A shell that spins on `cpu` under the name of the link `name`; yields its pid."""
    name.symlink_to("/bin/sh")
    loop = [str(name), "-c", "while :; do :; done"]
    with subprocess.Popen(["taskset", "-c", str(cpu), *loop]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def scheduled(backend: int, hog: int) -> tuple[int, int]:
    """What the kernel itself counted: the backend's wait in the queue, the hog's time running."""
    waited = int(Path(f"/proc/{backend}/schedstat").read_text().split()[1])
    return waited, int(Path(f"/proc/{hog}/schedstat").read_text().split()[0])


@pytest.mark.e2e
def test_two_loops_on_one_cpu_wait_for_each_other(tmp_path: Path) -> None:
    require_bpf()
    cpu = max(os.sched_getaffinity(0))
    with ExitStack() as stack:
        backend = stack.enter_context(busy(tmp_path / "backend-loop", cpu))
        hog = stack.enter_context(busy(tmp_path / "hog-loop", cpu))
        probe = stack.enter_context(ProbeSession("runqueue", tmp_path))
        probe.configure([cpu])
        time.sleep(0.3)
        truth = [scheduled(backend, hog)]
        probe.start(backend)
        truth.append(scheduled(backend, hog))
        time.sleep(SECONDS)
        truth.append(scheduled(backend, hog))
        stopped = probe.stop()
        truth.append(scheduled(backend, hog))
    seconds = probe.seconds()
    waited_ns = sum(second["wait_ns"] for second in seconds)
    # The kernel's figures, read inside the trial and around it: a busy machine's probe is late to
    # stop. A wait counts when it ends, so one slice of the scheduler may be on either side.
    inside_ns, around_ns = truth[2][0] - truth[1][0], truth[3][0] - truth[0][0]
    assert 0.95 * inside_ns <= waited_ns <= 1.05 * around_ns
    for second in seconds:
        held_ns = sum(row["ns"] for row in second["holders"])
        assert held_ns + second["unnamed_ns"] == pytest.approx(second["wait_ns"], rel=0.05)
        counted = sum(count for _, _, count in second["wait_ns_histogram"]["buckets"])
        assert counted == pytest.approx(second["waits"], abs=2)
    holders = {row["name"]: row for row in stopped["summary"]["holders"]}
    assert holders["hog-loop"]["kind"] == "foreign"
    # The backend can always run, so it waits for the hog whenever the hog runs.
    # Its own time is without what the hypervisor took; the probe's, as the wait's, is with it.
    assert 0.95 * (truth[2][1] - truth[1][1]) <= holders["hog-loop"]["ns"] <= 1.05 * waited_ns
    assert "backend-loop" not in holders
    # A fair scheduler's slice is some milliseconds on every configuration that is in use; on a busy
    # machine short-lived others cut many waits shorter, so it is the longest that tells.
    assert 1e6 < max(second["wait_ns_max"] for second in seconds) < 500e6


@pytest.mark.e2e
def test_process_that_sleeps_waits_for_nobody_and_its_children_are_followed(
    tmp_path: Path,
) -> None:
    require_bpf()
    script = "while :; do sleep 0.05; done"  # every sleep is a fork and an exec
    with subprocess.Popen(["/bin/sh", "-c", script]) as process:
        try:
            with ProbeSession("runqueue", tmp_path) as probe:
                probe.configure(sorted(os.sched_getaffinity(0)))
                probe.start(process.pid)
                time.sleep(1.5)
                probe.stop()
        finally:
            process.kill()
    seconds = probe.seconds()
    # Per round the child waits at least once when it is born and the parent once when it ended.
    assert sum(second["waits"] for second in seconds) >= 20
