"""What a scenario's file may say: every fault at once, by key; the engine has the same rules.

`loadgen/engine/tests/scenarios.json` is what both are tested with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from harness.model.store import FEATURES
from harness.model.toml_lines import Path

OBJECT_BYTES_MAX = 5 << 30
OBJECTS_MAX = 10_000_000_000
ROWS_MAX = 1000
OPERATIONS_MAX = 32
WEIGHT_MAX = 1_000_000
READS = ("get", "head", "range")
OPERATIONS = ("get", "put", "head", "delete", "list", "range")
_TEXT = r"[A-Za-z0-9._~/-]*"
_GROUP = r"(?:\{group(?::0(?:[1-9]|1[0-9]|20)d)?\})"
_INDEX = _GROUP.replace("group", "index")
_KEY = re.compile(rf"{_TEXT}(?:{_GROUP}{_TEXT})?{_INDEX}{_TEXT}(?:{_GROUP}{_TEXT})?")
_PREFIX = re.compile(rf"(?!$){_TEXT}{_GROUP}?{_TEXT}")
_KEY_BYTES_MAX = 1024 - 40  # numbers may be 20 digits long
_BUCKET = re.compile(r"[a-z0-9.-]{3,63}")


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one key."""

    path: Path
    what: str

    @property
    def key(self) -> str:
        """As in a message: `operations.1.weight`."""
        return ".".join(str(part) for part in self.path)


Check = Callable[[Path, Any, list[Fault]], None]


