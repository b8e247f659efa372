"""How the engine waited between slots, as it says in its `done` event."""

from __future__ import annotations

from harness.model.recording import Recording
from harness.model.trial import Pacing
from harness.stats import loads


def pacing(recording: Recording, missing: dict[str, str]) -> Pacing | None:
    """None, with the reason, where it did not say."""
    event = loads.done(recording)
    said = event.get("pace")
    if not isinstance(said, dict):
        missing["pacing"] = "the engine did not say how it waited"
        return None
    late = said.get("wake_late_ns_p90")
    return Pacing(
        asked=str(said.get("asked")),
        chosen=str(said.get("chosen")),
        why=str(said.get("why")),
        grain_ns=int(event.get("grain_ns", 0)),
        wake_late_ns_p90=None if late is None else int(late),
    )
