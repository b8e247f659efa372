"""Several connections that write as fast as they are answered, and what each may hope to find."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from dataclasses import dataclass, field

from tests.contract.conftest import Server
from tests.contract.wire import ClosedError, Wire, request
from tests.durability.kit import BUCKET

CONNECTIONS = 6
KEYS = 12  # per connection, so that most writes overwrite
DEPTH = 4  # requests under way on a connection
OPERATIONS_MAX = 20_000  # per connection and round
LARGE_BYTES = (65_537, 200_000)
NOISE = random.Random(1).randbytes(1 << 20)
NEVER_S = float("inf")


@dataclass(slots=True)
class Operation:
    """A write: the MD5 that its key has afterwards (None: deleted), and when it went and ended."""

    key: str
    md5: str | None
    sent_s: float = NEVER_S
    acked_s: float = NEVER_S


@dataclass
class History:
    """What one connection did since its keys were last known, in order."""

    known: dict[str, str | None]
    operations: list[Operation] = field(default_factory=list)

    def acked(self, at_s: float) -> int:
        """How many operations were answered by then."""
        return sum(o.acked_s <= at_s and o.acked_s < NEVER_S for o in self.operations)

    def sent(self, at_s: float) -> int:
        """How many operations could have reached the server by then."""
        return sum(operation.sent_s <= at_s for operation in self.operations)

    def explains(self, found: dict[str, str | None], at_s: float = NEVER_S) -> str | None:
        """None when what was found is the state after all answered and some sent operations.

        One writer and answers in order: what survives of a connection is a prefix of it, so a
        later write without an earlier one, half an object or a lost answer has no explanation.
        """
        state = dict(self.known)
        acked = self.acked(at_s)
        sent = max(acked, len(self.operations) if at_s == NEVER_S else self.sent(at_s))
        differing: list[str] = []
        for number in range(sent + 1):
            if number:
                state[self.operations[number - 1].key] = self.operations[number - 1].md5
            if number >= acked:
                wrong = [key for key in state if found[key] != state[key]]
                if not wrong:
                    return None
                differing = wrong if not differing or len(wrong) < len(differing) else differing
        told = [f"{k}: {found[k]}, expected {state[k]}" for k in sorted(differing)[:3]]
        return f"{acked} answered, {sent} sent: no prefix explains " + "; ".join(told)


def keys(connection: int) -> list[str]:
    """The keys that belong to a connection."""
    return [f"c{connection}-{number}" for number in range(KEYS)]


def fresh() -> list[History]:
    """The histories of an empty bucket."""
    return [History(dict.fromkeys(keys(number))) for number in range(CONNECTIONS)]


class Client(threading.Thread):
    """One connection that keeps a few requests under way until the server goes."""

    def __init__(self, port: int, history: History, seed: int, stop_at_s: float = NEVER_S) -> None:
        """Connect at once; `start` begins to write."""
        super().__init__(daemon=True)
        self.wire = Wire(port)
        self.history = history
        self.random = random.Random(seed)
        self.stop_at_s = stop_at_s
        self.error: str | None = None

    def run(self) -> None:
        """Write until the connection breaks or it is time."""
        under_way: list[Operation] = []
        try:
            with self.wire:
                while time.time() < self.stop_at_s or under_way:
                    full = len(self.history.operations) >= OPERATIONS_MAX
                    while len(under_way) < DEPTH and not full and time.time() < self.stop_at_s:
                        under_way.append(self._send())
                        full = len(self.history.operations) >= OPERATIONS_MAX
                    if not under_way:
                        return
                    self._receive(under_way.pop(0))
        except (OSError, ClosedError):
            return

    def _send(self) -> Operation:
        key = self.random.choice(list(self.history.known))
        if self.random.random() < 0.15:
            operation, data = Operation(key, None), request("DELETE", f"/{BUCKET}/{key}")
        else:
            body = self._body()
            operation = Operation(key, hashlib.md5(body).hexdigest())
            data = request("PUT", f"/{BUCKET}/{key}", [], body)
        operation.sent_s = time.time()
        self.history.operations.append(operation)
        self.wire.send(data)
        return operation

    def _body(self) -> bytes:
        size = self.random.randrange(0, 3000)
        if self.random.random() < 0.03:
            size = self.random.randrange(*LARGE_BYTES)
        at = self.random.randrange(0, len(NOISE) - size)
        return NOISE[at : at + size]

    def _receive(self, operation: Operation) -> None:
        reply = self.wire.answer("PUT" if operation.md5 else "DELETE")
        good = 200 if operation.md5 else 204
        if reply.status == good:
            operation.acked_s = time.time()
        elif reply.status != 500:
            self.error = f"{operation.key}: {reply.status} {reply.body[:200]!r}"
            raise ClosedError(self.error)


def start_clients(server: Server, histories: list[History], seed: int) -> list[Client]:
    """A client for each history, all writing."""
    clients = [
        Client(server.port, history, seed * 1000 + number)
        for number, history in enumerate(histories)
    ]
    for client in clients:
        client.start()
    return clients


def join(clients: list[Client]) -> None:
    """Wait for the clients, which end with their server; an answer that must not be is told."""
    for client in clients:
        client.join(30)
        assert not client.is_alive(), "a client hangs"
        assert client.error is None, client.error


def observe(server: Server, connection: int) -> dict[str, str | None]:
    """The MD5 of each key of a connection as the server now tells it; None: there is none."""
    found: dict[str, str | None] = {}
    with server.wire() as wire:
        for key in keys(connection):
            reply = wire.ask("GET", f"/{BUCKET}/{key}")
            assert reply.status in {200, 404}, (key, reply)
            found[key] = hashlib.md5(reply.body).hexdigest() if reply.status == 200 else None
            if reply.status == 200:
                assert reply.header("etag") == f'"{found[key]}"', key
    return found


def judge(server: Server, histories: list[History], at_s: float = NEVER_S) -> list[History]:
    """Compare what is there with the histories; fresh histories that begin with what is there."""
    later: list[History] = []
    for number, history in enumerate(histories):
        found = observe(server, number)
        why = history.explains(found, at_s)
        assert why is None, f"connection {number}: {why}"
        later.append(History(found))
    return later
