"""s3cmd: path style, because its host_bucket names no bucket."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.steps import Place, command, main, tool

CONFIGURATION = """[default]
access_key = {key_id}
secret_key = {secret}
host_base = {host}
host_bucket = {host}
bucket_location = {region}
use_https = False
multipart_chunk_size_mb = 5
"""


class S3cmd:
    """One process an operation, with a configuration file of its own."""

    def __init__(self, place: Place) -> None:
        """Write the configuration."""
        self.place = place
        self.configuration = place.folder / "s3cfg"
        host = place.endpoint.removeprefix("http://")
        text = CONFIGURATION.format(
            key_id=place.key_id, secret=place.secret, host=host, region=place.region
        )
        self.configuration.write_text(text)

    def _s3cmd(self, *arguments: str) -> bytes:
        return command(tool("s3cmd"), "-c", str(self.configuration), "--no-progress", *arguments)

    def _address(self, key: str) -> str:
        return f"s3://{self.place.bucket}/{key}"

    def put(self, key: str, file: Path) -> None:
        """Upload a file."""
        self._s3cmd("put", str(file), self._address(key))

    def get(self, key: str) -> bytes:
        """The whole object."""
        into = self.place.folder / "got"
        self._s3cmd("get", "--force", self._address(key), str(into))
        return into.read_bytes()

    def tail(self, key: str, first: int) -> bytes:
        """`--continue` asks for what is missing; what is there are zeros, so it is told apart."""
        into = self.place.folder / "tail"
        into.write_bytes(bytes(first))
        self._s3cmd("get", "--continue", self._address(key), str(into))
        whole = into.read_bytes()
        if whole[:first] != bytes(first):
            raise RuntimeError("it fetched the whole object")
        return whole[first:]

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix."""
        lines = self._s3cmd("ls", "--recursive", self._address(prefix)).decode().splitlines()
        return [line.split(self._address(""), 1)[1] for line in lines if line.strip()]

    def delete(self, keys: list[str]) -> None:
        """All of them in one command, which makes one DeleteObjects of it."""
        self._s3cmd("del", *(self._address(key) for key in keys))

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type and metadata."""
        header = f"--add-header=x-amz-meta-colour:{colour}"
        self._s3cmd("put", f"--mime-type={content_type}", header, str(file), self._address(key))

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type and colour."""
        told: dict[str, str] = {}
        for line in self._s3cmd("info", self._address(key)).decode().splitlines():
            name, _, value = line.partition(":")
            told[name.strip()] = value.strip()
        return told.get("MIME type"), told.get("x-amz-meta-colour", "")


if __name__ == "__main__":
    main(S3cmd)
