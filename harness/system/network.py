"""Asks a server whether it is ready, and an address whom it reaches."""

from __future__ import annotations

import http.client
import ipaddress
import socket

# 403: it serves, and verifies signatures (`--auth=verify`), which this question does not carry.
READY_STATUSES = (200, 403)


def answers_ready(address: str, port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether `GET /` is answered by a server that is ready (backends/CONTRACT.md)."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status in READY_STATUSES
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def connects(address: str, port: int, *, timeout_s: float = 2.0) -> bool:
    """Whether somebody accepts a connection there."""
    try:
        with socket.create_connection((address, port), timeout=timeout_s):
            return True
    except (OSError, UnicodeError):  # a name that IDNA refuses is the latter
        return False


def is_everywhere(host: str) -> bool:
    """Whether to listen there is to listen on every address."""
    return host in {"*", "0.0.0.0", "::"}  # noqa: S104 (asked about, not bound)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it; a name counts when all of its addresses do."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(one)).is_loopback for one in found)


def resolve(host: str) -> str | None:
    """The first address of a host's name; None when it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])
