"""Decides where the GC probe's programs are attached in one Go binary, and says what it could not.

Pure: reads the binary, attaches nothing. A hook that is in doubt is left out with its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import go_binary
import x86_code

START_THE_WORLD = "runtime.startTheWorldWithSema"
RECORD = "runtime.(*timeHistogram).record"
ASSIST = "runtime.gcAssistAlloc"
DRAIN = "runtime.gcDrain"

# Go versions whose runtime was tried: the per-cycle sums equalled MemStats.PauseNs in all of them.
# worldStop carries reason and start of stopping, gcDrain its flags, in the same registers.
VERSIONS = ((1, 24), (1, 25), (1, 26))


class Hook(NamedTuple):
    """A program of gc.bpf.c and the offset in the file at which it runs."""

    program: str
    offset: int


class Missing(NamedTuple):
    """A hook that is not there, and why."""

    hook: str
    reason: str


class Plan(NamedTuple):
    """`hooks` in the order of attaching: exits before entries, so that nothing stays open."""

    hooks: list[Hook]
    missing: list[Missing]
    version: str


def plan(path: Path) -> Plan:
    """The hooks for the binary at `path`; raises go_binary.NotReadable, or OSError."""
    binary = go_binary.GoBinary(path)
    version = binary.version()
    if version is None:
        raise go_binary.NotReadable("no Go build information: not a Go executable")
    text = f"go{version[0]}.{version[1]}"
    if version not in VERSIONS:
        known = ", ".join(f"go{major}.{minor}" for major, minor in VERSIONS)
        raise go_binary.NotReadable(f"built by {text}, whose runtime is not known; known: {known}")
    functions = binary.functions({START_THE_WORLD, RECORD, ASSIST, DRAIN})
    hooks: list[Hook] = []
    missing: list[Missing] = []
    _stops(functions, hooks, missing)
    _pairs(functions.get(ASSIST), ASSIST, "assist", hooks, missing)
    _pairs(functions.get(DRAIN), DRAIN, "drain", hooks, missing)
    return Plan(hooks, missing, text)


def _walk(function: go_binary.Function | None) -> list[x86_code.Instruction]:
    if function is None:
        raise x86_code.UnknownCode("the binary has no such function")
    return x86_code.walk(function.code)


def _stops(
    functions: dict[str, go_binary.Function], hooks: list[Hook], missing: list[Missing]
) -> None:
    """The end is the call that records the runtime's own duration; else the return."""
    try:
        code = _walk(functions.get(START_THE_WORLD))
    except x86_code.UnknownCode as error:
        missing.append(Missing(START_THE_WORLD, str(error)))
        return
    start, record = functions[START_THE_WORLD], functions.get(RECORD)
    ends = x86_code.calls_to(code, record.address - start.address) if record else []
    program = "stop_record"
    if not ends:
        missing.append(Missing(RECORD, "no call of it found: the runtime's own figure is missing"))
        ends, program = x86_code.returns(code), "stop_return"
    hooks.extend(Hook(program, start.offset + end) for end in ends)
    hooks.append(Hook("stop_entry", start.offset + x86_code.entry(code)))


def _pairs(
    function: go_binary.Function | None,
    name: str,
    prefix: str,
    hooks: list[Hook],
    missing: list[Missing],
) -> None:
    try:
        code = _walk(function)
        ends = x86_code.returns(code)
        if function is None or not ends:
            raise x86_code.UnknownCode("no return instruction found")
    except x86_code.UnknownCode as error:
        missing.append(Missing(name, str(error)))
        return
    hooks.extend(Hook(f"{prefix}_return", function.offset + end) for end in ends)
    hooks.append(Hook(f"{prefix}_entry", function.offset + x86_code.entry(code)))
