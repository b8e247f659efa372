"""The known answer of a server that freezes: what a percentile must read. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Freeze(msgspec.Struct, frozen=True):
    """One freeze as the server logged it; ns.

    `served_ns`: when each of the requests that drained it was answered, since `end_ns`.
    """

    start_ns: int
    end_ns: int
    served_ns: tuple[int, ...] = ()

    @property
    def drain_ns(self) -> int:
        """From its end until service had caught up with the schedule; 0 when nobody was served."""
        return self.served_ns[-1] if self.served_ns else 0


def drain(start_ns: int, end_ns: int, served_ns: Sequence[int], *, rate_rps: float) -> Freeze:
    """A freeze with its drain, from when each request after it was answered (ns from `end_ns`).

    Drained: as many were served since the end as the schedule sent since the beginning, less the
    one that may be on its way. Never seen to catch up: all that was served counts.
    """
    count = 0
    for count, after_ns in enumerate(served_ns, start=1):
        if count + 1 >= rate_rps * (end_ns - start_ns + after_ns) / 1e9:
            break
    return Freeze(start_ns, end_ns, tuple(served_ns[:count]))


def utilisation(freezes: Sequence[Freeze], *, rate_rps: float) -> float:
    """Rho = rate / drain rate, from the drains that served more than one request.

    A server that drains faster than the clock tells has rho 0.
    """
    served = sum(len(f.served_ns) for f in freezes)
    took_ns = sum(f.drain_ns for f in freezes)
    if served == 0 or took_ns <= 0:
        return 0.0
    return min(0.99, rate_rps / (served / took_ns * 1e9))


def expected_delay_ns(
    freezes: Sequence[Freeze], *, share: float, duration_ns: int, rho: float
) -> float:
    """The delay that the `share` of slowest requests begins at, base response time excluded.

    A freeze of F delays the request that arrives t after its beginning by F - t (1 - rho): a line
    from F to 0. Above a value v lie (F - v) / (1 - rho) of arrival time, summed over all freezes;
    v is where that is `share` of the duration. For equal freezes every period this is
    F - share x period x (1 - rho).
    """
    lengths = [float(f.end_ns - f.start_ns) for f in freezes]
    wanted = share * duration_ns * (1.0 - rho)
    if not lengths or sum(lengths) <= wanted:
        return 0.0
    low, high = 0.0, max(lengths)
    for _ in range(64):
        middle = (low + high) / 2
        above = sum(max(0.0, length - middle) for length in lengths)
        low, high = (middle, high) if above > wanted else (low, middle)
    return (low + high) / 2


def scheduled_delay_ns(
    freezes: Sequence[Freeze],
    *,
    rate_rps: float,
    duration_ns: int,
    share: float,
    phase_ns: int,
) -> float:
    """The same for a uniform schedule, request by request and by nearest rank.

    The n-th slot since a freeze began met the n-th answer since it ended, as the server logged it.
    `phase_ns` is any intended time of the schedule.
    """
    slot_ns = 1e9 / rate_rps
    delays: list[float] = []
    for freeze in freezes:
        length_ns = freeze.end_ns - freeze.start_ns
        first_ns = (phase_ns - freeze.start_ns) % slot_ns
        delays += [
            length_ns + after_ns - (first_ns + slot_ns * number)
            for number, after_ns in enumerate(freeze.served_ns)
        ]
    above = int(share * duration_ns / slot_ns + 1e-9)  # as many are slower than the percentile
    delays.sort(reverse=True)
    return max(0.0, delays[above]) if above < len(delays) else 0.0
