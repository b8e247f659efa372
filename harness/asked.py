"""Numbers, times, scenarios and targets of the command line, each error naming its flag."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from harness.drivers import manifests, stores
from harness.drivers.load import Target
from harness.errors import UsageError
from harness.model.capacity import Slo, Term
from harness.model.manifest import Scenario
from harness.model.plan import RatePart
from harness.model.signing import Signing
from harness.model.store import Store

RATE_MAX = 5_000_000.0
DURATION_MAX_S = 7 * 24 * 3600.0
CONNECTIONS_MAX = 60_000
PARTS_MAX = 1000
PART_MIN_S = 1.0
_PERCENTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p99.9": "p999"}
GRAIN_MIN_NS, GRAIN_MAX_NS = 1_000, 10_000_000  # the engine takes no more
_DECIMAL = r"\d{1,12}(?:\.\d{1,12})?"
_SHORT_UNITS_NS = {"us": 1e3, "\u00b5s": 1e3, "ms": 1e6, "s": 1e9}


def address(text: str) -> str:
    """An IP address to listen on; UsageError for anything else."""
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise UsageError(
            "--address",
            f"expected an IP address, got {text!r}",
            hint="127.0.0.1 keeps the load on this machine",
        ) from error
    return text


def number(flag: str, value: float, *, low: float, high: float, unit: str) -> float:
    """A number within its limits; UsageError names the flag, the limits and what was given."""
    if not low <= value <= high:
        raise UsageError(
            flag,
            f"expected {low:.10g} to {high:.10g} {unit}".rstrip() + f", got {value:.10g}",
            hint=f"give {flag} a value in that range",
        )
    return value


def duration_s(flag: str, text: str) -> float:
    """Seconds from `30`, `30s`, `5m` or `1h`."""
    match = re.fullmatch(rf"({_DECIMAL})(s|m|h)?", text.strip())
    if match is None:
        raise UsageError(
            flag,
            f"expected seconds such as 30, 30s or 5m, got {text!r}",
            hint="a number, and behind it s, m or h where it is not seconds",
        )
    return float(match[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[match[2] or "s"]


def short_ns(flag: str, text: str) -> int:
    """Nanoseconds from `20us`, `1.5ms` or `2s`: for times in which a second is long."""
    match = re.fullmatch(rf"({_DECIMAL})(us|\u00b5s|ms|s)", text.strip())
    if match is None:
        raise UsageError(
            flag,
            f"expected a time such as 20us, 1.5ms or 2s, got {text!r}",
            hint="a number, and behind it us, ms or s",
        )
    return round(float(match[1]) * _SHORT_UNITS_NS[match[2]])


def grain_ns(text: str) -> int:
    """The bound up to which wake-ups are batched, within what the engine takes."""
    value = short_ns("--grain", text)
    if not GRAIN_MIN_NS <= value <= GRAIN_MAX_NS:
        raise UsageError(
            "--grain",
            f"expected 1us to 10ms, got {text}",
            hint="20us is the default; 1ms is what wrk2 uses",
        )
    return value


def rates(text: str, duration_s: float) -> tuple[float, list[RatePart]]:
    """The mean rate of `10000`, `1000,5000,2000`, `2000:10000:2000` or `2000..10000`; its parts.

    Steps have equal lengths, `duration_s` together; one rate has no parts.
    """
    first, dots, last = text.partition("..")
    if dots:
        ramp = RatePart(_rate(first, text), _rate(last, text), duration_s)
        if ramp.from_rps == ramp.to_rps:
            return ramp.from_rps, []
        return (ramp.from_rps + ramp.to_rps) / 2, [ramp]
    steps = _steps(text) if ":" in text else [_rate(part, text) for part in text.split(",")]
    if len(steps) == 1:
        return steps[0], []
    each_s = duration_s / len(steps)
    if each_s < PART_MIN_S:
        raise UsageError(
            "--rps",
            f"{text!r} has {len(steps)} steps in {duration_s:g} s, expected 1 s or more for each",
            hint=f"--duration {len(steps)} or longer, or fewer steps",
        )
    return sum(steps) / len(steps), [RatePart(step, step, each_s) for step in steps]


def _steps(text: str) -> list[float]:
    ends = text.split(":")
    if len(ends) != 3:
        raise _not_rates(text)
    first, last, by = (_rate(end, text) for end in ends)
    count = int(abs(last - first) / by * (1 + 1e-12)) + 1
    if count > PARTS_MAX:
        raise UsageError(
            "--rps",
            f"expected at most {PARTS_MAX} steps, got {count} of {text!r}",
            hint="a ramp is written 2000..10000",
        )
    return [first + step * (by if last >= first else -by) for step in range(count)]


def _rate(part: str, text: str) -> float:
    try:
        value = float(part)
    except ValueError:
        raise _not_rates(text) from None
    return number("--rps", value, low=1, high=RATE_MAX, unit="requests/s")


def _not_rates(text: str) -> UsageError:
    return UsageError(
        "--rps",
        f"expected a rate, steps or a ramp, got {text!r}",
        hint="such as 10000, 1000,5000,2000 or 2000:10000:2000 (steps), 2000..10000 (a ramp)",
    )


def slo(text: str, percentiles: str) -> Slo:
    """From `p99=5ms,p50=1ms`; UsageError names what is wrong with it."""
    terms: dict[str, Term] = {}
    for part in text.split(","):
        if part.strip() == "errors=0":
            continue  # is always among the promises
        name, _, limit = part.partition("=")
        percentile = _PERCENTILES.get(name.strip().lower())
        if percentile is None or not limit or percentile in terms:
            raise UsageError(
                "--slo",
                f"expected {', '.join(_PERCENTILES)} = a time, each once, got {part.strip()!r}",
                hint="such as --slo p99=5ms or --slo p50=1ms,p99.9=20ms",
            )
        limit_ns = short_ns("--slo", limit)
        if limit_ns < GRAIN_MIN_NS:
            raise UsageError(
                "--slo", f"expected 1us or more, got {limit}", hint="nothing answers that fast"
            )
        terms[percentile] = Term(percentile, limit_ns)
    if not terms:
        raise UsageError("--slo", f"promises no time: {text!r}", hint="such as --slo p99=5ms")
    return Slo(text=text, terms=list(terms.values()), percentiles=percentiles)


def scenario(name: str, folder: Path) -> Scenario:
    """A scenario by its name, or by the path of a TOML file."""
    if name.endswith(".toml"):
        return manifests.read_scenario(Path(name))
    known = manifests.find_scenarios(folder)
    if name not in known:
        raise UsageError(
            "--scenario",
            f"expected one of {', '.join(known)} or a .toml file, got {name!r}",
            hint="`bench list` shows them",
        )
    return manifests.read_scenario(known[name])


def store(name: str, folder: Path) -> Store:
    """A store by its name: one that is got and started."""
    known = stores.find_stores(folder)
    if name not in known:
        raise UsageError(
            "--target",
            f"expected http://host:port/path or one of {', '.join(known)}, got {name!r}",
            hint="loadgen/targets/ says what each of them is",
        )
    return stores.read_store(known[name])


def signing(payload: str | None, environment: Mapping[str, str]) -> Signing | None:
    """Who signs, by AWS's own variables; None where they are not set. No message tells a value."""
    access_key = environment.get("AWS_ACCESS_KEY_ID", "")
    secret_key = environment.get("AWS_SECRET_ACCESS_KEY", "")
    hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither"
    if bool(access_key) != bool(secret_key):
        unset = "AWS_SECRET_ACCESS_KEY" if access_key else "AWS_ACCESS_KEY_ID"
        raise UsageError(unset, "is not set, and the other key is", hint=hint)
    if not access_key:
        if payload is not None:
            raise UsageError("--payload", f"{payload} with nobody to sign", hint=hint)
        return None
    if environment.get("AWS_SESSION_TOKEN"):
        raise UsageError(
            "AWS_SESSION_TOKEN",
            "is set: keys that need a token are not spoken",
            hint="use a lasting key, and unset AWS_SESSION_TOKEN",
        )
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    return Signing(access_key, secret_key, region, payload or "unsigned")


def target(text: str) -> Target:
    """From `http://host:port/path`; UsageError for anything else."""
    try:
        parts = urllib.parse.urlsplit(text)
        port = 80 if parts.port is None else parts.port
    except ValueError as error:
        raise UsageError(
            "--target", f"{text!r} is not a URL: {error}", hint="write http://host:port/path"
        ) from error
    plain = text.isascii() and text.isprintable() and " " not in text
    host = parts.hostname
    if not plain or parts.scheme != "http" or not host or not port or parts.username:
        raise UsageError(
            "--target",
            f"expected http://host:port/path, got {text!r}",
            hint="TLS is not spoken; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    path = parts.path or "/"
    query = f"?{parts.query}" if parts.query else ""
    return Target(address=host, port=port, host=parts.netloc, path=path + query)
