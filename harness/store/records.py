"""Reads what engine and probes wrote beside a trial; a broken file is a reason, not a zero."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import UsageError
from harness.model import events
from harness.model.facts import ProbeOutcome, TrialFacts
from harness.model.recording import Recording, Requests, Stream
from harness.stats import decoded

HEADER_BYTES = 4096
REQUEST_MAGIC = b"PMREQ001"
STREAM_MAGIC = b"PMEVT001"
REQUEST_TYPE = np.dtype(
    [
        ("intended_ns", "<u8"),
        ("sent_ns", "<u8"),
        ("first_byte_ns", "<u8"),
        ("last_byte_ns", "<u8"),
        ("connection", "<u2"),
        ("status", "<u2"),
        ("operation", "u1"),
        ("outcome", "u1"),
        ("flags", "<u2"),
    ]
)
# The ring buffer's own header: never completed, or discarded (ebpf/CONTRACT.md).
RING_SKIP = (1 << 31) | (1 << 30)

ENGINE_LINES: dict[str, type[msgspec.Struct]] = {
    "second": events.SecondLine,
    "done": events.DoneLine,
}
SLEEPERS_LINES: dict[str, type[msgspec.Struct]] = {
    "ready": events.SleepersReady,
    "second": events.SleepersSecond,
}

Loaded = TypeVar("Loaded")


class Unreadable(Exception):
    """A file is missing or is not what its contract says; the text is the reason."""


def read_recording(folder: Path) -> Recording:
    """Read a whole trial folder.

    Raises:
        UsageError: without a readable facts.json there is no trial to speak of.
    """
    reasons: dict[str, str] = {}
    facts = _facts(folder / "facts.json")
    requests = None
    if facts.workers_elsewhere:
        reasons["requests.bin"] = (
            f"{facts.workers_elsewhere} of {facts.workers + facts.workers_elsewhere} workers ran "
            "on other machines, and their records stayed there"
        )
    else:
        requests = _attempt(reasons, "requests.bin", lambda: _requests_of_all(folder, facts))
    if requests is not None and requests.truncated:
        reasons["requests.bin"] = requests.truncated
    engine = _attempt(reasons, "engine.jsonl", lambda: read_events(folder / "engine.jsonl"))
    probes = _attempt(reasons, "probes.json", lambda: _probes(folder / "probes.json"))
    hiccups = _attempt(reasons, "hiccups.jsonl", lambda: read_hiccups(folder / "hiccups.jsonl"))
    streams: dict[str, Stream] = {}
    for path in sorted((folder / "probes").glob("*.bin")):
        stream = _attempt(reasons, path.name, lambda path=path: read_stream(path))  # type: ignore[misc]
        if stream is not None:
            streams[path.stem] = stream
    seconds: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((folder / "probes").glob("*.seconds.jsonl")):
        lines = _attempt(reasons, path.name, lambda path=path: read_lines(path))  # type: ignore[misc]
        if lines is not None:
            seconds[path.name.removesuffix(".seconds.jsonl")] = lines
    return Recording(
        facts=facts,
        probes=probes or [],
        requests=requests,
        engine=engine,
        streams=streams,
        seconds=seconds,
        hiccups=hiccups,
        reasons=reasons,
    )


def read_requests(path: Path) -> Requests:
    """Read `requests.bin` (loadgen/CONTRACT.md) by intended time, up to the last whole record.

    Raises:
        Unreadable: missing, or not such a file.
    """
    header, body = _split(path, REQUEST_MAGIC)
    whole = len(body) // REQUEST_TYPE.itemsize
    rest = len(body) - whole * REQUEST_TYPE.itemsize
    records = np.frombuffer(body, dtype=REQUEST_TYPE, count=whole)
    records = records[np.argsort(records["intended_ns"], kind="stable")]
    columns = {name: records[name].astype(np.int64) for name in REQUEST_TYPE.names or ()}
    truncated = f"{path.name} ends inside a record ({rest} bytes left over)" if rest else ""
    try:
        named = msgspec.convert(header, events.RecordsHeader)
    except msgspec.ValidationError as error:
        raise Unreadable(f"{path.name}: its header is none: {error}") from error
    return Requests(
        **columns,
        operations=tuple(named.operations),
        errors=tuple(named.errors),
        truncated=truncated,
    )


def _requests_of_all(folder: Path, facts: TrialFacts) -> Requests:
    """The records of every worker of this machine, with connection numbers of its own each.

    A worker whose file is missing or broken leaves a reason and not a gap: the others' are kept.
    """
    paths = [folder / "requests.bin"]
    paths += [folder / f"requests.bin.{number}" for number in range(1, facts.workers)]
    parts: list[Requests] = []
    flaws: list[str] = []
    for path in paths:
        try:
            parts.append(read_requests(path))
        except Unreadable as error:
            flaws.append(str(error))
    if not parts:
        raise Unreadable("; ".join(flaws))
    return merged_requests(parts, flaws)


def merged_requests(parts: list[Requests], flaws: list[str]) -> Requests:
    """Several workers' records as one, by intended time; connections are numbered on."""
    columns: dict[str, npt.NDArray[np.int64]] = {}
    for name in REQUEST_TYPE.names or ():
        columns[name] = np.concatenate([getattr(part, name) for part in parts])
    first = 0
    connections = []
    for part in parts:
        connections.append(part.connection + first)
        first += int(part.connection.max(initial=-1)) + 1
    columns["connection"] = np.concatenate(connections)
    order = np.argsort(columns["intended_ns"], kind="stable")
    whys = [*(part.truncated for part in parts if part.truncated), *flaws]
    return Requests(
        **{name: column[order] for name, column in columns.items()},
        operations=parts[0].operations,
        errors=parts[0].errors,
        truncated="; ".join(whys),
    )


