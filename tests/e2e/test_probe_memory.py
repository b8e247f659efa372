"""The memory probe against a program that faults and calls a known number of times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.probe_session import ProbeSession, require_bpf

ROUNDS = 200
PAGES = 32
SOME = 60  # what an interpreter does by itself at most while this runs

# The work is done by a child, born after the probe started: the tree is followed.
WORK = f"""
import ctypes, mmap, os, sys
sys.stdin.readline()
child = os.fork()
if child == 0:
    library = ctypes.CDLL(None)
    library.sbrk.restype = ctypes.c_void_p
    for _ in range({ROUNDS}):
        area = mmap.mmap(-1, {PAGES} * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        area.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range({PAGES}):
            area[page * 4096] = 1
        area.close()
        library.sbrk(4096)
    os._exit(0)
os.waitpid(child, 0)
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.e2e
def test_calls_and_faults_are_counted(tmp_path: Path) -> None:
    require_bpf()
    with subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with ProbeSession("memory", tmp_path) as probe:
                assert probe.configure([])["unavailable"] == []
                probe.start(process.pid)
                process.stdin.write("go\n")
                process.stdin.flush()
                assert process.stdout.readline() == "done\n"
                probe.stop()
        finally:
            process.kill()
    total = _sum(probe.seconds())
    assert ROUNDS <= total["mmap_count"] <= ROUNDS + SOME
    assert ROUNDS <= total["munmap_count"] <= ROUNDS + SOME
    assert total["madvise_count"] == pytest.approx(ROUNDS, abs=2)
    assert ROUNDS <= total["brk_count"] <= ROUNDS * 2 + SOME
    # The child also faults on pages that it shares with its parent since the fork.
    assert ROUNDS * PAGES <= total["page_faults"] <= ROUNDS * PAGES + 3000
    assert ROUNDS * PAGES <= total["page_fault_writes"] <= total["page_faults"]
    for call in ("mmap", "munmap", "madvise", "brk"):
        assert 0 < total[f"{call}_ns_max"] <= total[f"{call}_ns"]
        assert total[f"{call}_ns"] < 60e9


@pytest.mark.e2e
def test_another_process_is_not_counted(tmp_path: Path) -> None:
    require_bpf()
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with ProbeSession("memory", tmp_path) as probe:
                probe.configure([])
                probe.start(process.pid)
                for _ in range(5):
                    subprocess.run([sys.executable, "-c", "bytearray(1 << 24)"], check=True)
                probe.stop()
        finally:
            process.kill()
    total = _sum(probe.seconds())
    assert total["mmap_count"] == total["page_faults"] == 0


def _sum(seconds: list[dict[str, Any]]) -> dict[str, int]:
    names = [name for name in seconds[0] if name not in ("start_ns", "end_ns")]
    return {
        name: (max if name.endswith("_max") else sum)(second[name] for second in seconds)
        for name in names
    }
