"""MinIO's client mc; its alias is told by the environment."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.steps import Place, command, main, tool


class Mc:
    """One process an operation, with a configuration folder of its own."""

    def __init__(self, place: Place) -> None:
        """Describe the alias `there`."""
        self.place = place
        host = place.endpoint.removeprefix("http://")
        self.environment = {
            "MC_HOST_there": f"http://{place.key_id}:{place.secret}@{host}",
            "MC_CONFIG_DIR": str(place.folder / "mc"),
        }

    def _mc(self, *arguments: str) -> bytes:
        return command(tool("mc"), *arguments, environment=self.environment)

    def _address(self, key: str) -> str:
        return f"there/{self.place.bucket}/{key}"

    def put(self, key: str, file: Path) -> None:
        """Upload a file."""
        self._mc("cp", "--quiet", str(file), self._address(key))

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._mc("cat", self._address(key))

    def tail(self, key: str, first: int) -> bytes:
        """The object from a byte to its end."""
        return self._mc("cat", "--offset", str(first), self._address(key))

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix."""
        lines = self._mc("ls", "--recursive", "--json", self._address(prefix)).splitlines()
        return [prefix + json.loads(line)["key"] for line in lines]

    def delete(self, keys: list[str]) -> None:
        """The whole bucket's content, listed and deleted by DeleteObjects."""
        self._mc("rm", "--recursive", "--force", self._address(""))

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type and metadata."""
        given = f"Content-Type={content_type};colour={colour}"
        self._mc("cp", "--quiet", "--attr", given, str(file), self._address(key))

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type and colour."""
        told = json.loads(self._mc("stat", "--json", self._address(key)))["metadata"]
        return told["Content-Type"], told.get("X-Amz-Meta-Colour", "")


if __name__ == "__main__":
    main(Mc)
