"""Writes the JSON Schemas of every file format from the nouns that read and write it.

`python tools/schemas.py` writes docs/formats/*.schema.json; `--check` only compares, and exits 1
when one is stale. The test of that is tests/docs/test_schemas.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness.model.analysis import Analysis, Second  # noqa: E402
from harness.model.capacity import Capacity  # noqa: E402
from harness.model.collected import SlowRequest  # noqa: E402
from harness.model.compare import Comparison  # noqa: E402
from harness.model.facts import ProbeOutcome, TrialFacts  # noqa: E402
from harness.model.manifest import BackendManifest, ProbeManifest, Scenario  # noqa: E402
from harness.model.plan import Artifact, Plan  # noqa: E402
from harness.model.site import SiteIndex  # noqa: E402
from harness.model.store import Store  # noqa: E402
from harness.model.trial import TrialData  # noqa: E402

FOLDER = ROOT / "docs" / "formats"
KINDS: dict[str, Any] = {
    "backend": BackendManifest,
    "probe": ProbeManifest,
    "scenario": Scenario,
    "store": Store,
    "plan": Plan,
    "artifacts": list[Artifact],
    "facts": TrialFacts,
    "probes": list[ProbeOutcome],
    "trial": TrialData,
    "analysis": Analysis,
    "comparison": Comparison,
    "capacity": Capacity,
    "series": Second,
    "slow": SlowRequest,
    "site": SiteIndex,
}


def schema(name: str) -> str:
    """The schema of one format as its file holds it."""
    document = msgspec.json.schema(KINDS[name])
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Pausemark {name}",
    }
    return json.dumps({**head, **document}, indent=1, sort_keys=False) + "\n"


def path(name: str) -> Path:
    """Where it lies."""
    return FOLDER / f"{name}.schema.json"


def stale() -> list[str]:
    """The formats whose file is missing or not what the nouns say now."""
    return [
        name
        for name in KINDS
        if not path(name).is_file() or path(name).read_text(encoding="utf-8") != schema(name)
    ]


def main(arguments: list[str]) -> int:
    """Write what is stale, or with --check only name it."""
    names = stale()
    for name in names:
        if "--check" in arguments:
            sys.stderr.write(f"error: {path(name).name}: is stale\n")
        else:
            path(name).write_text(schema(name), encoding="utf-8")
            sys.stderr.write(f"wrote {path(name).relative_to(ROOT)}\n")
    if names and "--check" in arguments:
        sys.stderr.write("hint: run `python tools/schemas.py` and commit the result\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
