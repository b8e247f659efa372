"""obstore: the Rust object_store crate behind Python."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tests.conformance.steps import Place, main

# Installed where the clients live, not where the types are checked.
obstore: Any = importlib.import_module("obstore")
stores: Any = importlib.import_module("obstore.store")


class Obstore:
    """The store with its default settings but for endpoint, region and keys."""

    def __init__(self, place: Place) -> None:
        """Connect."""
        self.store = stores.S3Store(
            place.bucket,
            endpoint=place.endpoint,
            region=place.region,
            access_key_id=place.key_id,
            secret_access_key=place.secret,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )

    def put(self, key: str, file: Path) -> None:
        """Upload a file; from 5 MiB on in parts."""
        obstore.put(self.store, key, file)

    def get(self, key: str) -> bytes:
        """The whole object."""
        return bytes(obstore.get(self.store, key).bytes())

    def tail(self, key: str, first: int) -> bytes:
        """The object from a byte to its end."""
        got = obstore.get(self.store, key, options={"range": {"offset": first}})
        return bytes(got.bytes())

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix."""
        pages = obstore.list(self.store, prefix.rstrip("/") or None, chunk_size=2)
        return [entry["path"] for page in pages for entry in page]

    def delete(self, keys: list[str]) -> None:
        """DeleteObjects."""
        obstore.delete(self.store, keys)

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type and metadata."""
        attributes = {"Content-Type": content_type, "colour": colour}
        obstore.put(self.store, key, file.read_bytes(), attributes=attributes)

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type and colour."""
        told = obstore.get(self.store, key).attributes
        return told["Content-Type"], told.get("colour", "")


if __name__ == "__main__":
    main(Obstore)
