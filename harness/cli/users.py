"""`bench run --locustfile FILE --target URL`: its flags, its table and its exit codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from harness import asked
from harness.cli import show
from harness.cli.options import ROOT
from harness.errors import EXIT_FAILURE, LoadFailed, NotValid, UsageError
from harness.model import words
from harness.model.users import UsersAsked, UsersEntry, UsersTimes

FLAGS = frozenset({"locustfile", "target", "users"})
_SHARED_FLAGS = {"duration", "warmup", "as_json", "output"}
USERS_MAX = 60_000
DURATION_MAX_S = 3600.0  # every request's time is read at once: 600 MB at what one core can ask
_OPTIONS = (
    click.option(
        "--locustfile", type=click.Path(path_type=Path), help="your own Locust users, instead"
    ),
    click.option("--target", help="of a locustfile: http://host:port of a server that runs"),
    click.option("--users", type=int, default=64, show_default=True, help="of a locustfile"),
)


def users_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flags of a user's own locustfile."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def run(flags: dict[str, Any]) -> None:
    """The whole command; raises for bad flags, exits 1 where a request failed."""
    wanted = _asked(flags)
    from harness import users
    from harness.stats.users import BUSY_SHARE

    found = users.measure(wanted, root=ROOT, results=flags["output"])
    if flags["as_json"]:
        show.data_json(found)
    else:
        _tables(found)
        show.talk(f"every request's time: {found.folder}")
    if not found.total.count:
        raise LoadFailed(
            f"--locustfile {wanted.locustfile}",
            "no request ended within the measured part",
            hint="see locust.log in its folder; its users may wait for longer than --duration",
        )
    if found.generator_core_share > BUSY_SHARE:
        raise NotValid(
            "locust",
            f"took {found.generator_core_share:.0%} of a core: these times are its own queue's",
            hint="fewer users or a longer wait_time; the engine costs less: `bench load --target`",
        )
    if found.total.failures:
        raise SystemExit(EXIT_FAILURE)


def _asked(flags: dict[str, Any]) -> UsersAsked:
    _only_its_own_flags()
    file: Path | None = flags["locustfile"]
    if file is None:
        raise UsageError(
            "--target",
            "needs --locustfile",
            hint="`bench load --target URL` drives it with the engine, at a fixed rate",
        )
    if not file.is_file() or "," in str(file):
        raise UsageError(
            "--locustfile",
            f"expected a Python file without a comma in its path, got {str(file)!r}",
            hint="as for `locust -f`",
        )
    duration = asked.duration_s("--duration", flags["duration"])
    asked.number("--duration", duration, low=1, high=DURATION_MAX_S, unit="s")
    warmup = asked.duration_s("--warmup", flags["warmup"])
    asked.number("--warmup", warmup, low=0, high=3600, unit="s")
    users = asked.number("--users", flags["users"], low=1, high=USERS_MAX, unit="users")
    return UsersAsked(
        locustfile=str(file),
        target=_target(flags["target"]),
        users=int(users),
        duration_s=duration,
        warmup_s=warmup,
    )


def refuse_flags_of_users() -> None:
    """In a run of backends they would be silently without effect."""
    for name, flag in _given():
        if name in FLAGS:
            raise UsageError(
                flag,
                "has no effect without --locustfile, for only Locust's users are counted",
                hint="--connections is how many a backend is asked on; or add --locustfile FILE",
            )


def _only_its_own_flags() -> None:
    """A flag of the engine's runs would be silently without effect: it is refused by name."""
    for name, flag in _given():
        if name not in FLAGS | _SHARED_FLAGS:
            raise UsageError(
                flag,
                "has no effect with --locustfile, whose users decide what they ask and how often",
                hint="leave it out; wait_time = constant_throughput(…) is Locust's way to a rate",
            )


def _given() -> Iterator[tuple[str, str]]:
    """Name and flag of each option that the command line has."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield name, parameter.opts[0]


def _target(text: str | None) -> str:
    try:
        parts = urlsplit(text or "")
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username
        good = good and parts.path in {"", "/"} and not parts.query and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            "--target",
            f"expected http://host:port or https://host:port, got {text!r}",
            hint="paths are the locustfile's",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _tables(found: UsersTimes) -> None:
    rows = [_row(entry) for entry in (*found.entries, found.total)]
    titles = ["", "requests", "failures", "P50", "P90", "P99", "P99.9", "longest"]
    what = f"{found.asked.locustfile} against {found.asked.target}: service times"
    show.table(what, titles, rows, figures=True)
    facts = [
        ["achieved", f"{words.number(found.achieved_rps)} requests/s of {found.asked.users} users"],
        ["resolution", found.resolution],
        ["what they are", found.label],
        ["generator", f"{found.generator_core_share:.2f} of a core"],
        *([f"error, {count} times", text] for text, count in found.errors.items()),
    ]
    show.table("", ["", ""], facts)


def _row(entry: UsersEntry) -> list[str]:
    service = entry.service
    names = ("p50", "p90", "p99", "p999", "max")
    values = [getattr(service, name) if service else None for name in names]
    cells = ["too few" if value is None else words.duration(value) for value in values]
    return [f"{entry.method} {entry.name}".strip(), str(entry.count), str(entry.failures), *cells]