def faults(document: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with a scenario, in the order of its keys."""
    found: list[Fault] = []
    _SCENARIO((), document, found)
    if not found:
        _agree(document, found)
    return found


def _expected(expected: str, value: object) -> str:
    shown = repr(value) if isinstance(value, str) else str(value)
    return f"expected {expected}, got {shown[:80]}"


def _integer(low: int, high: int) -> Check:
    def check(path: Path, value: Any, found: list[Fault]) -> None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            found.append(Fault(path, _expected(f"{low} to {high}", value)))

    return check


def _above_zero(high: float) -> Check:
    def check(path: Path, value: Any, found: list[Fault]) -> None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value <= high:
            expected = f"a number above 0 and at most {high:g}"
            found.append(Fault(path, _expected(expected, value)))

    return check


def _matching(pattern: re.Pattern[str], expected: str, longest: int = 4096) -> Check:
    def check(path: Path, value: Any, found: list[Fault]) -> None:
        good = isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value)
        if not good or value.count("{group") > 1:
            found.append(Fault(path, _expected(expected, value)))

    return check


def _one_of(*values: str) -> Check:
    def check(path: Path, value: Any, found: list[Fault]) -> None:
        if value not in values:
            found.append(Fault(path, _expected(f"one of {', '.join(values)}", value)))

    return check


def _table(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    known = {**required, **optional}

    def check(path: Path, value: Any, found: list[Fault]) -> None:
        if not isinstance(value, Mapping):
            found.append(Fault(path, _expected(f"a table of {', '.join(known)}", value)))
            return
        for key in required:
            if key not in value:
                found.append(Fault((*path, key), "is missing"))
        for key, inner in value.items():
            if key in known:
                known[key]((*path, key), inner, found)
            else:
                what = f"expected one of {', '.join(known)}, got an unknown key"
                found.append(Fault((*path, key), what))

    return check


def _array(inner: Check, most: int) -> Check:
    def check(path: Path, value: Any, found: list[Fault]) -> None:
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            count = len(value) if isinstance(value, list) else value
            found.append(Fault(path, _expected(f"1 to {most} entries", count)))
            return
        for index, element in enumerate(value):
            inner((*path, index), element, found)

    return check


def _row(path: Path, value: Any, found: list[Fault]) -> None:
    if not isinstance(value, list) or len(value) != 2:
        found.append(Fault(path, _expected("[bytes, weight]", value)))
        return
    _BYTES((*path, 0), value[0], found)
    _integer(1, WEIGHT_MAX)((*path, 1), value[1], found)


def _size(path: Path, value: Any, found: list[Fault]) -> None:
    """A table whose keys depend on its distribution."""
    shapes: dict[str, dict[str, Check]] = {
        "fixed": {"bytes": _BYTES},
        "lognormal": {
            "median_bytes": _BYTES,
            "sigma": _above_zero(5),
            "min_bytes": _BYTES,
            "max_bytes": _BYTES,
        },
        "table": {"rows": _array(_row, ROWS_MAX)},
    }
    distribution = value.get("distribution") if isinstance(value, Mapping) else None
    shape = shapes.get(str(distribution), {})
    if not shape:
        _one_of(*shapes)((*path, "distribution"), distribution, found)
        return
    _table({"distribution": _one_of(*shapes), **shape}, {})(path, value, found)


_BYTES = _integer(1, OBJECT_BYTES_MAX)
_ANY_TEXT = _matching(re.compile(r".*", re.DOTALL), "text")
_SCENARIO = _table(
    {
        "schema": _integer(1, 1),
        "name": _ANY_TEXT,
        "title": _ANY_TEXT,
        "objects": _table(
            {
                "bucket": _matching(_BUCKET, "3 to 63 of a-z, 0-9, '-' and '.'"),
                "count": _integer(1, OBJECTS_MAX),
                "key": _matching(
                    _KEY,
                    "one {index} or {index:08d}, perhaps {group}, and unreserved URL characters",
                    _KEY_BYTES_MAX,
                ),
            },
            {
                "size_bytes": _BYTES,
                "size": _size,
                "group": _integer(1, OBJECTS_MAX),
                "churn": _integer(0, OBJECTS_MAX),
                "popularity": _one_of("uniform", "zipf"),
                "exponent": _above_zero(10),
            },
        ),
        "operations": _array(
            _table(
                {
                    "name": _one_of(*OPERATIONS),
                    "weight": _integer(1, WEIGHT_MAX),
                    "status": _integer(200, 599),
                },
                {
                    "length_bytes": _BYTES,
                    "keys": _integer(1, 1000),
                    "prefix": _matching(
                        _PREFIX, "unreserved URL characters and at most one {group}", _KEY_BYTES_MAX
                    ),
                },
            ),
            OPERATIONS_MAX,
        ),
    },
    {
        "check": _table({}, {"digest_one_in": _integer(0, (1 << 63) - 1)}),
        "preload": _table({}, {"count": _integer(0, OBJECTS_MAX), "parallel": _integer(1, 60_000)}),
        "needs": _array(_one_of(*FEATURES), len(FEATURES)),
    },
)


def _agree(document: Mapping[str, Any], found: list[Fault]) -> None:
    """Keys that are right by themselves and not together."""
    objects, operations = document["objects"], document["operations"]
    _agree_on_objects(objects, found)
    names = [operation["name"] for operation in operations]
    for index, operation in enumerate(operations):
        path: Path = ("operations", index)
        if operation["name"] in names[:index]:
            found.append(Fault((*path, "name"), _expected("each name once", operation["name"])))
        _agree_on_operation(path, operation, objects, found)
    _agree_on_churn(objects, operations, found)
    least = 1 if any(name in READS for name in names) else 0
    count = document.get("preload", {}).get("count")
    if count is not None:
        _integer(least, objects["count"])(("preload", "count"), count, found)


def _agree_on_objects(objects: Mapping[str, Any], found: list[Fault]) -> None:
    def fault(key: str, what: str) -> None:
        found.append(Fault(("objects", *key.split(".")), what))

    if ("size_bytes" in objects) == ("size" in objects):
        got = "both" if "size" in objects else "none"
        fault("size_bytes", f"expected either size_bytes or [objects.size], got {got}")
    size = objects.get("size", {})
    if size.get("distribution") == "lognormal":
        low, high = size["min_bytes"], size["max_bytes"]
        if low > high:
            fault("size.min_bytes", _expected(f"1 to {high}, which is max_bytes", low))
        elif not low <= size["median_bytes"] <= high:
            fault("size.median_bytes", _expected(f"{low} to {high}", size["median_bytes"]))
    if "{group" in objects["key"] and "group" not in objects:
        fault("key", _expected("{group} only with objects.group", objects["key"]))
    if "group" in objects and "{group" not in objects["key"]:
        fault("group", _expected("it only with {group} in objects.key", objects["group"]))
    zipf = objects.get("popularity") == "zipf"
    if zipf and "exponent" not in objects:
        fault("exponent", "is missing, and popularity zipf needs one")
    if not zipf and "exponent" in objects:
        fault("exponent", _expected("it only with popularity zipf", objects["exponent"]))


def largest(objects: Mapping[str, Any]) -> int:
    """The largest size that an object can have."""
    size = objects.get("size", {})
    rows = size.get("rows", [])
    sizes: list[int] = [
        objects.get("size_bytes", 0),
        size.get("bytes", 0),
        size.get("max_bytes", 0),
    ]
    return max([*sizes, *(int(row[0]) for row in rows)])


def _agree_on_operation(
    path: Path, operation: Mapping[str, Any], objects: Mapping[str, Any], found: list[Fault]
) -> None:
    owners = {"length_bytes": "range", "keys": "list", "prefix": "list"}
    for key, owner in owners.items():
        if key in operation and operation["name"] != owner:
            what = _expected(f"it only with name {owner}", operation[key])
            found.append(Fault((*path, key), what))
    if operation["name"] == "range":
        if "length_bytes" not in operation:
            found.append(Fault((*path, "length_bytes"), "is missing, and range needs it"))
        elif operation["length_bytes"] > largest(objects) > 0:
            expected = f"1 to {largest(objects)}, the largest object"
            what = _expected(expected, operation["length_bytes"])
            found.append(Fault((*path, "length_bytes"), what))
    if "{group" in operation.get("prefix", "") and "group" not in objects:
        what = _expected("{group} only with objects.group", operation["prefix"])
        found.append(Fault((*path, "prefix"), what))


def _agree_on_churn(
    objects: Mapping[str, Any], operations: list[Mapping[str, Any]], found: list[Fault]
) -> None:
    path: Path = ("objects", "churn")
    churn = objects.get("churn", 0)
    weights = {operation["name"]: operation["weight"] for operation in operations}
    deletes, puts = weights.get("delete", 0), weights.get("put", 0)
    if churn == 0 and deletes and any(name in weights for name in READS):
        expected = "objects of its own for delete, for get, head and range miss others"
        found.append(Fault(path, _expected(expected, 0)))
    elif churn == 1:
        found.append(Fault(path, _expected("0, or 2 and more", churn)))
    elif churn and not deletes:
        found.append(Fault(path, _expected("it only with an operation delete", churn)))
    elif churn and deletes > puts:
        at = [operation["name"] for operation in operations].index("delete")
        expected = f"at most the weight of put ({puts}), which brings objects back"
        found.append(Fault(("operations", at, "weight"), _expected(expected, deletes)))
