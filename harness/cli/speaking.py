"""`--pipeline` and `--streams`: how many requests a connection has at once, by what it speaks."""

from __future__ import annotations

from harness import asked
from harness.errors import UsageError
from harness.model.plan import STREAMED

DEFAULT_STREAMS = 16
PIPELINED = "h1-pipelined"


def at_once(spoken: set[str], depth: int, streams: int | None) -> tuple[int, int]:
    """Pipelined requests and streams of a connection; each goes with its own protocol only."""
    asked.number("--pipeline", depth, low=1, high=1024, unit="")
    told = ", ".join(sorted(spoken))
    if (depth > 1) != (spoken == {PIPELINED}):
        raise UsageError(
            "--pipeline",
            f"{depth} with --protocol {told}",
            hint=f"a depth above 1 goes with --protocol {PIPELINED}, and only with it",
        )
    if STREAMED in spoken:
        streams = DEFAULT_STREAMS if streams is None else streams
        asked.number("--streams", streams, low=1, high=1024, unit="")
        return depth, streams
    if streams is not None:
        raise UsageError(
            "--streams",
            f"{streams} with --protocol {told}",
            hint=f"streams are HTTP/2's: add --protocol {STREAMED}, or leave them out",
        )
    return depth, 1
