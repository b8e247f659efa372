"""All probes of a run: started once, restarted when one died, and the reasons of those absent."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from harness.drivers.manifests import find_probes, read_probe
from harness.drivers.probe import INTERPRETER, Probe
from harness.errors import ProbeFailed
from harness.model.facts import ProbeOutcome
from harness.model.plan import Plan

GAP_NS = 100_000
WINDOW_NS = 50_000
SLACK_S = 120


class ProbeRoom:
    """Holds the probe processes from the first trial to the last."""

    def __init__(
        self, root: Path, *, plan: Plan, log_folder: Path, say: Callable[[str], None]
    ) -> None:
        """Finds the probes; nothing is started before `ready`."""
        self._folders = find_probes(root)
        self._plan = plan
        self._log = log_folder / "probes.log"
        self._say = say
        self._probes: dict[str, Probe] = {}
        self._absent: dict[str, ProbeOutcome] = {}

    def __enter__(self) -> Self:
        """Nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends every probe."""
        for probe in self._probes.values():
            probe.close()
        self._probes.clear()

    def absent(self) -> list[ProbeOutcome]:
        """Probes that do not run in this run, with the reason."""
        return list(self._absent.values())

    def ready(self) -> list[Probe]:
        """The probes that can record now; starts and compiles those that are missing.

        ProbeFailed under `--probes require` when one cannot.
        """
        if self._plan.request.probes == "off":
            self._mark_absent(list(self._folders), "off", "--probes off")
            return []
        reason = cannot()
        if reason:
            self._refuse(reason)
            self._mark_absent(list(self._folders), "unavailable", reason)
            return []
        self._drop_dead()
        fresh = [name for name in self._folders if name not in {*self._probes, *self._absent}]
        if fresh:
            self._say(f"probes: compile {', '.join(fresh)}")
            self._start(fresh)
        return list(self._probes.values())

    def _mark_absent(self, names: list[str], state: str, reason: str) -> None:
        for name in names:
            self._absent[name] = ProbeOutcome(name=name, state=state, reason=reason)

    def _drop_dead(self) -> None:
        for name, probe in list(self._probes.items()):
            if probe.has_died() or not probe.usable:
                probe.close()
                del self._probes[name]

    def _start(self, names: list[str]) -> None:
        """All compile at once."""
        request = self._plan.request
        settings = {
            "address": request.address,
            "port": 0,
            "cpus": {
                "backend": self._plan.layout.backend_cpus,
                "engine": self._plan.layout.engine_cpus,
            },
            "gap_ns": GAP_NS,
            "window_ns": WINDOW_NS,
            "seconds_max": int(request.warmup_s + request.duration_s) + SLACK_S,
        }
        for name in names:
            folder = self._folders[name]
            probe = Probe(folder, read_probe(folder), self._log)
            probe.configure(settings)
            self._probes[name] = probe  # from here on it is closed whatever happens
        for name in names:
            probe = self._probes[name]
            probe.wait_ready()
            if probe.usable:
                continue
            self._refuse(f"{probe.name}: {probe.reason}")
            self._say(f"probe {probe.name}: {probe.state}: {probe.reason}")
            self._mark_absent([name], probe.state, probe.reason)
            probe.close()
            del self._probes[name]

    def _refuse(self, reason: str) -> None:
        if self._plan.request.probes == "require":
            raise ProbeFailed(
                "--probes require",
                reason,
                hint="`bench doctor` says what is missing; or --probes auto",
            )


def cannot() -> str:
    """Why no probe can run on this machine; "" when they can be tried."""
    if os.geteuid() != 0:
        return "BPF needs root"
    if not Path(INTERPRETER).exists():
        return f"{INTERPRETER} is not there"
    with contextlib.suppress(OSError):
        places = ("/usr/lib/python3/dist-packages/bcc",)
        if not any(Path(place).is_dir() for place in places):
            return "Debian's python3-bpfcc is not installed"
    return ""
