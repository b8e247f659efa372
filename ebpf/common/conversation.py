"""The conversation of every probe with the harness: JSON lines in and out, one trial at a time.

A probe is an object with the methods of `Probe`; `run` does everything else.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from common import tree
from common.kernel import Unavailable
from common.ring import Ring
from common.trial import Recording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from common.kernel import Program
    from common.ring import Stream

_PR_SET_PDEATHSIG = 1
_LINE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """The command `configure`."""

    address: str
    port: int
    cpus_backend: tuple[int, ...]
    cpus_engine: tuple[int, ...]
    gap_ns: int
    window_ns: int
    seconds_max: int


@dataclass(frozen=True, slots=True)
class Trial:
    """The command `start`."""

    output: Path
    backend_pids: tuple[int, ...]
    engine_pids: tuple[int, ...]
    binary: str
    port: int


class Probe(Protocol):
    """What a probe's user side implements; `run` calls it in this order.

    The process trees are seeded, and the hooks of the program attached, between `start` and the
    first `second`: `start` only sets what the kernel side must know before it runs.
    """

    name: str
    streams: tuple[Stream, ...]

    def configure(self, settings: Settings) -> Program:
        """Compile; raise Unavailable with a reason when this machine cannot."""

    def start(self, trial: Trial) -> None:
        """Set up maps for a trial, and attach what `Program.attach` does not (uprobes)."""

    def second(self) -> Mapping[str, Any]:
        """The fields of one line of seconds, since the last call.

        The first call, just before the trial's clock starts, is the baseline: its fields, counted
        while hooks were being attached, belong to no trial.
        """

    def detach(self) -> None:
        """Undo what `start` attached."""

    def summary(self) -> Mapping[str, Any]:
        """The `summary` of the answer to `stop`, after the last `second`."""


class WrongUse(Exception):
    """A command that the contract does not have, or not now."""

    def __init__(self, where: str, what: str, hint: str) -> None:
        """Say where, what (expected and got) and the next step."""
        super().__init__(what)
        self.where, self.what, self.hint = where, what, hint


def run(probe: Probe) -> NoReturn:
    """Talk until `quit`, end of input, SIGTERM or the parent's death; never returns."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the harness's to handle, in order
    signal.signal(signal.SIGTERM, _end)
    session = _Session(probe)
    code = 0
    try:
        session.talk()
    except Unavailable as problem:
        _say_unavailable(probe.name, problem)
    except WrongUse as problem:
        what = {"where": problem.where, "what": problem.what, "hint": problem.hint}
        _say({"event": "error", **what})
        code = 2
    except (BrokenPipeError, SystemExit):
        code = 0  # nobody listens any more, or we were told to end
    finally:
        session.abandon()
    sys.stderr.flush()
    os._exit(code)  # bcc's exit handlers take up to a second; the kernel closes what is open


