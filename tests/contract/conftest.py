"""Fixtures of the contract suite: every test that asks for `server` runs once per backend."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.contract.servers import (
    REPOSITORY,
    Backend,
    Launcher,
    ProcessLauncher,
    Running,
    build,
    discover,
)
from tests.contract.silence import Silences
from tests.contract.wire import Reply, Wire, request

STALL_LIMIT_S = 30.0
NOBODY = "no-backend-declares-it"
_bucket_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which backends, and on which runtime."""
    group = parser.getgroup("contract")
    group.addoption("--backends-dir", action="append", default=[], help="folder of backend folders")
    group.addoption("--set", action="append", default=[], help="BACKEND.OPTION=VALUE, as of bench")
    group.addoption("--backend", action="append", default=[], help="only this backend, by name")


def pytest_configure(config: pytest.Config) -> None:
    """Register the suite's own marker."""
    config.addinivalue_line("markers", "last: runs after all others, because it waits 30 s once")
    config.addinivalue_line("markers", "profile(*names): only for backends that declare them all")
    config.addinivalue_line("markers", "protocol(*names): only for variants that speak them all")


def chosen(config: pytest.Config) -> list[Backend]:
    """The backends that the command line asks for; all of backends/ when it says nothing."""
    folders = [Path(p).resolve() for p in config.getoption("--backends-dir", default=[])]
    wanted = set(config.getoption("--backend", default=[]))
    found: list[Backend] = list(discover(folders or [REPOSITORY / "backends"]))
    found = [b for b in found if not wanted or {b.name, b.manifest["name"]} & wanted]
    return with_settings(found, config.getoption("--set", default=[]))


def with_settings(backends: list[Backend], texts: Sequence[str]) -> list[Backend]:
    """The backends that these options are about, with them; all of them without options."""
    chosen: dict[str, list[tuple[str, str]]] = {}
    for text in texts:
        target, _, value = text.partition("=")
        name, _, option = target.partition(".")
        known = [b for b in backends if b.manifest["name"] == name]
        if not known or option not in known[0].manifest.get("options", {}):
            raise pytest.UsageError(f"--set: expected BACKEND.OPTION=VALUE, got {text!r}")
        chosen.setdefault(name, []).append((option, value))
    if not chosen:
        return backends
    return [
        replace(b, settings=tuple(chosen[b.manifest["name"]]))
        for b in backends
        if b.manifest["name"] in chosen
    ]


def wanted(item: pytest.Metafunc | pytest.Item) -> set[str]:
    """The profiles and protocols that a test, or the file it stands in, is marked with."""
    node = item.definition if isinstance(item, pytest.Metafunc) else item
    marks = [*node.iter_markers("profile"), *node.iter_markers("protocol")]
    return {name for mark in marks for name in mark.args}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per backend that declares what the test wants, in the order of the files."""
    if "backend" in metafunc.fixturenames:
        names = wanted(metafunc)
        backends = [b for b in chosen(metafunc.config) if names <= b.profiles | b.protocols]
        if backends:
            metafunc.parametrize("backend", backends, ids=[b.name for b in backends])
        else:  # an empty set would be reported as a skipped test
            metafunc.parametrize("backend", [None], ids=[NOBODY])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Drop tests of what nobody declares; those that wait for 30 s go to the end."""
    items[:] = [item for item in items if not (wanted(item) and NOBODY in item.name)]
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@dataclass
class Stalled:
    """Connections that stopped in the middle of something, and since when."""

    since_s: float
    head: Wire
    body: Wire
    idle: Wire


@dataclass
class Server:
    """A running backend as tests see it."""

    backend: Backend
    running: Running
    stalled: Stalled | None = None
    silences: Silences | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.running.port

    @property
    def interims_unasked(self) -> set[tuple[int, ...]]:
        """What may stand before an answer that needs no body: no 100, but from some fronts."""
        return {(), (100,)} if self.backend.chooses("early_continue") else {()}

    def takes(self, data: bytes) -> bool:
        """Whether a feed alone, which stands in the data, ends a line here, as declared."""
        return self.backend.chooses("bare_feed") and re.search(rb"(?<!\r)\n", data) is not None

    def wire(self, timeout_s: float = 10.0) -> Wire:
        """A fresh raw connection."""
        return Wire(self.port, timeout_s)

    def ask(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Reply:
        """One request on a connection of its own."""
        with self.wire() as wire:
            return wire.ask(method, target, headers, body)

    def put(self, target: str, body: bytes = b"x", **headers: str) -> Reply:
        """PUT that must succeed; header names are written with underscores."""
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        reply = self.ask("PUT", target, pairs, body)
        assert reply.status == 200, (target, reply)
        return reply

    def new_bucket(self) -> str:
        """A bucket that no other test uses; its name."""
        name = f"bucket-{next(_bucket_numbers)}"
        self.put(f"/{name}", b"")
        return name


@dataclass
class Fleet:
    """Every server that is shared by tests, started when first asked for."""

    launcher: Launcher
    servers: dict[tuple[str, ...], Server] = field(default_factory=dict)

    def server(self, backend: Backend, *extra: str) -> Server:
        """The shared server of a backend with these extra arguments."""
        key = (backend.name, *extra)
        if key not in self.servers:
            build(backend)
            server = Server(backend, self.launcher.start(backend, extra))
            self.servers[key] = server  # before anything that may fail: it must be ended
            if not extra:
                server.stalled = _stall(server)
            if not extra and "h2c" in backend.protocols:
                server.silences = Silences.begin(server.port, server.new_bucket())
        return self.servers[key]


def _stall(server: Server) -> Stalled:
    """Three connections left alone from now on: mid-head, mid-body and idle between requests."""
    bucket = server.new_bucket()
    head, body, idle = server.wire(), server.wire(), server.wire()
    assert idle.ask("GET", "/").status == 200
    head.send(b"GET / HTTP/1.1\r\nHost: 127")
    body.send(request("PUT", f"/{bucket}/stalled", [("Content-Length", "100")]) + b"only this")
    return Stalled(time.monotonic(), head, body, idle)


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    """The runtime under test; the docker runtime takes this place through harness.stages."""
    return ProcessLauncher(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def fleet(launcher: Launcher) -> Iterator[Fleet]:
    """Shared servers, ended with the session."""
    all_servers = Fleet(launcher)
    yield all_servers
    for server in all_servers.servers.values():
        if server.stalled is not None:
            for wire in (server.stalled.head, server.stalled.body, server.stalled.idle):
                wire.connection.close()
        server.running.stop()


@pytest.fixture
def server(backend: Backend, fleet: Fleet) -> Server:
    """The shared server of the backend under test."""
    return fleet.server(backend)


@pytest.fixture
def bucket(server: Server) -> str:
    """A bucket of the test's own."""
    return server.new_bucket()


@pytest.fixture
def start_server(backend: Backend, launcher: Launcher) -> Iterator[Callable[..., Server]]:
    """Start servers of the test's own with extra arguments; ended after the test."""
    started: list[Server] = []

    def start(*extra: str) -> Server:
        build(backend)
        started.append(Server(backend, launcher.start(backend, extra)))
        return started[-1]

    yield start
    for one in started:
        one.running.stop()
