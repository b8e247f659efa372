"""The probe `platform` against planted neighbours: who held the core is named, and only then."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.probe_session import ProbeSession, require_bpf
from tests.e2e.probe_subject import Subject, build, drive, free_port, server

pytestmark = pytest.mark.e2e

VCPU_NOT_RUN, WAKEUP_NOT_TAKEN, FOREIGN = 1, 2, 3
BACKEND, ENGINE = 1, 2
WINDOW_NS = 50_000
HOG = b"planted-hog"

# Renames itself, then burns `on` of every 30 ms on one CPU: a neighbour with a face.
HOG_CODE = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(15, b"planted-hog")
os.sched_setaffinity(0, {int(sys.argv[1])})
on_s = float(sys.argv[2])
while True:
    end = time.monotonic() + on_s
    while time.monotonic() < end:
        pass
    time.sleep(0.03 - on_s)
"""


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    require_bpf()
    return build(tmp_path_factory.mktemp("plain"))


@contextmanager
def hog(cpu: int, on_s: float = 0.01) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", HOG_CODE, str(cpu), str(on_s)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def configure(session: ProbeSession, subject: Subject) -> None:
    cpus = {"backend": [subject.cpu_server], "engine": [subject.cpu_rest]}
    answer = session.say("configure", schema=1, cpus=cpus, window_ns=WINDOW_NS)
    assert answer["event"] == "ready", answer
    assert answer["unavailable"] == []


def watch(
    session: ProbeSession, backend: int, engine: int | None, output: Path | None = None
) -> None:
    fields = {"output": str(output or session.output), "backend_pids": [backend]}
    answer = session.say("start", **fields, engine_pids=[engine] if engine else [])
    assert answer["event"] == "started", answer


def of(windows: np.ndarray[Any, Any], kind: int, role: int) -> np.ndarray[Any, Any]:
    chosen: np.ndarray[Any, Any] = np.compress(
        (windows["kind"] == kind) & (windows["role"] == role), windows
    )
    return chosen


