"""What must be undone, written before it is done; the next command undoes what a dead one left.

One JSON file a process in `/run/pausemark`, named by pid and start time, so that a reused pid is
never mistaken for its owner. Entries: settings to put back, processes to end, cgroups to remove.
Containers need no entry: their labels name their owner.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentLacking

FOLDER = Path("/run/pausemark")


def process_identity(pid: int) -> str | None:
    """`pid-starttime` of a living process, None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return f"{pid}-{fields.rpartition(')')[2].split()[19]}"


class Journal:
    """This process's list of things to undo; without permission it is kept in memory only."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Creates the folder where that is allowed."""
        identity = process_identity(os.getpid()) or str(os.getpid())
        self._path = folder / f"journal-{identity}.json"
        self._entries: list[dict[str, Any]] = []
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o755, exist_ok=True)

    def add(self, entry: dict[str, Any]) -> None:
        """Call this before doing what the entry undoes."""
        self._entries.append(entry)
        self._write()

    def begin(self, what: str) -> None:
        """Notes that we measure: whoever finds this after our death also looks for containers."""
        self.add({"kind": "measuring", "pid": os.getpid(), "what": what})

    def remove(self, entry: dict[str, Any]) -> None:
        """It has been undone."""
        self._entries = [kept for kept in self._entries if kept != entry]
        self._write()

    def close(self) -> None:
        """Everything was undone in the ordinary way."""
        self._entries = []
        self._write()

    def _write(self) -> None:
        try:
            if not self._entries:
                self._path.unlink(missing_ok=True)
                return
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps(self._entries), encoding="utf-8")
            temporary.rename(self._path)
        except OSError:
            return  # not root: then there was nothing to tune either, and children die with us


def undo(entry: dict[str, Any]) -> str:
    """Undoes one entry; returns a sentence, also when there was nothing left to do."""
    if entry.get("kind") == "setting":
        path, before = Path(str(entry["path"])), str(entry["before"])
        try:
            path.write_text(before, encoding="ascii")
        except OSError as error:
            return f"{path} could not be put back to {before!r}: {error.strerror}"
        return f"{path} put back to {before!r}"
    if entry.get("kind") == "measuring":
        return f"pid {entry['pid']} was ended while it measured ({entry['what']})"
    return f"an entry of unknown kind was left alone: {entry.get('kind')!r}"


def recover(folder: Path = FOLDER) -> list[str]:
    """Undoes what dead owners left, newest entry first; returns what was done."""
    done: list[str] = []
    for path in sorted(folder.glob("journal-*.json")) if folder.is_dir() else []:
        identity = path.stem.removeprefix("journal-")
        owner = int(identity.split("-")[0])
        if process_identity(owner) == identity:
            continue
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            entries = []
        done += [undo(entry) for entry in reversed(entries)]
        with contextlib.suppress(OSError):
            path.unlink()
    return done


@contextlib.contextmanager
def owned_machine(command: str, folder: Path = FOLDER) -> Iterator[Journal]:
    """The machine is this command's alone; yields the journal of what to undo if it dies."""
    with only_one(folder):
        journal = Journal(folder)
        try:
            journal.begin(command)
            yield journal
        finally:
            journal.close()


@contextlib.contextmanager
def only_one(folder: Path = FOLDER) -> Iterator[None]:
    """Holds the lock that lets one measuring command run at a time on this machine."""
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        lock = (folder / "lock").open("a+", encoding="ascii")
    except OSError:
        yield  # not root: no shared folder, and no settings to fight over
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise EnvironmentLacking(
                str(folder / "lock"),
                f"another measurement is running (pid {lock.read().strip() or 'unknown'})",
                hint="wait for it: two measurements on one machine spoil each other",
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
