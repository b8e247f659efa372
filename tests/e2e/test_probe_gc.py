"""The GC probe against a real Go program: what it sees must equal what the runtime counted."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.e2e.probe_session import REPOSITORY, ProbeSession, require_bpf

SOURCE = REPOSITORY / "tests" / "backends" / "gcload"
STOP, MARK_PHASE, ASSIST, MARK_WORKER = 1, 2, 3, 4
MARK_TERMINATION, SWEEP_TERMINATION, READ_MEMORY_STATISTICS = 1, 2, 7
CYCLES_MIN = 8
LONG_NS = 100_000

BUILDS: dict[str, list[str]] = {
    "symbols": [],
    "stripped": ["-ldflags=-s -w"],
    "pie-stripped": ["-buildmode=pie", "-ldflags=-s -w"],
}


def go_build(folder: Path, flags: list[str]) -> Path:
    """The subject, built with `flags`."""
    if shutil.which("go") is None and os.environ.get("CI") != "true":
        pytest.skip("no Go toolchain on the PATH")
    binary = folder / "gcload"
    command = ["go", "build", *flags, "-o", str(binary), "."]
    subprocess.run(command, cwd=SOURCE, check=True, timeout=300)
    return binary


@contextmanager
def running(binary: Path) -> Iterator[subprocess.Popen[str]]:
    """The subject at work; killed at the end."""
    with subprocess.Popen([str(binary)], stderr=subprocess.PIPE, text=True) as process:
        try:
            time.sleep(0.5)
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What the runtime counted, by its own word."""
    assert process.stderr is not None
    process.send_signal(signal.SIGUSR1)
    assert select.select([process.stderr], [], [], 30)[0], "the subject did not answer SIGUSR1"
    answer = json.loads(process.stderr.readline())
    assert isinstance(answer, dict)
    return answer


@pytest.mark.e2e
@pytest.mark.parametrize("build", BUILDS)
def test_stops_equal_the_runtimes_own(build: str, tmp_path: Path) -> None:
    require_bpf()
    binary = go_build(tmp_path, BUILDS[build])
    with running(binary) as subject, ProbeSession("gc", tmp_path) as probe:
        probe.configure([])
        started = probe.start(subject.pid, f"/proc/{subject.pid}/exe")
        assert started["event"] == "started", started
        before = ask(subject)
        time.sleep(3)
        after = ask(subject)
        stopped = probe.stop()
        assert stopped["summary"]["unavailable"] == []
        assert stopped["bpf"]["runs"] > 0
        assert subject.poll() is None, "the subject must outlive its probes"
        ask(subject)
    records = probe.stream("gc")
    stops = records[records["kind"] == STOP]
    _check_pauses(stops, after["pause_ns"])
    _check_count(stops, before, after)
    _check_marks(records, probe.seconds(), started["clock_ns"], stopped["clock_ns"])
    _check_long(records)
    _check_seconds(probe.seconds(), stops, started["clock_ns"], stopped["clock_ns"])


def _check_pauses(stops: np.ndarray[Any, Any], told: list[int]) -> None:
    """Per cycle, the runtime's durations sum to MemStats.PauseNs, to the nanosecond."""
    seen = []
    for cycle in np.unique(stops["cycle"]):
        mine = stops[stops["cycle"] == cycle]
        if {MARK_TERMINATION, SWEEP_TERMINATION} <= set(mine["reason"].tolist()):
            of_gc = np.isin(mine["reason"], (MARK_TERMINATION, SWEEP_TERMINATION))
            seen.append(int(mine["runtime_ns"][of_gc].sum()))
    assert len(seen) >= CYCLES_MIN
    assert seen[0] in told, f"cycle 1 was {seen[0]} ns; the runtime knows {told}"
    expected = told[told.index(seen[0]) :]
    # The subject went on collecting between its answer and the probe's stop.
    common = min(len(seen), len(expected))
    assert common >= CYCLES_MIN
    assert common == len(expected), "the runtime counted cycles that the probe did not see"
    assert seen[:common] == expected[:common]


def _check_count(
    stops: np.ndarray[Any, Any], before: dict[str, Any], after: dict[str, Any]
) -> None:
    """GC stops between two readings; reading MemStats is itself a stop, and so marks the place."""
    marks = np.flatnonzero(stops["reason"] == READ_MEMORY_STATISTICS)
    assert len(marks) == 2
    between = stops[marks[0] : marks[1]]
    seen = int(np.isin(between["reason"], (MARK_TERMINATION, SWEEP_TERMINATION)).sum())
    told = after["sched_pauses_total_gc"]["count"] - before["sched_pauses_total_gc"]["count"]
    assert abs(seen - told) <= 1


