"""rclone with its S3 backend, provider "Other"; its remote is told by the environment."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.steps import Place, command, main, tool


class Rclone:
    """One process an operation; no configuration file, no second try."""

    def __init__(self, place: Place) -> None:
        """Describe the remote `there`."""
        self.place = place
        remote = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ACCESS_KEY_ID": place.key_id,
            "SECRET_ACCESS_KEY": place.secret,
            "ENDPOINT": place.endpoint,
            "REGION": place.region,
            "FORCE_PATH_STYLE": "true",
            "UPLOAD_CUTOFF": "5Mi",
            "CHUNK_SIZE": "5Mi",
        }
        self.environment = {f"RCLONE_CONFIG_THERE_{name}": value for name, value in remote.items()}
        self.environment |= {
            "RCLONE_CONFIG": str(place.folder / "no-config"),
            "RCLONE_RETRIES": "1",
            "RCLONE_LOW_LEVEL_RETRIES": "1",
        }

    def _rclone(self, *arguments: str) -> bytes:
        return command(tool("rclone"), *arguments, environment=self.environment)

    def _address(self, key: str) -> str:
        return f"there:{self.place.bucket}/{key}"

    def put(self, key: str, file: Path) -> None:
        """Upload a file."""
        self._rclone("copyto", str(file), self._address(key))

    def get(self, key: str) -> bytes:
        """The whole object."""
        into = self.place.folder / "got"
        into.unlink(missing_ok=True)
        self._rclone("copyto", self._address(key), str(into))
        return into.read_bytes()

    def tail(self, key: str, first: int) -> bytes:
        """The object from a byte to its end."""
        return self._rclone("cat", "--offset", str(first), self._address(key))

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix."""
        lines = self._rclone("lsf", "--recursive", "--files-only", self._address(prefix))
        return [prefix + line for line in lines.decode().splitlines()]

    def delete(self, keys: list[str]) -> None:
        """By name from a list; rclone sends one DELETE a key."""
        listed = self.place.folder / "keys"
        listed.write_text("".join(f"{key}\n" for key in keys))
        self._rclone("delete", "--files-from-raw", str(listed), self._address(""))

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type and metadata."""
        headers = [f"Content-Type: {content_type}", f"x-amz-meta-colour: {colour}"]
        flags = [part for header in headers for part in ("--header-upload", header)]
        self._rclone("copyto", *flags, str(file), self._address(key))

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type and colour."""
        told = json.loads(self._rclone("lsjson", "--stat", "-M", self._address(key)))
        return told["MimeType"], told["Metadata"].get("colour", "")


if __name__ == "__main__":
    main(Rclone)
