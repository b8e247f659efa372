"""The reading example of docs/formats/log.md does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.servers import REPOSITORY
from tests.durability.log_format import PUT, read_log, write_log
from tests.durability.test_recovery import golden


def test_the_example_reads_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(tmp_path, golden())
    page = (REPOSITORY / "docs" / "formats" / "log.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "log.md", "exec"), names)
    state = read_log(tmp_path).state.values()
    assert names["objects"] == {r.key: r.data for r in state if r.operation == PUT}
