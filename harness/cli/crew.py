"""`--workers` and its kin on `bench run`, and `bench worker` for other machines."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness import asked
from harness.cli import show
from harness.cli.options import ROOT
from harness.drivers.locust import JOIN_S, LOOPBACK, PORT, Crew
from harness.errors import UsageError
from harness.system.network import is_everywhere, is_loopback
from harness.system.ports import require_free

WORKERS_MAX = 256
TOKEN_MIN = 16  # characters: who records the traffic may try tokens at leisure
_VARIABLE = "PAUSEMARK_TOKEN"
_TOKEN_HINT = f"export {_VARIABLE}=$(openssl rand -hex 16), the same on every machine"
_OPTIONS = (
    click.option(
        "--workers", type=int, default=1, show_default=True, help="engines on this machine"
    ),
    click.option("--expect-workers", type=int, default=0, help="`bench worker`s to wait for"),
    click.option("--master-bind-host", default=LOOPBACK, help="where those find the master"),
    click.option("--master-bind-port", type=int, default=PORT, show_default=True),
    click.option("--join-timeout", default=f"{JOIN_S:g}s", help="how long they are waited for"),
    click.option(
        "--token", envvar=_VARIABLE, default="", help=f"shared secret; better: ${_VARIABLE}"
    ),
    click.option("--web", type=int, default=None, help="port of Locust's live page, 127.0.0.1"),
)
FLAGS = frozenset({"workers", "expect_workers", "master_bind_host", "master_bind_port",
                   "join_timeout", "token", "web"})  # fmt: skip


def crew_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flags that say which workers share the load."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def workers_of(flags: dict[str, Any]) -> tuple[int, int]:
    """How many engines share the load, here and elsewhere; the UsageError of the first bad."""
    here, elsewhere = flags["workers"], flags["expect_workers"]
    asked.number("--expect-workers", elsewhere, low=0, high=WORKERS_MAX, unit="")
    asked.number("--workers", here, low=0 if elsewhere else 1, high=WORKERS_MAX, unit="")
    if here + elsewhere > flags["connections"]:
        raise UsageError(
            "--workers",
            f"expected at most {flags['connections']}, one for each of --connections, "
            f"got {here + elsewhere}",
            hint="give each worker at least one connection",
        )
    if elsewhere and _unreachable(flags["address"]):
        raise UsageError(
            "--address",
            f"expected one that the workers of other machines reach, got {flags['address']}",
            hint="name this machine's own address there, such as --address 10.0.0.5",
        )
    return here, elsewhere


def _unreachable(address: str) -> bool:
    return is_everywhere(address) or is_loopback(address)


def crew_of(flags: dict[str, Any]) -> Crew:
    """Who drives, with the secret that is in no plan."""
    host, token = flags["master_bind_host"], _token(flags["token"])
    elsewhere = flags["expect_workers"]
    if elsewhere:
        _require_token("--master-bind-host", host, token)
    join_s = asked.duration_s("--join-timeout", flags["join_timeout"])
    asked.number("--join-timeout", join_s, low=1, high=3600, unit="s")
    if elsewhere:
        _port("--master-bind-port", flags["master_bind_port"])
        require_free("0.0.0.0" if is_everywhere(host) else host, flags["master_bind_port"])  # noqa: S104
    if flags["web"] is not None:
        _port("--web", flags["web"])
        require_free(LOOPBACK, flags["web"])
    return Crew(
        here=flags["workers"],
        elsewhere=elsewhere,
        bind_host=host if elsewhere else LOOPBACK,
        bind_port=flags["master_bind_port"] if elsewhere else 0,
        join_s=join_s,
        token=token,
        web_port=flags["web"],
    )


def _port(flag: str, port: int) -> None:
    asked.number(flag, port, low=1024, high=65535, unit="")


def _token(text: str) -> str:
    if text and len(text) < TOKEN_MIN:
        raise UsageError(
            "--token",
            f"expected at least {TOKEN_MIN} characters, got {len(text)}",
            hint=_TOKEN_HINT,
        )
    return text


def _require_token(flag: str, host: str, token: str) -> None:
    """Beyond this machine anybody could listen, give plans, or send figures of his own."""
    if not token and not is_loopback(host):
        raise UsageError(
            flag, f"{host} is beyond this machine, and no token is set", hint=_TOKEN_HINT
        )


@click.command()
@click.option("--master", required=True, help="HOST or HOST:PORT of `bench run`'s master")
@click.option("--token", envvar=_VARIABLE, default="", help=f"shared secret; better: ${_VARIABLE}")
@click.option("--name", default=None, help="in verdicts; the machine's when left out")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="records go there")
def worker(master: str, token: str, name: str | None, keep: Path | None) -> None:
    """Lend this machine's load engine to a `bench run` elsewhere, until stopped."""
    host, port = _master(master)
    _require_token("--master", host, _token(token))
    from harness import joining

    joining.serve(
        root=ROOT,
        host=host,
        port=port,
        token=token,
        name=_name(name or os.uname().nodename),
        keep=keep,
        say=show.talk,
    )


def _master(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or _is_ipv6(text):
        host, port = text, str(PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or len(port) > len("65535"):
        raise UsageError(
            "--master",
            f"expected HOST or HOST:PORT, got {text!r}",
            hint=f"the port is {PORT} there",
        )
    _port("--master", int(port))
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _name(text: str) -> str:
    if not text.replace("-", "").replace(".", "").isalnum() or text.startswith("here-"):
        raise UsageError(
            "--name",
            f"expected letters, digits, dots and dashes, not beginning with here-, got {text!r}",
            hint="choose another name with --name",
        )
    return text


COMMANDS = (worker,)
