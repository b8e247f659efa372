"""Numbers and commands in the words of a reader: the only place that formats for a report."""

from __future__ import annotations

import shlex

import msgspec

from harness.model.plan import STREAMED, RatePart, Request, Subject

STEPS_LISTED = 6
SAID_MAX = 1000  # characters

_DURATIONS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


class Scale(msgspec.Struct, frozen=True):
    """One unit for a whole column, so that its figures can be compared by eye."""

    divisor: float
    unit: str


def number(value: float, digits: int = 3) -> str:
    """At least `digits` significant digits, thousands with commas, never an exponent."""
    if value == 0:
        return "0"
    magnitude = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if magnitude >= digits or value == int(value):
        return f"{value:,.0f}"
    if magnitude > 0:
        return f"{value:,.{digits - magnitude}f}"
    decimals = next((n for n in range(1, 9) if abs(value) * 10**n >= 1), 8)
    return f"{value:.{decimals + digits - 1}f}"


def duration(time_ns: float, digits: int = 3) -> str:
    """In the largest unit that leaves at least 1: `95.3 µs`."""
    scale = _scale([time_ns], _DURATIONS)
    return f"{number(time_ns / scale.divisor, digits)} {scale.unit}"


def percent(share: float) -> str:
    """A share of 1 as a percentage, with a decimal below 10%."""
    value = share * 100
    if 0 < value < 0.1:
        return "<0.1%"
    return f"{value:.1f}%" if value < 10 else f"{value:.0f}%"


def column_scale(unit: str, values: list[float]) -> Scale:
    """The unit in which a column of this unit is shown; small values decide, for they need it."""
    if unit == "ns":
        return _scale(values, _DURATIONS)
    if unit in {"bytes", "B"}:
        return _scale(values, _SIZES)
    if unit in {"ratio", "share"}:
        return Scale(0.01, "%")
    return Scale(1, unit)


def _scale(values: list[float], table: tuple[tuple[int, str], ...]) -> Scale:
    present = [abs(value) for value in values if value]
    smallest = min(present) if present else 1
    for divisor, unit in table:
        if smallest >= divisor:
            return Scale(divisor, unit)
    return Scale(*table[-1])


def printable(text: str) -> str:
    """What another program said, on one line: a terminal obeys characters that are none to read."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown if len(shown) <= SAID_MAX else f"{shown[:SAID_MAX]}…"


def listing(items: list[str]) -> str:
    """`a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def spans(numbers: list[int]) -> str:
    """`1-3, 7` for [1, 2, 3, 7]: the trials of a long run on one line."""
    groups: list[list[int]] = []
    for item in sorted(set(numbers)):
        if groups and item == groups[-1][1] + 1:
            groups[-1][1] = item
        else:
            groups.append([item, item])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in groups)  # noqa: RUF001


def has_streams(request: Request) -> bool:
    """Whether some subject of the run speaks a protocol with streams."""
    return any(request.protocol_of(subject) == STREAMED for subject in request.subjects)


def spoken(protocol: str, pipeline: int, streams: int) -> str:
    """`h2c, 8 streams each`: what connections speak, and how much of it at once."""
    deep = f", {pipeline} deep" if pipeline > 1 else ""
    wide = f", {streams} streams each" if STREAMED in protocol else ""
    return f"{protocol}{deep}{wide}"


def part_rate(part: RatePart) -> str:
    """`2,000 requests/s`, or from where to where it ramped."""
    rates = number(part.from_rps)
    if part.to_rps != part.from_rps:
        rates = f"{rates} to {number(part.to_rps)}"
    return f"{rates} requests/s"


def offered(request: Request) -> str:
    """What was offered: `10,000 requests/s`, its steps or ramp, or how many requests at once."""
    if request.closed_loop:
        return f"a closed loop on {request.connections:,} connections"
    if not request.parts:
        return f"{number(request.rate_rps)} requests/s"
    if request.parts[0].from_rps != request.parts[0].to_rps:
        return f"a ramp of {part_rate(request.parts[0])}"
    rates = [number(part.from_rps) for part in request.parts]
    if len(rates) > STEPS_LISTED:
        return f"{len(rates)} steps of {rates[0]} to {rates[-1]} requests/s"
    return f"steps of {listing(rates)} requests/s"


def _rate_flags(request: Request) -> list[str]:
    if request.closed_loop:
        return ["--saturate"]
    ramp = next((part for part in request.parts if part.from_rps != part.to_rps), None)
    if ramp is not None:
        return ["--rps", f"{ramp.from_rps:.10g}..{ramp.to_rps:.10g}"]
    steps = [part.from_rps for part in request.parts] or [request.rate_rps]
    return ["--rps", ",".join(f"{step:.10g}" for step in steps)]


def repeat_command(request: Request) -> str:
    """The exact `bench run` that asks for the same again, quoted for a shell."""
    words = ["bench", "run"]
    for name in dict.fromkeys(_flag_name(subject) for subject in request.subjects):
        words += ["--backend", name]
    settings = (f"{s.backend}.{key}={value}" for s in request.subjects for key, value in s.options)
    for setting in dict.fromkeys(settings):
        words += ["--set", setting]
    words += ["--track", request.track] if request.track else []
    words += ["--scenario", request.scenario.name]
    words += [*_rate_flags(request), "--duration", f"{request.duration_s:g}"]
    words += ["--warmup", f"{request.warmup_s:g}", "--repeat", str(request.repeat)]
    words += ["--seed", str(request.seed), "--connections", str(request.connections)]
    words += ["--protocol", request.protocol] if request.protocol else []
    words += ["--runtime", request.runtime]
    words += ["--arrivals", request.arrivals, "--grain", f"{request.grain_ns / 1000:g}us"]
    words += [] if request.pace == "sleep" else ["--pace", request.pace]
    several = request.engine_threads > 1
    words += ["--engine-threads", str(request.engine_threads)] if several else []
    if request.payload != "unsigned":
        words += ["--payload", request.payload]
    words += ["--pipeline", str(request.pipeline)] if request.pipeline > 1 else []
    words += ["--streams", str(request.streams)] if has_streams(request) else []
    words += ["--threads", str(request.threads)]
    words += ["--workers", str(request.workers)] if request.workers != 1 else []
    if request.workers_elsewhere:
        words += ["--expect-workers", str(request.workers_elsewhere), "--address", request.address]
        words += ["--master-bind-host", request.address]
    words += [] if request.cpu_quota is None else ["--cpu-quota", f"{request.cpu_quota:g}"]
    words += [] if request.calibrate else ["--no-calibrate"]
    words += ["--layout", request.layout, "--tune", request.tune, "--probes", request.probes]
    return shlex.join(words)


def _flag_name(subject: Subject) -> str:
    return f"{subject.backend}/{subject.variant}"