class _Session:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._program: Program | None = None
        self._settings: Settings | None = None
        self._rings: list[Ring] = []
        self._recording: Recording | None = None
        self._pending = b""

    def talk(self) -> None:
        while True:
            line = self._next_line()
            if line is None:
                return
            command = _parse(line)
            word = command.pop("command", None)
            if word == "quit":
                return
            answer = {
                "configure": self._configure,
                "start": self._start,
                "add": self._add,
                "stop": self._stop,
            }.get(str(word))
            if answer is None:
                raise WrongUse(
                    "command",
                    f"unknown command, expected configure, start, add, stop or quit, got {word!r}",
                    "see ebpf/CONTRACT.md",
                )
            try:
                _say(answer(_Fields(str(word), command)))
            except Unavailable as problem:
                if word == "configure":
                    raise
                # Of this trial only (another binary may have what this one lacks): talk goes on.
                _say_unavailable(self._probe.name, problem)

    def abandon(self) -> None:
        """Leave no file half written when the end comes in the middle of a trial."""
        if self._recording is not None:
            self._recording.finish()
            self._recording = None

    def _next_line(self) -> bytes | None:
        """The next command, doing the work of each second while there is none."""
        while b"\n" not in self._pending:
            recording = self._recording
            wait = None if recording is None else recording.seconds_to_next()
            if not select.select([0], [], [], wait)[0]:
                assert recording is not None
                recording.tick()
                continue
            chunk = os.read(0, 65536)
            if not chunk or len(self._pending) > _LINE_BYTES_MAX:
                return None
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _configure(self, fields: _Fields) -> dict[str, Any]:
        fields.known("schema address port cpus gap_ns window_ns seconds_max")
        if self._program is not None:
            raise WrongUse("configure", "expected once, got a second one", "start a new process")
        if fields.integer("schema") != 1:
            raise WrongUse("configure.schema", "expected 1", "use the probes of this checkout")
        cpus = fields.cpus("cpus")
        self._settings = Settings(
            address=fields.text("address", "127.0.0.1"),
            port=fields.integer("port", 0),
            cpus_backend=cpus.get("backend", ()),
            cpus_engine=cpus.get("engine", ()),
            gap_ns=fields.integer("gap_ns", 100_000),
            window_ns=fields.integer("window_ns", 50_000),
            seconds_max=fields.integer("seconds_max", 600),
        )
        begin = time.monotonic_ns()
        self._program = self._probe.configure(self._settings)
        self._rings = [Ring(self._program, stream) for stream in self._probe.streams]
        return {
            "event": "ready",
            "probe": self._probe.name,
            "pid": os.getpid(),
            "compile_ns": time.monotonic_ns() - begin,
            "unavailable": self._program.unavailable,
        }

    def _start(self, fields: _Fields) -> dict[str, Any]:
        fields.known("output backend_pids engine_pids binary port")
        if self._program is None or self._settings is None:
            raise WrongUse("start", "expected after configure", "send configure first")
        if self._recording is not None:
            raise WrongUse("start", "expected after stop, got a trial under way", "send stop first")
        trial = Trial(
            output=Path(fields.text("output")),
            backend_pids=fields.integers("backend_pids"),
            engine_pids=fields.integers("engine_pids", ()),
            binary=fields.text("binary", ""),
            port=fields.integer("port", self._settings.port),
        )
        if not trial.output.is_dir():
            raise WrongUse("start.output", f"expected a folder, got {trial.output}", "create it")
        try:
            self._recording = self._record(trial)
        except FileExistsError as problem:
            raise WrongUse(
                "start.output", f"expected no {problem.filename}, got one", "use a new folder"
            ) from None
        return {"event": "started", "clock_ns": self._recording.start_ns}

    def _record(self, trial: Trial) -> Recording:
        assert self._program is not None
        assert self._settings is not None
        return Recording(
            probe=self._probe,
            program=self._program,
            rings=self._rings,
            settings=self._settings,
            trial=trial,
        )

    def _add(self, fields: _Fields) -> dict[str, Any]:
        fields.known("engine_pids backend_pids")
        if self._recording is None or self._program is None:
            raise WrongUse("add", "expected during a trial", "send start first")
        tree.seed(self._program, fields.integers("engine_pids", ()), tree.ENGINE)
        tree.seed(self._program, fields.integers("backend_pids", ()), tree.BACKEND)
        return {"event": "added"}

    def _stop(self, fields: _Fields) -> dict[str, Any]:
        fields.known("")
        if self._recording is None:
            raise WrongUse("stop", "expected during a trial", "send start first")
        recording, self._recording = self._recording, None
        return {"event": "stopped", **recording.finish()}


class _Fields:
    """The fields of one command, each read with its type checked."""

    def __init__(self, command: str, values: dict[str, Any]) -> None:
        self._command = command
        self._values = values

    def known(self, names: str) -> None:
        for name in self._values:
            if name not in names.split():
                raise WrongUse(
                    f"{self._command}.{name}",
                    f"unknown field, expected one of [{names}]",
                    "see ebpf/CONTRACT.md",
                )

    def integer(self, name: str, default: int | None = None) -> int:
        return int(self._typed(name, int, default))

    def text(self, name: str, default: str | None = None) -> str:
        return str(self._typed(name, str, default))

    def integers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        values = self._typed(name, list, None if default is None else list(default))
        return _integers(f"{self._command}.{name}", values)

    def cpus(self, name: str) -> dict[str, tuple[int, ...]]:
        where = f"{self._command}.{name}"
        values = self._typed(name, dict, {})
        return {str(role): _integers(where, numbers) for role, numbers in values.items()}

    def _typed(self, name: str, kind: type, default: Any) -> Any:
        value = self._values.get(name)
        if value is None:
            value = default
        if type(value) is not kind:
            raise WrongUse(
                f"{self._command}.{name}",
                f"expected {kind.__name__}, got {self._values.get(name)!r}",
                "see ebpf/CONTRACT.md",
            )
        return value


def _integers(where: str, values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or any(type(value) is not int for value in values):
        raise WrongUse(where, f"expected a list of integers, got {values!r}", "see the contract")
    return tuple(values)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        command = json.loads(line)
    except ValueError as problem:
        raise WrongUse(
            "stdin", f"expected JSON, got {line[:80]!r} ({problem})", "one a line"
        ) from None
    if not isinstance(command, dict):
        raise WrongUse("stdin", f"expected an object, got {line[:80]!r}", "one a line")
    return command


def _say(event: Mapping[str, Any]) -> None:
    os.write(1, json.dumps(event).encode() + b"\n")


def _say_unavailable(probe: str, problem: Unavailable) -> None:
    _say({"event": "unavailable", "probe": probe, "reason": str(problem)})


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _end_with_parent() -> None:
    """End when the parent dies, even if something else still holds our stdin open.

    The kernel sends this signal also when the *thread* that started us ends; then our parent is
    still the same process, and nothing happens.
    """
    parent = os.getppid()

    def parent_died(_signal: int, _frame: FrameType | None) -> None:
        if os.getppid() != parent:
            raise SystemExit(0)

    signal.signal(signal.SIGUSR2, parent_died)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR2)
