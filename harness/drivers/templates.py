"""The door to report_templates/: loads its templates and what is inlined into a page."""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2
from markupsafe import Markup

from harness.errors import EnvironmentLacking

FOLDER = Path(__file__).resolve().parents[2] / "report_templates"


@functools.lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Strict: a name that the view does not have is an error and never an empty string."""
    if not (FOLDER / "report.html.j2").is_file():
        raise EnvironmentLacking(
            "report_templates",
            f"no templates, expected report.html.j2 in {FOLDER}",
            hint="run bench from a checkout that is complete",
        )
    loaded = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    loaded.globals["static"] = static
    return loaded


@functools.lru_cache(maxsize=16)
def static(name: str) -> Markup:
    """A style sheet or script of ours, to stand inside a page."""
    # "</" inside a script or style would end it; in both languages "<\\/" means the same in strings
    text = (FOLDER / "static" / name).read_text(encoding="utf-8").replace("</", "<\\/")
    return Markup(text)  # noqa: S704 - files of this checkout, not input
