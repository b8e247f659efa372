"""The steps that every client takes, with the same data and the same checks for all of them.

A driver (`client_<name>.py`) says only how its client does one operation. It runs as a program of
its own, in the environment that its client needs, and prints one JSON object a step.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from tests.contract.signing import Client as Reference
from tests.contract.signing import Key, Signer

COMMAND_TIMEOUT_S = 120
WHY_CHARACTERS_MAX = 400
SMALL = bytes(range(250)) * 4
BIG_BYTES = 17 << 20  # the largest part that a client here makes by default has 16 MiB
KEYS = {"plain": SMALL, "a key/€+1": SMALL[::-1], "dir/sub/deep": b"d" * 10, "dir/empty": b""}
RANGE_FIRST = 700
CONTENT_TYPE, COLOUR = "text/x-pausemark", "dark red"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the client works: a server, a key pair, a bucket that exists, a folder of its own."""

    endpoint: str
    key_id: str
    secret: str
    region: str
    bucket: str
    folder: Path

    @property
    def reference(self) -> Reference:
        """The tests' own client, for what no client shows."""
        port = int(self.endpoint.rpartition(":")[2])
        return Reference(port, Signer(Key(self.key_id, self.secret)))


class Client(Protocol):
    """One client; a failure is any exception."""

    def put(self, key: str, file: Path) -> None:
        """Upload a file."""

    def get(self, key: str) -> bytes:
        """The whole object."""

    def tail(self, key: str, first: int) -> bytes:
        """The object from a byte to its end, by a range request."""

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix that is empty or ends in a slash, at any depth."""

    def delete(self, keys: list[str]) -> None:
        """Delete these keys, which are all that there are."""

    def put_with(self, key: str, file: Path, content_type: str, colour: str) -> None:
        """Upload with a content type and the metadata `colour`."""

    def metadata(self, key: str) -> tuple[str | None, str | None]:
        """Content type, and the metadata `colour` (None: the client has no user metadata)."""


class WrongError(Exception):
    """The client was content, and the result is not what was stored."""


def expect(what: str, got: object, wanted: object) -> None:
    """Raise when they differ, with as much of both as a line can bear."""
    if got != wanted:
        raise WrongError(f"{what}: expected {str(wanted)[:120]}, got {str(got)[:120]}")


def _put(place: Place, client: Client) -> None:
    for number, (key, body) in enumerate(KEYS.items()):
        file = place.folder / f"source-{number}"
        file.write_bytes(body)
        client.put(key, file)
        stored = place.reference.ask("GET", f"/{place.bucket}/{quote(key)}")
        expect(f"stored {key}", (stored.status, stored.body), (200, body))


def _get(_: Place, client: Client) -> None:
    for key, body in KEYS.items():
        expect(f"body of {key}", client.get(key), body)


def _range(_: Place, client: Client) -> None:
    for key in ("plain", "a key/€+1"):
        expect(f"tail of {key}", client.tail(key, RANGE_FIRST), KEYS[key][RANGE_FIRST:])


def _list(_: Place, client: Client) -> None:
    expect("all keys", sorted(client.keys("")), sorted(KEYS))
    expect("keys in dir/", sorted(client.keys("dir/")), ["dir/empty", "dir/sub/deep"])


def _metadata(place: Place, client: Client) -> None:
    client.put_with("described", place.folder / "source-0", CONTENT_TYPE, COLOUR)
    content_type, colour = client.metadata("described")
    expect("content type", content_type, CONTENT_TYPE)
    if colour is not None:
        expect("metadata", colour, COLOUR)
        stored = place.reference.ask("HEAD", f"/{place.bucket}/described")
        expect("metadata on the wire", stored.header("x-amz-meta-colour"), COLOUR)


def _multipart(place: Place, client: Client) -> None:
    file = place.folder / "big"
    file.write_bytes((SMALL * (BIG_BYTES // len(SMALL) + 1))[:BIG_BYTES])
    client.put("big", file)
    stored = place.reference.ask("HEAD", f"/{place.bucket}/big")
    expect("made of parts", "-" in (stored.header("etag") or ""), True)
    if client.get("big") != file.read_bytes():
        raise WrongError("the big object came back changed")


def _delete(place: Place, client: Client) -> None:
    client.delete([*KEYS, "described", "big"])
    listed = place.reference.ask("GET", f"/{place.bucket}?list-type=2")
    expect("keys left", [e.text for e in listed.xml().findall("Contents/Key")], [])


STEPS: dict[str, Callable[[Place, Client], None]] = {
    "put": _put,
    "get": _get,
    "range": _range,
    "list": _list,
    "metadata": _metadata,
    "multipart": _multipart,
    "multi-delete": _delete,
}


def main(make: Callable[[Place], Client]) -> None:
    """Take all steps; a step that fails is told, and the next is taken all the same."""
    place = Place(
        os.environ["CONFORMANCE_ENDPOINT"],
        os.environ["CONFORMANCE_KEY_ID"],
        os.environ["CONFORMANCE_SECRET"],
        os.environ["CONFORMANCE_REGION"],
        os.environ["CONFORMANCE_BUCKET"],
        Path(os.environ["CONFORMANCE_FOLDER"]),
    )
    client = make(place)
    for name, step in STEPS.items():
        why = None
        try:
            step(place, client)
        except Exception as error:
            why = f"{type(error).__name__}: {error}".replace("\n", " ")[:WHY_CHARACTERS_MAX]
        sys.stdout.write(json.dumps({"step": name, "why": why}) + "\n")
        sys.stdout.flush()


def command(*arguments: str, environment: dict[str, str] | None = None) -> bytes:
    """Output of a client's program; its last lines are the reason when it fails."""
    done = subprocess.run(
        arguments,
        capture_output=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode != 0:
        said = (done.stderr + done.stdout).decode(errors="replace").strip()[-WHY_CHARACTERS_MAX:]
        raise RuntimeError(f"{Path(arguments[0]).name} exited {done.returncode}: {said}")
    return done.stdout


def tool(name: str) -> str:
    """The path of the client's program, as the runner found or installed it."""
    return os.environ[f"CONFORMANCE_TOOL_{name.upper()}"]
