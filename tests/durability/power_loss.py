"""A model of a machine's crash: of a traced server's files, only what was synced is left.

The log never writes a byte of a segment twice but for the zeros that made it, so the files at the
end hold what every write held, and a trace without contents is enough: which bytes of which file
were written when, and what was synced when.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECTOR_BYTES = 512
HEADER_BYTES = 64
MADE_AHEAD = ".new"
TRACED = "pwritev,pwritev2,pwrite64,write,writev,fdatasync,fsync,rename,renameat,renameat2"

# "123 1700000000.123456 name(arguments) = result <0.000123>", in one line or in two.
_WHOLE = re.compile(r"(\d+) +([\d.]+) (\w+)\((.*)\) += (-?\d+).*<([\d.]+)>$")
_BEGUN = re.compile(r"(\d+) +([\d.]+) (\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +[\d.]+ <\.\.\. \w+ resumed>(.*)\) += (-?\d+).*<([\d.]+)>$")
_FILE = re.compile(r"(-?\d+)<([^>]*)>")
_OFFSET = re.compile(r", (\d+)(?:, 0)?$")
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that went well; times in seconds since 1970."""

    name: str
    arguments: str
    result: int
    began_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of a segment that were written under its own name."""

    file: str
    start: int
    end: int
    began_s: float
    ended_s: float


@dataclass
class Trace:
    """What a server did to its files. Names are those without `.new`."""

    before: dict[str, bytes] = field(default_factory=dict)  # segments as the trace found them
    writes: list[Write] = field(default_factory=list)
    syncs: list[tuple[str, float, float]] = field(default_factory=list)  # file, began, ended
    named: list[tuple[str, float]] = field(default_factory=list)  # file, renamed at
    folder_syncs: list[tuple[float, float]] = field(default_factory=list)
    made_synced: dict[str, float] = field(default_factory=dict)  # the file of `.new`, last sync


def calls(lines: Iterable[str]) -> list[Call]:
    """The calls of `strace -f -ttt -T -y`, failed ones left out, in the order of their ends."""
    found: list[Call] = []
    open_calls: dict[str, tuple[str, float, str]] = {}
    for line in lines:
        if whole := _WHOLE.match(line):
            _, began, name, arguments, result, took = whole.groups()
            found.append(_call(name, arguments, result, float(began), took))
        elif begun := _BEGUN.match(line):
            thread, began, name, arguments = begun.groups()
            open_calls[thread] = (name, float(began), arguments)
        elif (resumed := _RESUMED.match(line)) and resumed[1] in open_calls:
            name, began_s, arguments = open_calls.pop(resumed[1])
            found.append(_call(name, arguments + resumed[2], resumed[3], began_s, resumed[4]))
    return sorted((c for c in found if c.result >= 0), key=lambda c: c.ended_s)


def _call(name: str, arguments: str, result: str, began_s: float, took: str) -> Call:
    return Call(name, arguments, int(result), began_s, began_s + float(took))


def segments(folder: Path) -> dict[str, bytes]:
    """The segments as they are now; of a server at rest."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("segment-*.log"))}


def read_trace(lines: Iterable[str], folder: Path, before: dict[str, bytes]) -> Trace:
    """What the calls say of the segments in the folder, which were like this before."""
    trace = Trace(before)
    for call in calls(lines):
        if call.name.startswith("rename"):
            old, new = _QUOTED.findall(call.arguments)[-2:]
            assert Path(old).name in trace.made_synced, f"{new} got its name before it was synced"
            trace.named.append((Path(new).name, call.ended_s))
            continue
        found = _FILE.match(call.arguments)
        path = Path(found[2]) if found else Path()
        if path == folder:
            trace.folder_syncs.append((call.began_s, call.ended_s))
        elif path.parent == folder:
            _note(trace, call, path.name)
    return trace


def _note(trace: Trace, call: Call, name: str) -> None:
    is_sync = call.name in {"fdatasync", "fsync"}
    if name.endswith(MADE_AHEAD):
        if is_sync:
            trace.made_synced[name] = call.ended_s
        return  # zeros and the header, which are synced before the name is given
    if is_sync:
        trace.syncs.append((name, call.began_s, call.ended_s))
    elif offset := _OFFSET.search(call.arguments):
        start = int(offset[1])
        trace.writes.append(Write(name, start, start + call.result, call.began_s, call.ended_s))


def image(
    trace: Trace, source: Path, target: Path, at_s: float, chance: random.Random | None = None
) -> int:
    """What a crash at this time leaves of `source`, put into `target`.

    With `chance`, sectors of writes that nobody synced may have reached the device, each for
    itself; without, none has. Returns how many bytes were lost.
    """
    lost = 0
    for name, whole in segments(source).items():
        if not _has_name(trace, name, at_s):
            continue
        made = whole[:HEADER_BYTES] + bytes(len(whole) - HEADER_BYTES)
        left = bytearray(trace.before.get(name, made))
        for write in trace.writes:
            if write.file != name or write.began_s > at_s:
                continue
            if _is_synced(trace.syncs, write, at_s):
                left[write.start : write.end] = whole[write.start : write.end]
            else:
                lost += write.end - write.start
                _scatter(left, whole, write, chance)
        (target / name).write_bytes(left)
    return lost


def _has_name(trace: Trace, name: str, at_s: float) -> bool:
    if name in trace.before:
        return True
    times = [named_s for file, named_s in trace.named if file == name]
    return any(began >= times[0] and ended <= at_s for began, ended in trace.folder_syncs)


def _is_synced(syncs: Sequence[tuple[str, float, float]], write: Write, at_s: float) -> bool:
    return any(
        file == write.file and began >= write.ended_s and ended <= at_s
        for file, began, ended in syncs
    )


def _scatter(left: bytearray, whole: bytes, write: Write, chance: random.Random | None) -> None:
    if chance is None:
        return
    for start in range(write.start - write.start % SECTOR_BYTES, write.end, SECTOR_BYTES):
        if chance.random() < 0.5:
            at, end = max(start, write.start), min(start + SECTOR_BYTES, write.end)
            left[at:end] = whole[at:end]
