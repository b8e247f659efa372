"""Flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[2]


def _roots(context: click.Context, parameter: click.Parameter, value: Any) -> list[Path]:
    return [Path(text) for text in value] or [ROOT / "backends"]


output_option = click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "results",
    help="the results folder  [default: results/]",
)
backends_option = click.option(
    "--backends-dir",
    "backend_roots",
    multiple=True,
    callback=_roots,
    help="where backends are looked for; may be repeated  [default: backends/]",
)
