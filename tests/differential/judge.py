"""Plays a stream to several servers side by side and says where they part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.differential.canonical import Raw, alike, canonical, same
from tests.differential.connection import NoAnswerError
from tests.differential.operations import BUCKETS, STRAY_BUCKET, Operation, deletion
from tests.differential.player import Player
from tests.differential.streams import Stream

# What is sent at once must fit between two sockets: nobody reads answers while it is sent.
SENT_BYTES_MAX = 1 << 16
EVERY_BUCKET = (*BUCKETS, STRAY_BUCKET)
FIRST = Operation("PUT", f"/{BUCKETS[0]}", body=b"")
LAST = tuple(
    one for bucket in EVERY_BUCKET for one in (deletion(bucket), Operation("DELETE", f"/{bucket}"))
)


class DifferenceError(AssertionError):
    """Two servers answered one operation differently, or one of them did not at all."""


class LostServerError(DifferenceError):
    """A difference after which a server is not as before: nothing can be played to it again."""


@dataclass
class Judge:
    """The servers that are compared; the first is what the others are held against."""

    players: Sequence[Player]
    operation_count: int = 0  # of those whose answers were compared

    def __post_init__(self) -> None:
        one = self.players[0].server.backend
        self._ordered = [
            not any(backend.chooses("header_order") for backend in (one, player.server.backend))
            for player in self.players
        ]

    def play(self, stream: Stream) -> None:
        """Play a stream from an empty store, until the first answer that differs.

        What begins and ends every stream is compared too: uploads end with their bucket.

        Raises:
            DifferenceError: An answer differs, or there is none; every store is empty again.
            LostServerError: Likewise, but a store could not be emptied.
        """
        for player in self.players:
            player.forget()
        operations = (FIRST, *stream.operations)
        try:
            self._play(operations, stream.depth)
            self.close()  # the last answer may have been the last of its connection
            self._play(LAST, len(LAST))
        except DifferenceError as error:
            try:
                self._empty()
            except DifferenceError as lost:
                raise LostServerError(f"{error}\nand then: {lost}") from None
            raise

    def close(self) -> None:
        """End every connection."""
        for player in self.players:
            player.close()

    def _play(self, operations: Sequence[Operation], depth: int) -> None:
        number = 0
        for batch in batches(operations, depth):
            self._send(batch)
            parted = [self._answers(one, number + at, depth) for at, one in enumerate(batch)]
            for difference in filter(None, parted):
                raise difference
            number += len(batch)

    def _send(self, batch: Sequence[Operation]) -> None:
        requests = None if batch[0].is_named else [one.encoded() for one in batch]
        for player in self.players:
            with _told_of(player, batch[0]):
                player.send(requests or [player.named(one).encoded() for one in batch])

    def _receive(self, operation: Operation) -> list[Raw | None]:
        answers = []
        for player in self.players:
            with _told_of(player, operation):
                answers.append(player.receive(operation))
        return answers

    def _answers(self, operation: Operation, number: int, depth: int) -> DifferenceError | None:
        """Take the answer of every server to one operation, and compare them."""
        answers = self._receive(operation)
        self.operation_count += 1
        parted = [at for at in range(1, len(answers)) if not self._agree(answers, at)]
        if not parted:
            return None
        lines = [f"operation {number}, {depth} at once: {operation!r}"]
        lines += [
            f"  {self.players[at].server.backend.name}: {canonical(answers[at])!r}"
            for at in (0, *parted)
        ]
        return DifferenceError("\n".join(lines))

    def _agree(self, answers: Sequence[Raw | None], at: int) -> bool:
        one, other = answers[0], answers[at]
        if one is not None and other is not None and alike(one, other, ordered=self._ordered[at]):
            return True
        backends = (self.players[0].server.backend, self.players[at].server.backend)
        return same((backends[0], canonical(one)), (backends[1], canonical(other)))

    def _empty(self) -> None:
        """Back to an empty store after a difference, whatever each server has by now."""
        for player in self.players:
            player.abandon()
        for operation in LAST:
            self._send([operation])
            answers = self._receive(operation)
            statuses = {answer.status if answer else 0 for answer in answers}
            if operation.method == "DELETE" and not statuses <= {204, 404}:
                raise DifferenceError(f"{operation.target} could not be emptied: {statuses}")
        self.close()


@contextmanager
def _told_of(player: Player, operation: Operation) -> Iterator[None]:
    """Where a server gives no answer, that is what parts it from the others."""
    try:
        yield
    except NoAnswerError as error:
        told = f"{operation!r}\n  {player.server.backend.name}: no answer: {error}"
        raise DifferenceError(told) from None


def batches(operations: Sequence[Operation], depth: int) -> Iterator[Sequence[Operation]]:
    """Runs of operations that may be sent before the answer to their first is read.

    An operation with names in it waits for the answers before it, and one whose body must be
    asked for, or after which the connection ends, is sent alone.
    """
    batch: list[Operation] = []
    sent_bytes = 0
    for operation in operations:
        body_bytes = len(operation.body or b"")
        alone = operation.framing in {"expect", "raw"} or operation.is_named
        full = len(batch) >= depth or sent_bytes + body_bytes > SENT_BYTES_MAX
        if batch and (alone or full):
            yield batch
            batch, sent_bytes = [], 0
        batch.append(operation)
        sent_bytes += body_bytes
        if alone:
            yield batch
            batch, sent_bytes = [], 0
    if batch:
        yield batch
