"""docs/cli.md and README name commands and flags that exist, and cli.md names all of them."""

from __future__ import annotations

import re

import click
import pytest

from harness import errors
from harness.cli import main
from harness.drivers import manifests
from tests.docs.pages import tables, text_of
from tests.test_tidy import ROOT, tracked

CONTEXT = click.Context(main)
COMMANDS = {
    name: command
    for name in main.list_commands(CONTEXT)
    for command in [main.get_command(CONTEXT, name)]
    if command is not None
}
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-o)(?![\w-])")


def flags(command: click.Command) -> dict[str, click.Option]:
    """Every name of every flag; Click's own --help is not among them."""
    return {
        name: parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def sections() -> dict[str, str]:
    """The part of cli.md about each command."""
    parts = re.split(r"^## bench (\w+).*$", text_of("docs/cli.md"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_its_section() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_documented_and_no_other(name: str) -> None:
    rows = [line for line in sections()[name].splitlines() if line.startswith("| `-")]
    told = {flag for row in rows for flag in FLAG.findall(row.split("|")[1])}
    assert told == set(flags(COMMANDS[name]))


@pytest.mark.parametrize("name", COMMANDS)
def test_defaults_are_documented(name: str) -> None:
    options = flags(COMMANDS[name])
    for line in sections()[name].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or not cells[0].startswith("`--"):
            continue
        option = options[FLAG.findall(cells[0])[0]]
        told = cells[1].replace("`", "")
        if told in {"", "none", "required"} or told.startswith(("all", "results/", "backends/")):
            continue
        assert (float(told) if _is_number(told) else told) == option.default, line


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def test_exit_codes_are_documented() -> None:
    told = {row[0] for row in tables("docs/cli.md") if row[0].isdigit()}
    codes = (value for name, value in vars(errors).items() if name.startswith("EXIT_"))
    assert told == {*(str(code) for code in codes), "130"}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "results/README.md"])
def test_commands_in_pages_exist(page: str) -> None:
    """Every `bench command --flags` line or span of a page."""
    text = text_of(page)
    found = re.findall(r"\bbench ([a-z]+)((?:[^\n`#]|`(?=-))*)", text)
    for name, rest in found:
        if name not in COMMANDS:
            assert name in {"at", "measures"}, f"{page}: there is no `bench {name}`"
            continue
        unknown = set(FLAG.findall(rest)) - set(flags(COMMANDS[name])) - {"--help"}
        assert not unknown, f"{page}: `bench {name}` has no {sorted(unknown)}"


def test_flags_in_the_readme_exist() -> None:
    everywhere = {name for command in COMMANDS.values() for name in flags(command)}
    assert set(FLAG.findall(text_of("README.md"))) <= everywhere | {"--help", "--version"}


def test_the_quick_start_is_two_commands() -> None:
    part = text_of("README.md").split("## Quick start")[1].split("\n## ")[0]
    block = part.split("```")[1].strip().splitlines()
    assert block == ["make run", "make test"]
    rules = "".join((ROOT / n).read_text() for n in tracked() if n == "Makefile")
    for command in block:
        assert re.search(rf"^{command.split()[1]}:", rules, re.M)


def test_the_makefile_has_every_documented_verb() -> None:
    names = [n for n in tracked() if n == "Makefile" or ("/" not in n and n.endswith(".mk"))]
    rules = "".join((ROOT / n).read_text(encoding="utf-8") for n in names)
    pages = "".join(text_of(p) for p in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
    missing = [
        verb
        for verb in set(re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z0-9-]+)", pages))
        if not re.search(rf"^{verb}:", rules, re.M)
    ]
    assert not missing


def test_backends_that_documents_name_exist() -> None:
    backends = manifests.find_backends([ROOT / "backends"])
    readme = text_of("README.md")
    for name, option in re.findall(r"--set ([a-z-]+)\.([a-z-]+)=", readme):
        assert option in manifests.read_backend(backends[name]).options
    for name, variant in re.findall(r"--backend ([a-z-]+)/([a-z0-9-]+)", readme):
        assert manifests.read_backend(backends[name]).variant(variant) is not None