def write_requests(path: Path, header: dict[str, Any], records: npt.NDArray[Any]) -> None:
    """Write a file that `read_requests` reads: for tests."""
    text = json.dumps(header).encode()
    head = REQUEST_MAGIC + len(text).to_bytes(4, "little") + text
    path.write_bytes(head.ljust(HEADER_BYTES, b"\0") + records.astype(REQUEST_TYPE).tobytes())


def read_stream(path: Path) -> Stream:
    """Read a probe's stream (ebpf/CONTRACT.md) without records that were never completed.

    Raises:
        Unreadable: missing, or not such a file.
    """
    header, body = _split(path, STREAM_MAGIC)
    try:
        kind = np.dtype([(str(name), str(form)) for name, form in header["fields"]])
        size = int(header["record_bytes"])
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{path.name}: header without usable fields ({error})") from error
    if kind.itemsize != size:
        raise Unreadable(
            f"{path.name}: fields add up to {kind.itemsize} bytes, expected {size} a record"
        )
    whole = len(body) // size
    records = np.frombuffer(body, dtype=kind, count=whole)
    if "ring" in (kind.names or ()):
        records = records[(records["ring"] & np.uint64(RING_SKIP)) == 0]
    enums = {
        name: {int(code): str(word) for code, word in words.items()}
        for name, words in header.get("enums", {}).items()
    }
    rest = len(body) - whole * size
    return Stream(
        probe=str(header.get("probe", "")),
        name=str(header.get("stream", path.stem)),
        records=records,
        enums=enums,
        truncated=f"{path.name} ends inside a record ({rest} bytes left over)" if rest else "",
    )


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines; a last line that was cut off is left out.

    Raises:
        Unreadable: missing, or a line before the last is not a JSON object.
    """
    if not path.is_file():
        raise Unreadable(f"{path.name} is missing")
    lines = path.read_bytes().split(b"\n")
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=dict[str, Any]))
        except msgspec.DecodeError as error:
            if number == len(lines):  # no newline behind it: the writer was stopped
                break
            raise Unreadable(f"{path.name}: line {number} is not JSON ({error})") from error
    return found


def read_events(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Read `engine.jsonl`: the engine's events by kind.

    Raises:
        Unreadable: as `read_lines`, and where a line has not the shape of its event.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        _require_shape(path, number, line, ENGINE_LINES)
        found.setdefault(str(line.get("event", "")), []).append(line)
    return found


def read_hiccups(path: Path) -> list[dict[str, Any]]:
    """Read `hiccups.jsonl`: what the sleepers told.

    Raises:
        Unreadable: as `read_events`.
    """
    found = read_lines(path)
    for number, line in enumerate(found, start=1):
        _require_shape(path, number, line, SLEEPERS_LINES)
    return found


def _require_shape(
    path: Path, number: int, line: dict[str, Any], shapes: dict[str, type[msgspec.Struct]]
) -> None:
    kind = str(line.get("event", ""))
    shape = shapes.get(kind)
    if shape is None:
        return
    try:
        said = msgspec.convert(line, shape)
    except msgspec.ValidationError as error:
        raise Unreadable(f"{path.name}: event {number} is no {kind!r}: {error}") from error
    for encoded in getattr(said, "histograms", ()):
        flaw = decoded.flaw(encoded)
        if flaw:
            raise Unreadable(f"{path.name}: event {number}, {kind!r}: a histogram {flaw}")


def _split(path: Path, magic: bytes) -> tuple[dict[str, Any], bytes]:
    if not path.is_file():
        raise Unreadable(f"{path.name} is missing")
    data = path.read_bytes()
    if len(data) < HEADER_BYTES or not data.startswith(magic):
        raise Unreadable(f"{path.name}: expected magic {magic.decode()}, got {data[:8]!r}")
    length = int.from_bytes(data[8:12], "little")
    try:
        header = msgspec.json.decode(data[12 : 12 + length], type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unreadable(f"{path.name}: the header is not JSON ({error})") from error
    return header, data[HEADER_BYTES:]


def _attempt(reasons: dict[str, str], name: str, load: Callable[[], Loaded]) -> Loaded | None:
    try:
        return load()
    except (Unreadable, OSError) as error:
        reasons[name] = str(error)
        return None


def _probes(path: Path) -> list[ProbeOutcome]:
    if not path.is_file():
        raise Unreadable(f"{path.name} is missing")
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[ProbeOutcome])
    except msgspec.DecodeError as error:
        raise Unreadable(f"{path.name}: {error}") from error


def _facts(path: Path) -> TrialFacts:
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrialFacts)
    except OSError as error:
        raise UsageError(
            str(path), f"cannot be read ({error})", hint="measure the trial again"
        ) from error
    except msgspec.DecodeError as error:
        raise UsageError(
            str(path), f"is not a facts file ({error})", hint="measure the trial again"
        ) from error