def lengths_ns(windows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    lengths: np.ndarray[Any, Any] = (windows["end_ns"] - windows["start_ns"]).astype(np.int64)
    return lengths


def test_names_who_held_the_core(subject: Subject, tmp_path: Path) -> None:
    port = free_port()
    with (
        ProbeSession("platform", tmp_path) as session,
        server(subject, port) as process,
        hog(subject.cpu_server) as neighbour,
    ):
        configure(session, subject)
        watch(session, process.pid, None)
        drive(subject, port, rate_rps=1000, requests=3000)
        stopped = session.stop()
    windows = session.stream("platform")
    foreign = of(windows, FOREIGN, BACKEND)
    named = np.compress(foreign["holder"] == HOG, foreign)
    print(f"{len(named)} of {len(foreign)} foreign windows name the hog")  # noqa: T201 - the figure behind the verdict, shown with -s
    assert len(named) >= 10
    assert set(named["holder_pid"].tolist()) == {neighbour.pid}
    assert set(named["cpu"].tolist()) == {subject.cpu_server}
    assert lengths_ns(foreign).min() > WINDOW_NS
    counts = {kind: int((windows["kind"] == kind).sum()) for kind in (1, 2, 3)}
    summary = stopped["summary"]
    assert abs(counts[FOREIGN] - summary["foreign_count"]) <= 2  # those of the last millisecond
    assert summary["ticks"] > 0
    assert sum(second["ticks"] for second in session.seconds()) == summary["ticks"]


def test_a_process_of_the_same_tree_is_never_foreign(subject: Subject, tmp_path: Path) -> None:
    """The hog is the backend's own this time, born before the trial and followed by its parent."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    arguments = [HOG_CODE, str(subject.cpu_server), "0.01"]
    family = subprocess.Popen([sys.executable, "-c", code, code, *arguments])
    port = free_port()
    try:
        with ProbeSession("platform", tmp_path) as session, server(subject, port) as process:
            configure(session, subject)
            answer = session.say(
                "start", output=str(tmp_path), backend_pids=[process.pid, family.pid]
            )
            assert answer["event"] == "started", answer
            drive(subject, port, rate_rps=1000, requests=2000)
            session.stop()
    finally:
        subprocess.run(["kill", *tree(family.pid)], check=False)
        family.wait()
    foreign = of(session.stream("platform"), FOREIGN, BACKEND)
    assert HOG not in set(foreign["holder"].tolist())


def tree(pid: int) -> list[str]:
    """The process and its descendants, as words."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [str(pid), *(word for child in children for word in tree(int(child)))]


def test_forks_during_the_trial_are_followed(subject: Subject, tmp_path: Path) -> None:
    """A backend that forks while it is watched: its child is of its tree."""
    code = (
        "import subprocess, sys, time; time.sleep(2);"
        "subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, HOG_CODE, str(subject.cpu_server), "0.01"]
    )
    port = free_port()
    try:
        with ProbeSession("platform", tmp_path) as session, server(subject, port) as process:
            configure(session, subject)
            answer = session.say(
                "start", output=str(tmp_path), backend_pids=[process.pid, parent.pid]
            )
            assert answer["event"] == "started", answer
            drive(subject, port, rate_rps=1000, requests=4000)
            session.stop()
            assert len(tree(parent.pid)) == 2  # the child was there while we watched
    finally:
        subprocess.run(["kill", *tree(parent.pid)], check=False)
        parent.wait()
    foreign = of(session.stream("platform"), FOREIGN, BACKEND)
    assert HOG not in set(foreign["holder"].tolist())


def test_the_engine_is_told_apart_from_the_backend(subject: Subject, tmp_path: Path) -> None:
    """A thread of the engine that waits for the hog is the engine's window, with its role."""
    sleeper = "import time, sys\nwhile True: time.sleep(0.001)"
    engine = subprocess.Popen(
        ["taskset", "-c", str(subject.cpu_rest), sys.executable, "-c", sleeper]
    )
    port = free_port()
    try:
        with (
            ProbeSession("platform", tmp_path) as session,
            server(subject, port) as process,
            hog(subject.cpu_rest),
        ):
            configure(session, subject)
            watch(session, process.pid, None)
            assert session.say("add", engine_pids=[engine.pid]) == {"event": "added"}
            time.sleep(3)
            session.stop()
    finally:
        engine.kill()
        engine.wait()
    foreign = of(session.stream("platform"), FOREIGN, ENGINE)
    assert set(foreign["cpu"].tolist()) == {subject.cpu_rest}
    assert HOG in set(foreign["holder"].tolist())


def test_a_busy_core_is_watched_and_an_idle_one_is_not(subject: Subject, tmp_path: Path) -> None:
    """Ticks come at 4 kHz while the core is busy; the share that came is what was watched."""
    with ProbeSession("platform", tmp_path) as session:
        answer = session.say("configure", schema=1, cpus={"backend": [subject.cpu_server]})
        assert answer["event"] == "ready", answer
        with hog(subject.cpu_server, on_s=0.03) as neighbour:
            watch(session, neighbour.pid, None)
            time.sleep(2)
            summary = session.stop()["summary"]
    not_run_ticks = summary["vcpu_not_run_ns"] / 250_000
    assert summary["ticks"] + not_run_ticks >= 0.8 * 2 * 4000, summary


def test_gaps_of_a_spinning_thread_are_seen(subject: Subject, tmp_path: Path) -> None:
    """Windows of kind 1 lie where a spinning thread of the core, by its own clock, did not run."""
    spinner = tmp_path / "spin"
    source = Path(__file__).resolve().parents[1] / "backends" / "plain" / "spin.c"
    subprocess.run(["gcc", "-O2", "-o", spinner, source], check=True, timeout=60)
    with ProbeSession("platform", tmp_path) as session:
        answer = session.say("configure", schema=1, cpus={"backend": [subject.cpu_server]})
        assert answer["event"] == "ready", answer
        process = subprocess.Popen(
            ["chrt", "-f", "10", "taskset", "-c", str(subject.cpu_server), spinner, "4"],
            stdout=subprocess.PIPE,
            text=True,
        )
        watch(session, process.pid, None)
        text, _ = process.communicate(timeout=60)
        session.stop()
    gaps = np.array([line.split() for line in text.splitlines()], dtype=np.int64).reshape(-1, 2)
    windows = of(session.stream("platform"), VCPU_NOT_RUN, BACKEND)
    starts, ends = windows["start_ns"].astype(np.int64), windows["end_ns"].astype(np.int64)
    inside = (starts >= gaps[0, 1]) & (ends <= gaps[-1, 0])  # while it span for sure
    matched = [
        bool(np.any((gaps[:, 0] < end) & (gaps[:, 1] > start)))
        for start, end in zip(starts[inside], ends[inside], strict=True)
    ]
    print(f"{sum(matched)} of {len(matched)} windows lie in a gap of the spinning thread")  # noqa: T201 - the figure behind the verdict, shown with -s
    assert sum(matched) >= 0.9 * len(matched) - 1
