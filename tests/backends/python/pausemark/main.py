"""The process: flags, the listener, the end on a signal, exit statuses."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import platform
import signal
import socket
import sys
from typing import NoReturn

from .connection import Connection
from .incoming import READ_BYTES_MAX
from .store import Store

VERSION = "1"
BACKLOG = 4096
ACCEPT_AGAIN_S = 0.1
END_S_MAX = 1.5  # of the two seconds that the contract allows
WRONG_USE, CANNOT_LISTEN = 2, 4


class _Flags(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as the contract asks."""
        print(f"error: {message}", file=sys.stderr)  # noqa: T201 - stderr is the log
        sys.exit(WRONG_USE)


def _flags() -> _Flags:
    flags = _Flags("pausemark-python", allow_abbrev=False)
    told = f"pausemark-python {VERSION} (Python {platform.python_version()})"
    flags.add_argument("--version", action="version", version=told)
    flags.add_argument("--address", type=_address, default="127.0.0.1")
    flags.add_argument("--port", type=_port, default=9000)
    flags.add_argument("--threads", type=_count, help="accepted; one thread serves, see README")
    flags.add_argument("--data-directory", help="accepted; objects live in memory")
    flags.add_argument("--auth", choices=["parse"])
    flags.add_argument("--object-bytes-max", type=_count, default=64 << 20)
    flags.add_argument("--store-bytes-max", type=_count, default=4 << 30)
    return flags


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _count(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError
    return value


def _port(text: str) -> int:
    if (value := _count(text)) > 65535:
        raise ValueError
    return value


class Service:
    """The listener's connections, each served by a task of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tasks: dict[asyncio.Task[None], Connection] = {}

    async def accept(self, listener: socket.socket) -> None:
        """Take clients in for ever, each into a task that serves it to its end."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:  # out of descriptors: asyncio's own listener would spin
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader, writer = await asyncio.open_connection(sock=client, limit=READ_BYTES_MAX)
            connection = Connection(self._store, reader, writer)
            task = asyncio.create_task(connection.serve())
            self._tasks[task] = connection
            task.add_done_callback(self._tasks.pop)

    async def finish(self) -> None:
        """Let what is in flight end, within the time there is."""
        for connection in self._tasks.values():
            connection.finish()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_S_MAX)
        for connection in self._tasks.values():
            connection.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _serve(options: argparse.Namespace) -> None:
    store = Store(bytes_max=options.store_bytes_max, object_bytes_max=options.object_bytes_max)
    service = Service(store)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with _listener(options.address, options.port) as listener:
        accepting = asyncio.create_task(service.accept(listener))
        await ended.wait()
        accepting.cancel()
    await service.finish()


def _listener(address: str, port: int) -> socket.socket:
    is_v6 = ipaddress.ip_address(address).version == 6
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    listener = socket.create_server((address, port), family=family, backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def main() -> None:
    """Run until a signal; the exit status says why it ended."""
    options = _flags().parse_args()
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        place = f"{options.address}:{options.port}"
        print(f"error: {place}: cannot listen, {error.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(CANNOT_LISTEN)
