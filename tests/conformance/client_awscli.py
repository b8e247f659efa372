"""The AWS command line: `aws s3` for transfers, `aws s3api` for the rest."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.steps import Place, command, main, tool


class AwsCommandLine:
    """One process an operation; no configuration file."""

    def __init__(self, place: Place) -> None:
        """Keep the environment that every call gets."""
        self.place = place
        self.environment = {
            "AWS_ACCESS_KEY_ID": place.key_id,
            "AWS_SECRET_ACCESS_KEY": place.secret,
            "AWS_DEFAULT_REGION": place.region,
            "AWS_CONFIG_FILE": str(place.folder / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(place.folder / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": place.endpoint,
        }

    def _aws(self, *arguments: str) -> bytes:
        return command(tool("aws"), *arguments, environment=self.environment)

    def _address(self, key: str) -> str:
        return f"s3://{self.place.bucket}/{key}"

    def put(self, key: str, file: Path) -> None:
        """Upload a file."""
        self._aws("s3", "cp", "--quiet", str(file), self._address(key))

    def get(self, key: str) -> bytes:
        """The whole object."""
        into = self.place.folder / "got"
        self._aws("s3", "cp", "--quiet", self._address(key), str(into))
        return into.read_bytes()

    def tail(self, key: str, first: int) -> bytes:
        """The object from a byte to its end."""
        into = self.place.folder / "tail"
        given = ["--bucket", self.place.bucket, "--key", key, "--range", f"bytes={first}-"]
        self._aws("s3api", "get-object", *given, str(into))
        return into.read_bytes()

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix, in pages of two."""
        given = ["--bucket", self.place.bucket, "--prefix", prefix, "--page-size", "2"]
        told = json.loads(self._aws("s3api", "list-objects-v2", *given, "--output", "json"))
        return [entry["Key"] for entry in told["Contents"]]

    def delete(self, keys: list[str]) -> None:
        """DeleteObjects."""
        objects = json.dumps({"Objects": [{"Key": key} for key in keys]})
        given = ["--bucket", self.place.bucket, "--delete", objects, "--output", "json"]
        told = json.loads(self._aws("s3api", "delete-objects", *given))
        if told.get("Errors"):
            raise RuntimeError(str(told["Errors"]))

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type and metadata."""
        given = ["--content-type", content_type, "--metadata", json.dumps({"colour": colour})]
        self._aws("s3", "cp", "--quiet", str(file), self._address(key), *given)

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type and colour."""
        given = ["--bucket", self.place.bucket, "--key", key, "--output", "json"]
        head = json.loads(self._aws("s3api", "head-object", *given))
        return head["ContentType"], head["Metadata"].get("colour", "")


if __name__ == "__main__":
    main(AwsCommandLine)
