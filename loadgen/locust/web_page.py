"""Locust's web UI as this benchmark needs it: microseconds where it rounds, and nothing to press.

Locust rounds to whole milliseconds in its statistics and to two decimals in its page. The page is
for looking on: a trial that somebody stopped or started from a browser would be no trial.
"""

from __future__ import annotations

import re
from typing import Any

import locust.stats

PERCENTILES = [0.5, 0.9, 0.99, 0.999]
CHARTED = [0.5, 0.99]
ACTIONS = ("/swarm", "/stop", "/stats/reset", "/user")
_ROUNDED = re.compile(rb"(title:`(?:Median|Average) \(ms\)`,round:)2")


def refine(web_ui: Any) -> None:
    """Changes the running UI of a master; without one there is nothing to do."""
    if web_ui is None:
        return
    locust.stats.PERCENTILES_TO_STATISTICS = PERCENTILES
    locust.stats.PERCENTILES_TO_CHART = CHARTED
    _keep_decimals()
    web_ui.app.before_request(_refuse_actions)
    web_ui.app.after_request(_show_decimals)


def _keep_decimals() -> None:
    entry: Any = locust.stats.StatsEntry
    plain = entry.to_dict

    def to_dict(self: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        shown: dict[str, Any] = plain(self, *arguments, **named)
        shown["min_response_time"] = self.min_response_time or 0
        shown["max_response_time"] = self.max_response_time
        return shown

    entry.to_dict = to_dict


def _refuse_actions() -> tuple[str, int] | None:
    from flask import request  # noqa: PLC0415 (Locust's own; only where there is a page)

    if request.path.endswith(ACTIONS):
        return "bench drives this test: stop it with Ctrl-C there", 403
    return None


def _show_decimals(response: Any) -> Any:
    """The page's script rounds two columns once more."""
    if response.mimetype.endswith("javascript"):
        response.direct_passthrough = False
        response.set_data(_ROUNDED.sub(rb"\g<1>3", response.get_data()))
    return response
