"""Writes a program that speaks as the engine does and sends nothing, for a run with real Locust."""

from __future__ import annotations

import sys

PROGRAM = """#!{python}
import json, os, sys, time
from pathlib import Path

plan = json.load(sys.stdin)
SECOND = 1_000_000_000

def say(event, **fields):
    print(json.dumps({{"event": event, **fields}}), flush=True)

if sys.argv[1] == "preload":
    say("done", objects=1, bytes=1, wall_ns=1, errors={{}})
    sys.exit(0)
say("ready", pid=os.getpid(), version="fake", clock_ns=time.monotonic_ns(),
    connections=plan["connections"])
start = plan["start_at_ns"] or time.monotonic_ns() + SECOND // 10
measure = start + int(plan["warmup_s"] * SECOND)
end = measure + int(plan["duration_s"] * SECOND)
say("start", start_ns=start, measure_ns=measure, end_ns=end)
last = plan["share"]["index"] == plan["share"]["count"] - 1
if last and Path(plan["records_path"]).parent.name == {killed!r}:
    time.sleep(max(0, (start - time.monotonic_ns()) / SECOND) + 0.5)
    os.kill(os.getpid(), 9)
time.sleep(max(0, (end - time.monotonic_ns()) / SECOND))
count = int(plan["rate_rps"] * plan["duration_s"])
head = json.dumps({{"schema": 1, "operations": ["get"], "errors": [], "connections": 1}}).encode()
records = bytearray()
for slot in range(count):
    due = measure + int(slot / plan["rate_rps"] * SECOND)
    for value in (due, due + 20_000, due + 320_000, due + 320_000):
        records += value.to_bytes(8, "little")
    records += (0).to_bytes(2, "little") + (200).to_bytes(2, "little") + bytes(4)
whole = b"PMREQ001" + len(head).to_bytes(4, "little") + head
Path(plan["records_path"]).write_bytes(whole.ljust(4096, b"\\0") + records)
counts = dict(offered=count, sent=count, completed=count, good=count, errors={{}},
              bytes_in=count, bytes_out=count, cpu_ns=0)
say("done", totals={{**counts, "histograms": {{}}}}, by_operation={{}}, cpu_ns=0, wall_ns=1,
    connections_opened=1, connections_lost=0, digests_checked=0, digests_wrong=0,
    records=count, records_dropped=0, unfinished=0, errors={{}})
"""


def program(*, killed_in_trial: str = "") -> str:
    """The program's text; in this trial it ends by SIGKILL under way, as the last worker's."""
    return PROGRAM.format(python=sys.executable, killed=killed_in_trial)
