"""Plays a stream to several servers side by side and says where they part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.differential.canonical import Answer, same
from tests.differential.operations import BUCKETS, STRAY_BUCKET, Operation, deletion
from tests.differential.player import Player


class DifferenceError(AssertionError):
    """Two servers answered one operation differently."""


@dataclass
class Judge:
    """The servers that are compared; the first is what the others are held against."""

    players: Sequence[Player]
    operation_count: int = 0

    def play(self, stream: Sequence[Operation]) -> None:
        """Play a stream from an empty store; DifferenceError at the first answer that differs."""
        for player in self.players:
            player.forget()
        self.ask(Operation("PUT", f"/{BUCKETS[0]}", body=b""))
        try:
            for number in range(len(stream)):
                self._step(stream, number)
        finally:
            self._empty()

    def ask(self, operation: Operation) -> list[Answer]:
        """One operation to all of them at once; their answers in the order of the players."""
        self.operation_count += 1
        for player in self.players:
            player.send(operation)
        return [player.receive(operation) for player in self.players]

    def close(self) -> None:
        """End every connection."""
        for player in self.players:
            player.close()

    def _step(self, stream: Sequence[Operation], number: int) -> None:
        answers = self.ask(stream[number])
        told = [(p.server.backend, a) for p, a in zip(self.players, answers, strict=True)]
        parted = [one for one in told[1:] if not same(told[0], one)]
        if parted:
            lines = [f"operation {number} of {len(stream)}: {stream[number]!r}"]
            lines += [f"  {backend.name}: {answer!r}" for backend, answer in (told[0], *parted)]
            raise DifferenceError("\n".join(lines))

    def _empty(self) -> None:
        """Back to an empty store, whatever the stream left; uploads end with their bucket."""
        self.close()  # the last answer may have been the last of its connection
        for bucket in (*BUCKETS, STRAY_BUCKET):
            self.ask(deletion(bucket))
            answers = self.ask(Operation("DELETE", f"/{bucket}"))
            if not {answer.status for answer in answers} <= {204, 404}:
                left = self.ask(Operation("GET", f"/{bucket}"))
                told = zip((p.server.backend.name for p in self.players), left, strict=True)
                raise DifferenceError(f"/{bucket} could not be emptied: {list(told)}")
