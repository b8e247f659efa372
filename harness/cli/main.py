"""The group of commands, and the one place where an expected failure becomes a message."""

from __future__ import annotations

import importlib
import signal
import sys
from types import FrameType
from typing import Any

import click

from harness import __version__
from harness.errors import EXIT_FAILURE, PausemarkError
from harness.system import journal

INTERRUPTED = 130

# The modules behind the commands load pandas, scipy and Docker's SDK: only when they are asked for.
MODULES = {
    "run": "measuring",
    "load": "loading",
    "calibrate": "measuring",
    **dict.fromkeys(("capacity",), "searching"),
    **dict.fromkeys(("worker",), "crew"),
    **dict.fromkeys(("list", "env", "doctor", "report", "prune"), "inspecting"),
    **dict.fromkeys(("compare", "site"), "judging"),
}


def talk(text: str) -> None:
    """A line for people, on stderr."""
    click.echo(text, err=True)


class Group(click.Group):
    """Turns PausemarkError into `error:` and `hint:`, and Ctrl-C into a quiet end."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use."""
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the module that holds the command."""
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(f"harness.cli.{MODULES[cmd_name]}")
        found: dict[str, click.Command] = {command.name: command for command in module.COMMANDS}
        return found[cmd_name]

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Click's, with our own errors; exits with their codes."""
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except PausemarkError as error:
            for where, what in ((error.where, error.what), *error.more):
                talk(f"error: {where}: {what}")
            talk(f"hint: {error.hint}")
            sys.exit(error.exit_code)
        except click.ClickException as error:
            talk(f"error: {error.format_message()}")
            talk("hint: `bench --help` lists commands, `bench COMMAND --help` their flags")
            sys.exit(2)
        except (click.Abort, KeyboardInterrupt):
            talk("stopped; finished trials are kept")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            sys.exit(EXIT_FAILURE)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bench")
def main() -> None:
    """Does the collector break the latency promise of a storage backend?

    Builds the same object store in C, C++, Rust and Go, drives each at a fixed rate, watches it
    with eBPF, and says for every tail what it waited for.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)  # a shell's background job would ignore it
    undone = journal.recover()
    if undone:
        from harness.drivers import runtimes  # loads Docker's SDK, which is rarely needed here

        for sentence in (*undone, *runtimes.cleanup()):
            talk(f"left by a run that was killed: {sentence}")
