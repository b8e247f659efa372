"""The door to report_templates/: loads its templates and what is inlined into a page."""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2
from markupsafe import Markup

from harness.errors import EnvironmentLacking

FOLDER = Path(__file__).resolve().parents[2] / "report_templates"
_UPLOT = FOLDER / "node_modules" / "uplot" / "dist"


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
    return _inline(FOLDER / "static" / name)


def chart_library() -> dict[str, Markup] | None:
    """uPlot's script and style when set-up could get it; a page is whole without."""
    script, style = _UPLOT / "uPlot.iife.min.js", _UPLOT / "uPlot.min.css"
    if not (script.is_file() and style.is_file()):
        return None
    return {"script": _inline(script), "style": _inline(style)}


def _inline(path: Path) -> Markup:
    # "</" inside a script or style would end it; in both languages "<\/" means the same in strings
    text = path.read_text(encoding="utf-8").replace("</", "<\\/")
    return Markup(text)  # noqa: S704 - files of this checkout, not input
