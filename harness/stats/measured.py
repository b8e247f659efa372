"""The requests of a trial's measured part, with what is derived of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.model.facts import TrialFacts
from harness.model.recording import FLAG_WARM_UP, Flags, Ints, Recording, Requests
from harness.stats import lag, loads
from harness.stats.loads import Counted


@dataclass(frozen=True, slots=True)
class Measured:
    """Arrays of one length: an element a request, in order of intended time; times in ns."""

    facts: TrialFacts
    requests: Requests
    lag: lag.Lag
    response: Ints
    service: Ints  # of requests that were sent
    answered: Flags  # their end is known
    part: Flags  # which of the recording's requests these are

    def counted(self) -> Counted:
        """Counters, for a trial whose engine left none."""
        return loads.count(self.requests, self.lag.sent, self.answered)


def of_recording(recording: Recording) -> Measured | None:
    """None where no request of the measured part was recorded."""
    requests, facts = recording.requests, recording.facts
    if requests is None or facts.end_ns <= facts.measure_ns:
        return None
    depth = max(facts.pipeline, facts.streams)
    split = lag.split(requests, depth)  # before the cut: the warm-up's answers free, too
    part = (requests.flags & FLAG_WARM_UP) == 0
    part &= (requests.intended_ns >= facts.measure_ns) & (requests.intended_ns < facts.end_ns)
    if not np.any(part):
        return None
    names = ("intended_ns", "sent_ns", "first_byte_ns", "last_byte_ns", "connection", "status",
             "operation", "outcome", "flags")  # fmt: skip
    cut = Requests(
        **{name: getattr(requests, name)[part] for name in names},
        operations=requests.operations,
        errors=requests.errors,
        truncated=requests.truncated,
    )
    # What was never answered has waited at least until the recording's last moment.
    answered = cut.last_byte_ns > 0
    horizon = max(int(requests.last_byte_ns.max()), facts.end_ns)
    ends = np.where(answered, cut.last_byte_ns, horizon)
    return Measured(
        facts=facts,
        requests=cut,
        lag=lag.Lag(split.own_fault[part], split.backlog[part], split.sent[part]),
        response=ends - cut.intended_ns,
        service=ends - cut.sent_ns,
        answered=answered,
        part=part,
    )
