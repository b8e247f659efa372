"""The manifest and the folder of every backend."""

from __future__ import annotations

import re

from tests.contract.servers import Backend

TRACKS = {"controlled", "idiomatic", "article", "cross"}
PROFILES = {"durable", "verify", "mpu", "versions", "checksums"}
PROTOCOLS = {"h1", "h1-pipelined", "h2c", "fastcgi"}


def test_the_manifest_says_what_the_contract_asks(backend: Backend) -> None:
    manifest = backend.manifest
    assert manifest["schema"] == 1
    assert re.fullmatch(r"[a-z][a-z0-9-]*", manifest["name"])
    assert manifest["name"] == backend.folder.name
    assert {"title", "language", "license", "collector", "build", "run"} <= manifest.keys()
    assert {"artifact", "version_argument"} <= manifest["build"].keys()
    assert sum(variant.get("default", False) for variant in manifest["variants"]) == 1
    assert backend.profiles <= PROFILES
    assert len(backend.profiles) == len(manifest.get("profiles", ())), "a profile stands twice"
    for variant in manifest["variants"]:
        assert variant["tracks"]
        assert set(variant["tracks"]) <= TRACKS
        assert set(variant["protocols"]) <= PROTOCOLS
        assert "h1" in variant["protocols"], "the contract is tested in HTTP/1.1"
        assert variant.get("by_protocol", {}).keys() <= set(variant["protocols"])
    for option in manifest.get("options", {}).values():
        assert ("values" in option) != ("pattern" in option)
        assert ("argument" in option) != ("environment" in option)
        if "values" in option:
            assert option["default"] in option["values"]


def test_the_folder_has_its_files(backend: Backend) -> None:
    for name in ("Makefile", "README.md"):
        assert (backend.folder / name).is_file()
    makefile = (backend.folder / "Makefile").read_text()
    for verb in ("build", "check", "test", "format", "clean"):
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE), verb
