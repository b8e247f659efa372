"""The AWS SDK for JavaScript, version 3: one node process an operation, through client_js.js."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.steps import Place, command, main, tool

SCRIPT = Path(__file__).with_name("client_js.js")


class JavaScript:
    """Operations by name; bodies travel in files."""

    def __init__(self, place: Place) -> None:
        """Keep the folder for bodies."""
        self.folder = place.folder

    def _node(self, *arguments: str) -> bytes:
        return command(tool("node"), str(SCRIPT), *arguments)

    def put(self, key: str, file: Path) -> None:
        """Upload a file, from 5 MiB on in parts."""
        self._node("put", key, str(file))

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._node("get", key)

    def tail(self, key: str, first: int) -> bytes:
        """The object from a byte to its end."""
        return self._node("get", key, f"bytes={first}-")

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix, in pages of two."""
        return [str(key) for key in json.loads(self._node("list", prefix))]

    def delete(self, keys: list[str]) -> None:
        """DeleteObjects."""
        self._node("delete", json.dumps(keys))

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type and metadata."""
        self._node("put", key, str(file), content_type, colour)

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type and colour."""
        told = json.loads(self._node("head", key))
        return told["type"], told["colour"]


if __name__ == "__main__":
    main(JavaScript)
