"""Fixtures of the durability suite: every test that asks for `fleet` runs once per backend."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.contract.conftest import chosen
from tests.contract.servers import Backend
from tests.durability.kit import Fleet, can_trace, is_durable


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the contract suite, where that suite is not in the same run."""
    group = parser.getgroup("contract")
    try:
        group.addoption("--backends-dir", action="append", default=[], help="folder of backends")
        group.addoption("--backend", action="append", default=[], help="only this backend")
    except ValueError:
        return  # the contract suite came first and has them


def pytest_configure() -> None:
    """The planted store runs under the Python of the tests."""
    os.environ.setdefault("PAUSEMARK_PYTHON", sys.executable)


def durable_backends(config: pytest.Config) -> list[Backend]:
    """The default variant of every chosen backend that declares the profile.

    A planted backend's variants are its faults: all of them.
    """
    return [
        backend
        for backend in chosen(config)
        if is_durable(backend)
        and (backend.manifest["name"] == "planted" or backend.variant == default(backend))
    ]


def default(backend: Backend) -> str:
    """The name of the default variant."""
    return next(str(v["name"]) for v in backend.manifest["variants"] if v.get("default"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per durable backend, or per ordered pair of them."""
    backends = durable_backends(metafunc.config)
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", backends, ids=[b.name for b in backends])
    if "reader" in metafunc.fixturenames:
        readers = [b for b in backends if b.variant == default(b)]
        metafunc.parametrize("reader", readers, ids=[b.name for b in readers])


@pytest.fixture
def fleet(backend: Backend) -> Iterator[Fleet]:
    """Starts servers of the backend under test; ends them after the test."""
    servers = Fleet(backend)
    yield servers
    servers.stop_all()


@pytest.fixture
def traced() -> None:
    """The test needs strace; where it cannot work it is skipped, or fails where none may be."""
    if not can_trace():
        reason = "strace is not installed or may not attach (needs root or ptrace_scope 0)"
        if os.environ.get("PAUSEMARK_NO_SKIP"):
            pytest.fail(reason)
        pytest.skip(reason)
