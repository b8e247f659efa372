"""Ports of this machine, and whether somebody answers on one."""

from __future__ import annotations

import http.client
import socket


def free_port(address: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def answers_ready(address: str, port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether `GET /` is answered with 200 (backends/CONTRACT.md: ready)."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
