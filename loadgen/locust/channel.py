"""Who may speak with whom: a shared token becomes keys of ZeroMQ's CURVE, for master and workers.

With a token every message is encrypted, and a peer that has another token, or none, gets nothing:
ZeroMQ ends its connection before Locust sees a byte. Without one the protocol is Locust's own.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent
import zmq
from locust.exception import RPCReceiveError
from locust.rpc import zmqrpc
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

SALT = b"pausemark worker channel 1"
LINGER_MS = 2_000  # a message for a peer that is gone must not keep a process
MESSAGE_MAX_BYTES = 64 * 2**20
REFUSED_STATUS = 78  # the worker's exit status when the master has another token
REFUSALS_MAX = 3  # in a row: one may be a master that was just ending

Refused = Callable[[], None]


def key_pair(token: str) -> tuple[bytes, bytes]:
    """Public and secret key, the same wherever the token is the same; slow to guess (scrypt)."""
    seed = hashlib.scrypt(token.encode(), salt=SALT, n=2**14, r=8, p=1, dklen=32)
    secret = z85.encode(seed)
    return zmq.curve_public(secret), secret


def lock(socket: Any, token: str) -> None:
    """Puts the token's keys on a socket that is not yet bound or connected."""
    public, secret = key_pair(token)
    if socket.getsockopt(zmq.TYPE) == zmq.ROUTER:
        # Only who knows the token knows the public key, without which no connection begins.
        socket.curve_server = True
        socket.curve_secretkey, socket.curve_publickey = secret, public
    else:
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = public


FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


def watch_refusals(socket: Any, refused: Refused) -> None:
    """Calls `refused` whenever several handshakes in a row have failed; runs for ever."""
    monitor = socket.get_monitor_socket()
    failed = 0
    while True:
        event = parse_monitor_message(monitor.recv_multipart())["event"]
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            failed = 0
        elif event & FAILED:
            failed += 1
            if failed >= REFUSALS_MAX:
                refused()


refused_peers = Counter[str]()  # on a master: what was turned away


def turned_away() -> None:
    """Some worker's token is another, or it has none."""
    refused_peers["handshakes"] += 1


def guard(token: str, refused: Refused) -> None:
    """Makes Locust's sockets, from here on, keep the token and survive what is no message."""
    base: Any = zmqrpc.BaseSocket
    server: Any = zmqrpc.Server
    plain, receive = base.__init__, server.recv_from_client

    def begin(self: Any, kind: int, ipv4_only: bool) -> None:
        plain(self, kind, ipv4_only)
        self.socket.setsockopt(zmq.LINGER, LINGER_MS)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_MAX_BYTES)
        if token:
            lock(self.socket, token)
        mind = refused if kind != zmq.ROUTER else turned_away
        gevent.spawn(watch_refusals, self.socket, mind)

    def receive_checked(self: Any) -> Any:
        try:
            sender, message = receive(self)
        except (ValueError, TypeError, IndexError) as error:
            raise RPCReceiveError(f"not a message of Locust: {error}") from error
        if message.node_id != sender:
            raise RPCReceiveError(f"a message in the name of {message.node_id!r}, from {sender!r}")
        return sender, message

    base.__init__ = begin
    server.recv_from_client = receive_checked


def leave_refused() -> None:
    """Ends this worker: the master's token is another, or one side has none."""
    os._exit(REFUSED_STATUS)
