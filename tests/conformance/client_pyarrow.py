"""pyarrow: the AWS SDK for C++ behind Arrow's file system; it writes every object in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyarrow import fs

from tests.conformance.steps import Place, main


class Pyarrow:
    """The file system with its default settings but for endpoint, region and keys."""

    def __init__(self, place: Place) -> None:
        """Connect."""
        self.bucket = place.bucket
        self.files: Any = fs.S3FileSystem(
            access_key=place.key_id,
            secret_key=place.secret,
            region=place.region,
            scheme="http",
            endpoint_override=place.endpoint.removeprefix("http://"),
        )

    def put(self, key: str, file: Path) -> None:
        """Upload a file."""
        with self.files.open_output_stream(f"{self.bucket}/{key}") as stream:
            stream.write(file.read_bytes())

    def get(self, key: str) -> bytes:
        """The whole object."""
        with self.files.open_input_stream(f"{self.bucket}/{key}") as stream:
            return bytes(stream.read())

    def tail(self, key: str, first: int) -> bytes:
        """The object from a byte to its end."""
        with self.files.open_input_file(f"{self.bucket}/{key}") as file:
            return bytes(file.read_at(file.size() - first, first))

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix."""
        selector = fs.FileSelector(f"{self.bucket}/{prefix}".rstrip("/"), recursive=True)
        found = self.files.get_file_info(selector)
        return [info.path.split("/", 1)[1] for info in found if info.type == fs.FileType.File]

    def delete(self, keys: list[str]) -> None:
        """The whole bucket's content, listed and deleted by DeleteObjects."""
        self.files.delete_dir_contents(self.bucket)

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type; it has no user metadata."""
        given = {"Content-Type": content_type}
        with self.files.open_output_stream(f"{self.bucket}/{key}", metadata=given) as stream:
            stream.write(file.read_bytes())

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type alone."""
        with self.files.open_input_file(f"{self.bucket}/{key}") as file:
            return file.metadata()["Content-Type"].decode(), None


if __name__ == "__main__":
    main(Pyarrow)
