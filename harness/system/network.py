"""Asks a server on this machine whether it is ready."""

from __future__ import annotations

import http.client
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
    except OSError:
        return False
