"""Which messages of another process are taken: a worker's events, and a master's plan.

Who has the token may still be damaged or of another version, and without a token anybody of this
machine may write. A worker with a flaw is lost by name; a plan with one starts no engine.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

from engine_plan import COUNTERS, DIGITS, HIGHEST_NS, LOWEST_NS
from hdrh.codec import HdrCookieException, HdrHistogramSettingsException, HdrLengthException
from hdrh.histogram import HdrHistogram

# A closed list: what the master itself tells (`locust_done`) no worker can.
NUMBERS = {
    "ready": ("pid",),
    "start": ("start_ns", "measure_ns", "end_ns", "ahead_ns"),
    "second": ("index",),
    "done": ("wall_ns",),
    "engine_ended": ("exit_status",),
    "error": (),
}
TEXTS = ("where", "what", "expected", "found", "hint")
HISTOGRAMS = frozenset({"response", "service", "own_fault_lag", "backlog_lag"})
NUMBER_MAX = 2**63 - 1
INDEX_MAX = 8 * 24 * 3600  # seconds: a trial lasts a week at most
KINDS_MAX = 64  # of errors, and of operations
TEXT_MAX = 4096  # characters
HEAD_START_MAX_NS = 3600 * 10**9
INFLATED_BYTES_MAX = 1 << 20  # some 27,600 counts of at most nine bytes
_NO_HISTOGRAM = (
    *(HdrCookieException, HdrHistogramSettingsException, HdrLengthException),
    *(ValueError, TypeError, IndexError, OverflowError, zlib.error),
)


def flaw_of_event(event: Any, *, decoding: bool) -> str:
    """Why this is no event of an engine; "" when it is one. `decoding`: its histograms, too."""
    kind = event.get("event") if isinstance(event, dict) else None
    if not isinstance(kind, str) or kind not in NUMBERS:
        return "an unknown event"
    for name in NUMBERS[kind]:
        if not _whole(event.get(name), low=-NUMBER_MAX):
            return f"{kind} without a number {name}"
    if kind == "second" and not 0 <= event["index"] <= INDEX_MAX:
        return "a second beyond a week"
    if kind == "error" and not all(isinstance(event.get(name), str | None) for name in TEXTS):
        return "an error without words"
    if kind == "done":
        return _flaw_of_counts(event, decoding) or _flaw_of_done(event, decoding)
    return _flaw_of_counts(event, decoding) if kind == "second" else ""


def flaw_of_plan(told: Any) -> str:
    """Why this is no message with a plan; "" when it is one. The engine checks the plan itself."""
    plan = told.get("plan") if isinstance(told, dict) else None
    if not isinstance(plan, dict):
        return "no plan"
    head_ns = told.get("start_in_ns")
    if head_ns is not None and not _whole(head_ns, high=HEAD_START_MAX_NS):
        return "a start that is not within an hour"
    rate = plan.get("rate_rps")
    if not isinstance(rate, int | float) or not _whole(plan.get("connections")):
        return "a plan without rate and connections"
    target = plan.get("target")
    known = isinstance(target, dict) and _text(target.get("address")) and _whole(target.get("port"))
    return "" if known else "a plan without a target"


def _whole(value: Any, *, low: int = 0, high: int = NUMBER_MAX) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _text(value: Any) -> bool:
    """What may be printed: a terminal obeys other characters."""
    return isinstance(value, str) and len(value) <= TEXT_MAX and value.isprintable()


def _flaw_of_counts(event: dict[str, Any], decoding: bool) -> str:
    for name in COUNTERS:
        if event.get(name) is not None and not _whole(event[name]):
            return f"a count {name} that is none"
    errors = event.get("errors", {})
    named = isinstance(errors, dict) and len(errors) <= KINDS_MAX
    if not named or not all(_text(kind) and _whole(n) for kind, n in errors.items()):
        return "errors that are not counted by kind"
    histograms = event.get("histograms", {})
    if not isinstance(histograms, dict) or (histograms and set(histograms) != HISTOGRAMS):
        return "other histograms than an engine's"
    return _flaw_of_histograms(list(histograms.values()), decoding)


def _flaw_of_done(event: dict[str, Any], decoding: bool) -> str:
    totals, operations = event.get("totals"), event.get("by_operation")
    if not isinstance(totals, dict) or not _whole(totals.get("offered")):
        return "done without totals"
    if not isinstance(operations, dict) or len(operations) > KINDS_MAX:
        return "done without operations"
    for name, part in operations.items():
        whole = isinstance(part, dict) and _whole(part.get("good")) and _whole(part.get("errors"))
        if not whole or not _text(name):
            return "an operation that is none"
        flaw = _flaw_of_histograms([part.get("response")], decoding)
        if flaw:
            return flaw
    return _flaw_of_counts(totals, decoding)


def _flaw_of_histograms(encoded: list[Any], decoding: bool) -> str:
    if not all(isinstance(text, str) for text in encoded):
        return "a histogram that is no text"
    if decoding and not all(_decodes(text) for text in encoded):
        return "a histogram that cannot be decoded"
    return ""


def _decodes(encoded: str) -> bool:
    """Whether it is a histogram as the engine makes them; nothing larger is ever inflated."""
    try:
        inflater = zlib.decompressobj()
        inflater.decompress(base64.b64decode(encoded)[8:], INFLATED_BYTES_MAX)
        if inflater.unconsumed_tail:
            return False
        found = HdrHistogram.decode(encoded)
    except _NO_HISTOGRAM:
        return False
    has = found.lowest_trackable_value, found.highest_trackable_value, found.significant_figures
    return bool(has == (LOWEST_NS, HIGHEST_NS, DIGITS))
