"""The JSON Schemas under docs/formats are what the nouns say now."""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.docs.pages import text_of
from tests.test_tidy import ROOT
from tools import schemas


def test_schemas_are_fresh() -> None:
    assert not schemas.stale(), "run `python tools/schemas.py` and commit the result"


def test_every_schema_has_a_noun_and_a_page() -> None:
    names = {path.name.removesuffix(".schema.json") for path in schemas.FOLDER.glob("*.json")}
    assert names == set(schemas.KINDS)
    folder = ROOT / "docs" / "formats"
    told = "".join(page.read_text(encoding="utf-8") for page in folder.glob("*.md"))
    told += text_of("docs/cli.md")
    missing = [name for name in names if f"{name}.schema.json" not in told]
    assert not missing, f"no page of docs/formats links to {missing}"


@pytest.mark.parametrize("name", sorted(schemas.KINDS))
def test_schemas_resolve_within_themselves(name: str) -> None:
    document = json.loads(schemas.schema(name))
    text = json.dumps(document)
    for part in text.split('"$ref": "#/$defs/')[1:]:
        assert part.split('"')[0] in document["$defs"]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("backends/*/backend.toml", "backend"),
        ("ebpf/*/probe.toml", "probe"),
        ("loadgen/scenarios/*.toml", "scenario"),
        ("loadgen/targets/*.toml", "store"),
    ],
)
def test_manifests_use_only_fields_of_their_schema(pattern: str, name: str) -> None:
    document = json.loads(schemas.schema(name))
    known = document["$defs"][document["$ref"].rpartition("/")[2]]["properties"]
    for path in sorted(ROOT.glob(pattern)):
        with path.open("rb") as file:
            assert set(tomllib.load(file)) <= set(known), path
