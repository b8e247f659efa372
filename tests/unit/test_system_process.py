"""Starting, naming and ending processes, without root."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import EnvironmentLacking
from harness.system import ports, process, process_table
from harness.system.process import ProgramMissing, TimedOut, end, run, spawn
from harness.system.process_table import Identity, lives, parse_stat

ROOT = Path(__file__).resolve().parents[2]


def test_run_keeps_both_outputs_and_the_status() -> None:
    done = run(["sh", "-c", "cat; echo err >&2; exit 7"], timeout_s=10, input_text="in")
    assert (done.exit_status, done.stdout, done.stderr) == (7, "in", "err\n")
    assert done.wall_ns > 0


def test_run_writes_to_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run(["sh", "-c", "echo one; echo two >&2"], timeout_s=10, log=log)
    assert process.last_lines(log) == "one | two"


def test_run_adds_to_the_environment() -> None:
    assert run(["sh", "-c", "echo $PM_X"], timeout_s=10, env={"PM_X": "yes"}).stdout == "yes\n"


def test_a_make_is_no_part_of_the_one_that_runs_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Makefile").write_text("FLAGS := none\nall:\n\t@echo $(MAKELEVEL) $(FLAGS)\n")
    monkeypatch.setenv("MAKEFLAGS", " -- FLAGS=of-another-make")
    monkeypatch.setenv("MAKELEVEL", "1")
    assert "\n0 none\n" in run(["make", "-C", str(tmp_path)], timeout_s=10).stdout


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ProgramMissing, match="no-such-program: cannot be started"):
        run(["no-such-program"], timeout_s=1)


def test_run_that_times_out_leaves_no_grandchild() -> None:
    with pytest.raises(TimedOut, match=r"expected an end within 0\.3 s"):
        run(["sh", "-c", "exec 9</dev/null; sleep 4711 & wait"], timeout_s=0.3)
    commands = [" ".join(process_table.arguments_of(pid)) for pid in process_table.pids()]
    assert "sleep 4711" not in commands


def test_run_checked_tells_the_last_words() -> None:
    with pytest.raises(process.ProgramFailed, match=r"ended with exit status 5: .*gone"):
        process.run_checked(["sh", "-c", "echo gone >&2; exit 5"], timeout_s=10)


def test_spawned_processes_have_our_affinity_and_no_new_privileges() -> None:
    cpu = min(os.sched_getaffinity(0))
    child = spawn(["sleep", "60"], cpus=[cpu], unprivileged=True)
    try:
        process.wait_until_exec(child)
        assert Path(f"/proc/{child.pid}/exe").readlink().name == "sleep"
        assert os.sched_getaffinity(child.pid) == {cpu}
        status = Path(f"/proc/{child.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
        # In the middle of an exec the environment is empty for an instant.
        _eventually(lambda: process_table.owner_of(child.pid) == process_table.own_identity())
    finally:
        end(child, timeout_s=1)
    assert child.returncode == -signal.SIGTERM


def test_end_reaches_children_in_sessions_of_their_own() -> None:
    child = spawn(["sh", "-c", "setsid sleep 4712 & wait"])
    _eventually(lambda: len(process.tree(child.pid)) == 2)
    members = [process_table.identify(pid) for pid in process.tree(child.pid)]
    end(child, timeout_s=0)
    assert not any(lives(member) for member in members if member is not None)


def test_spawned_processes_die_when_we_are_killed() -> None:
    script = (
        "import time; from harness.system.process import spawn, wait_until_exec\n"
        "c = spawn(['sleep', '4713']); wait_until_exec(c); print(c.pid, flush=True)\n"
        "time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert owner.stdout is not None
    child = process_table.identify(int(owner.stdout.readline()))
    assert child is not None
    owner.kill()
    owner.wait()
    owner.stdout.close()
    _eventually(lambda: not lives(child))


def test_a_stat_line_with_a_name_of_parentheses() -> None:
    rest = "S 1 2 3 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 98765 1 2"
    stat = parse_stat(f"42 (a (b) c) {rest}")
    assert stat is not None
    assert (stat.pid, stat.name, stat.state, stat.parent) == (42, "a (b) c", "S", 1)
    assert stat.start_ticks == 98765
    assert stat.cpu_ns == 200 * process_table.NANOSECONDS_PER_TICK


def test_a_reused_pid_is_not_the_same_process() -> None:
    own = process_table.own_identity()
    assert lives(own)
    assert not lives(Identity(own.pid, own.start_ticks + 1))
    assert process_table.parse_identity(str(own)) == own
    assert process_table.parse_identity("none") is None


def test_a_taken_port_names_its_holder() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        expected = rf"127\.0\.0\.1:{port}: .* taken by .* \(pid {os.getpid()}\)"
        with pytest.raises(EnvironmentLacking, match=expected):
            ports.require_free("127.0.0.1", port)
    ports.require_free("127.0.0.1", port)


def test_only_listeners_of_that_port_count() -> None:
    table = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm retrnsmt uid timeout ino\n"
        "   0: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 111 1\n"
        "   1: 0100007F:2328 0100007F:D431 01 00000000:00000000 00:00000000 00000000 0 0 222 1\n"
        "   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 333 1\n"
    )
    assert ports.parse_listening(table, 9000) == {"111"}


def _eventually(holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