def _check_marks(
    records: np.ndarray[Any, Any], seconds: list[dict[str, Any]], start_ns: int, end_ns: int
) -> None:
    """Phases lie between their cycle's stops, and the seconds hold exactly their overlap."""
    phases = records[records["kind"] == MARK_PHASE]
    assert len(phases) >= CYCLES_MIN
    assert (phases["end_ns"] > phases["start_ns"]).all()
    stops = records[records["kind"] == STOP]
    # A phase under way at the start is there; the stop that began it is not.
    for phase in phases[phases["start_ns"] >= start_ns]:
        mine = stops[stops["cycle"] == phase["cycle"]]
        assert phase["start_ns"] in mine["end_ns"]
        assert phase["end_ns"] in mine["start_ns"]
    clipped = np.clip(phases["end_ns"], start_ns, end_ns).astype(np.int64) - np.clip(
        phases["start_ns"], start_ns, end_ns
    ).astype(np.int64)
    counted = sum(second["mark_phase_ns"] for second in seconds)
    length = end_ns - start_ns
    # A phase under way at the end is counted and not yet streamed; and the probe, which steps aside
    # for everything else, reads a little late on a busy machine.
    late_ns, longest_ns = 0.04 * length, int((phases["end_ns"] - phases["start_ns"]).max())
    assert clipped.sum() - late_ns <= counted <= clipped.sum() + longest_ns + late_ns
    assert all(
        second["mark_phase_ns"] <= (second["end_ns"] - second["start_ns"]) * 1.1 + late_ns
        for second in seconds
    )


def _check_long(records: np.ndarray[Any, Any]) -> None:
    """Assists and mark workers are streamed from 100 us on; both occur in this subject."""
    for kind in (ASSIST, MARK_WORKER):
        mine = records[records["kind"] == kind]
        assert len(mine) > 0
        assert (mine["end_ns"] - mine["start_ns"] >= LONG_NS).all()
        assert (mine["runtime_ns"] == 0).all()


def _check_seconds(
    seconds: list[dict[str, Any]], stops: np.ndarray[Any, Any], start_ns: int, end_ns: int
) -> None:
    """The counters and the stream are two accounts of the same stops."""
    inside = (stops["end_ns"] >= start_ns) & (stops["end_ns"] <= end_ns)
    of_gc = np.isin(stops["reason"], (MARK_TERMINATION, SWEEP_TERMINATION))
    streamed = stops[inside & of_gc]
    counted = sum(second["stw_count"] for second in seconds)
    # The edges: counters are read a little after the clock, on a busy machine some cycles later.
    assert abs(counted - len(streamed)) <= 2 + 0.05 * counted
    assert max(second["stw_ns_max"] for second in seconds) >= int(streamed["runtime_ns"].max())
    assert sum(second["assist_count"] for second in seconds) > 0
    for second in seconds:
        assert second["mark_worker_idle_ns"] <= second["mark_worker_ns"]


@pytest.mark.e2e
def test_program_that_is_not_go_is_unavailable_with_a_reason(tmp_path: Path) -> None:
    require_bpf()
    with subprocess.Popen(["sleep", "60"]) as subject:
        try:
            with ProbeSession("gc", tmp_path) as probe:
                probe.configure([])
                answer = probe.start(subject.pid, f"/proc/{subject.pid}/exe")
        finally:
            subject.kill()
    assert answer["event"] == "unavailable"
    assert "not a Go executable" in answer["reason"]


def load(name: str) -> ModuleType:
    """A module of the probe's user side; it has no third-party import."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "ebpf" / "gc" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_walk_agrees_with_a_disassembler_on_every_function(tmp_path: Path) -> None:
    if shutil.which("objdump") is None and os.environ.get("CI") != "true":
        pytest.skip("no objdump (binutils)")
    x86_code = load("x86_code")
    binary = go_build(tmp_path, [])
    listing = subprocess.run(
        ["objdump", "-d", "-w", str(binary)], capture_output=True, text=True, check=True
    ).stdout
    functions: dict[str, list[tuple[int, bytes]]] = {}
    lines: list[tuple[int, bytes]] = []
    for line in listing.splitlines():
        if heading := re.match(r"^[0-9a-f]+ <(.*)>:$", line):
            lines = functions.setdefault(heading[1], [])
        elif code := re.match(r"^ +([0-9a-f]+):\t([0-9a-f ]+)\t", line):
            lines.append((int(code[1], 16), bytes.fromhex(code[2].replace(" ", ""))))
    assert len(functions) > 1000
    for name, instructions in functions.items():
        walked = x86_code.walk(b"".join(code for _, code in instructions))
        start = instructions[0][0]
        assert [found.offset for found in walked] == [at - start for at, _ in instructions], name


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("90 e8 00", "ends at"),
        ("90 48", "ends inside"),
        ("06 c3", "opcode 06"),
        ("eb 01 b8 01 02 03 04 c3", "into an instruction"),
    ],
)
def test_walk_refuses_what_it_cannot_be_sure_of(code: str, why: str) -> None:
    x86_code = load("x86_code")
    with pytest.raises(x86_code.UnknownCode, match=why):
        x86_code.walk(bytes.fromhex(code))


def test_names_come_from_the_function_table_where_symbols_are_stripped(tmp_path: Path) -> None:
    go_binary = load("go_binary")
    names = {"runtime.startTheWorldWithSema", "runtime.gcAssistAlloc", "runtime.gcDrain"}
    (tmp_path / "full").mkdir()
    (tmp_path / "bare").mkdir()
    full = go_binary.GoBinary(go_build(tmp_path / "full", BUILDS["symbols"])).functions(names)
    bare = go_binary.GoBinary(go_build(tmp_path / "bare", BUILDS["stripped"])).functions(names)
    assert set(full) == set(bare) == names
    for name in names:
        assert bare[name].offset == full[name].offset
        assert bare[name].code.startswith(full[name].code)  # the table counts the padding in
