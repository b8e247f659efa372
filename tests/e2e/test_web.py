"""Locust's live page of a running trial, in a real browser: microseconds, rate, failures."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.system.ports import free_port
from tests.e2e import browser
from tests.e2e.conftest import Bench, skip, until

pytestmark = pytest.mark.e2e
# One in ten asks for an object that is there, and expects that it is not.
SCENARIO = """
schema = 1
name = "one-in-ten-fails"
title = "GET, and HEAD that expects 404"
[objects]
bucket = "bench"
count = 100
size_bytes = 1024
key = "object-{index:08d}"
[[operations]]
name = "get"
weight = 90
status = 200
[[operations]]
name = "head"
weight = 10
status = 404
"""
ROWS = "[...document.querySelectorAll('table tr')].map(r => [...r.cells].map(c => c.innerText))"


def _asked(url: str, method: str = "GET") -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return json.load(answer)


def _table(page: browser.Page) -> dict[str, str]:
    """The row of all requests by column, once it is there; else empty."""
    rows: Any = page.value(ROWS)
    heads = [row for row in rows if "# Requests" in row]
    sums = [row for row in rows if "Aggregated" in row]
    if not heads or not sums:
        return {}
    return dict(zip(heads[0], sums[0], strict=True))


def test_the_live_page_shows_microseconds_rate_and_failures(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    path = browser.executable()
    if path is None:
        skip("no Chromium on the PATH: apt-get install chromium")
    assert path is not None
    scenario = tmp_path / "failing.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    port = free_port()
    one = bench(
        *["run", "--backend", "c", "--runtime", "process", "--tune", "off", "--no-calibrate"],
        *["--probes", "off", "--rps", "500", "--duration", "40s", "--warmup", "1s"],
        *["--scenario", str(scenario), "--web", str(port)],
    )
    url = f"http://127.0.0.1:{port}/"
    one.wait_for_load()
    assert f"live page, while requests are sent: {url}" in one.stderr
    with browser.running(path) as chromium, chromium.page() as page:
        page.shape(1400, 1000)
        page.open(url)

        def shown() -> dict[str, str]:
            row = _table(page)
            return row if row and float(row["Current RPS"]) > 400 else {}

        row = until("the table to fill", shown, 60)
        page.picture(tmp_path / "live.png")
        assert page.complaints == []
    told = _asked(f"{url}stats/requests")
    total = told["stats"][-1]
    percentiles = ["50%ile (ms)", "90%ile (ms)", "99%ile (ms)", "99.9%ile (ms)"]
    # To the microsecond, and never the same whole number by rounding.
    times = [row[name] for name in ("Median (ms)", "Min (ms)", "Max (ms)", *percentiles)]
    assert all(re.fullmatch(r"\d+(\.\d{1,3})?", text) for text in times), row
    assert any(re.fullmatch(r"\d+\.\d{3}", text) for text in times), row
    assert 0 < float(row["Min (ms)"]) <= float(row["50%ile (ms)"]) <= float(row["99%ile (ms)"])
    assert row["Median (ms)"] == row["50%ile (ms)"]
    requests, fails = int(row["# Requests"]), int(row["# Fails"])
    assert 0.05 < fails / requests < 0.15
    assert told["errors"][0]["error"] == "status"
    assert total["response_time_percentile_0.5"] < total["response_time_percentile_0.99"]
    for action in ("stop", "swarm", "stats/reset"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            _asked(url + action, "POST" if action == "swarm" else "GET")
    assert one.end() == 3, one.stderr  # a tenth of wrong answers is no trial
    (trial,) = one.trials()
    assert trial.load is not None
    assert trial.load.offered == trial.load.completed == 20_000, "nobody could stop it"
    one.leaves_nothing()
