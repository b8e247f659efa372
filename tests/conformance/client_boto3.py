"""boto3: the AWS SDK for Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3

from tests.conformance.steps import Place, main


class Boto3:
    """The client with its default settings but for endpoint, region and keys."""

    def __init__(self, place: Place) -> None:
        """Connect."""
        self.bucket = place.bucket
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=place.endpoint,
            region_name=place.region,
            aws_access_key_id=place.key_id,
            aws_secret_access_key=place.secret,
        )

    def put(self, key: str, file: Path) -> None:
        """Upload a file."""
        self.s3.upload_file(str(file), self.bucket, key)

    def get(self, key: str) -> bytes:
        """The whole object."""
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def tail(self, key: str, first: int) -> bytes:
        """The object from a byte to its end."""
        got = self.s3.get_object(Bucket=self.bucket, Key=key, Range=f"bytes={first}-")
        body: bytes = got["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix, in pages of two."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, PaginationConfig={"PageSize": 2}
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def delete(self, keys: list[str]) -> None:
        """DeleteObjects."""
        objects = {"Objects": [{"Key": key} for key in keys]}
        errors = self.s3.delete_objects(Bucket=self.bucket, Delete=objects).get("Errors")
        if errors:
            raise RuntimeError(str(errors))

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type and metadata."""
        extra = {"ContentType": content_type, "Metadata": {"colour": colour}}
        self.s3.upload_file(str(file), self.bucket, key, ExtraArgs=extra)

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type and colour."""
        head = self.s3.head_object(Bucket=self.bucket, Key=key)
        return head["ContentType"], head["Metadata"].get("colour", "")


if __name__ == "__main__":
    main(Boto3)
