"""Where each key of a TOML text stands: the standard library's reader does not tell.

For messages only. The text has been read by `tomllib` before, so it is TOML. (tomlkit, which
rewrites files, has no line numbers either.)
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_BLANK = re.compile(r"[ \t]*")
_SKIPPED = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?!")', re.DOTALL),
    re.compile(r"'''.*?'''(?!')", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every table, key and array element."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.found


def line_of(found: dict[Path, int], path: Path) -> int:
    """Of a key, or of the nearest table around one that is missing."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.found: dict[Path, int] = {}
        self.elements: dict[Path, int] = {}  # of arrays of tables: the last one's index

    def document(self) -> None:
        """Headers and keys, a line each."""
        table: Path = ()
        self.skip(_SKIPPED)
        while self.at < len(self.text):
            if self.next("["):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_SKIPPED)

    def header(self) -> Path:
        many = self.next("[")
        path: Path = ()
        start = self.at
        parts = self.keys()
        for place, part in enumerate(parts):
            path = (*path, part)
            if many and place == len(parts) - 1:
                self.elements[path] = self.elements.get(path, -1) + 1
                self.note(path, start)
            if path in self.elements:
                path = (*path, self.elements[path])
        self.note(path, start)
        self.next("]")
        if many:
            self.next("]")
        return path

    def pair(self, table: Path) -> None:
        start = self.at
        path = table
        for part in self.keys():
            path = (*path, part)
            self.note(path, start)
        self.skip(_BLANK)
        if not self.next("="):
            self.at += 1  # no TOML: never without an end
        self.value(path)

    def keys(self) -> list[str]:
        """A dotted key."""
        parts = []
        while True:
            self.skip(_BLANK)
            string = self.string()
            parts.append(self.skip(_BARE) if string is None else string)
            self.skip(_BLANK)
            if not self.next("."):
                return parts

    def value(self, path: Path) -> None:
        self.skip(_BLANK)
        if self.next("["):
            self.skip(_SKIPPED)
            index = 0
            while self.at < len(self.text) and not self.next("]"):
                self.note((*path, index), self.at)
                self.value((*path, index))
                index += 1
                self.separator()
        elif self.next("{"):
            self.skip(_SKIPPED)
            while self.at < len(self.text) and not self.next("}"):
                self.pair(path)
                self.separator()
        elif self.string() is None:
            self.skip(_SCALAR)

    def separator(self) -> None:
        self.skip(_SKIPPED)
        self.next(",")
        self.skip(_SKIPPED)

    def string(self) -> str | None:
        for pattern in _STRINGS:
            if match := pattern.match(self.text, self.at):
                self.at = match.end()
                return match[0].strip("\"'")
        return None

    def next(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def note(self, path: Path, at: int) -> None:
        self.found.setdefault(path, self.text.count("\n", 0, at) + 1)
