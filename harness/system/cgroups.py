"""Control groups, version 1 and 2: making one, limiting it, reading what its members used.

On version 1 each controller is a tree of its own; on version 2 there is one. A `Group` hides
that: it holds, per controller, the folder where that controller's files are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.system.clock import Deadline, sleep_s
from harness.system.files import read_fields, read_int, read_text
from harness.system.process_table import Identity, end_all, identify, lives, parse_identity

OUR_FOLDER = "pausemark"
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids")
PERIOD_US = 100_000  # of a CPU quota, the kernel's own default


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where each controller is mounted; `unified` names those of version 2."""

    mounts: Mapping[str, Path]
    unified: frozenset[str]


@dataclass(frozen=True, slots=True)
class Throttled:
    """What a CPU quota took."""

    count: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group may use; None: no limit."""

    cpus: tuple[int, ...] = ()
    memory_bytes: int | None = None
    cpu_quota: float | None = None
    pids: int | None = None


def parse_mounts(mountinfo: str, unified_controllers: Mapping[str, str]) -> Hierarchy:
    """From /proc/self/mountinfo; `unified_controllers` maps a cgroup2 mount to its controllers."""
    mounts: dict[str, Path] = {}
    unified: set[str] = set()
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, *rest) = before.split(), after.split() or [""]
        if kind == "cgroup" and len(rest) >= 2:
            for controller in rest[1].split(","):
                if controller in CONTROLLERS:
                    mounts.setdefault(controller, Path(fields[4]))
        elif kind == "cgroup2":
            for controller in (unified_controllers.get(fields[4]) or "").split():
                if controller in CONTROLLERS and controller not in mounts:
                    mounts[controller] = Path(fields[4])
                    unified.add(controller)
            if "cpu" in unified:
                # cpuacct is no controller of version 2: cpu.stat has what it counted.
                mounts["cpuacct"] = Path(fields[4])
                unified.add("cpuacct")
    return Hierarchy(mounts, frozenset(unified))


def hierarchy() -> Hierarchy:
    """This machine's; empty where nothing is mounted."""
    mountinfo = read_text(Path("/proc/self/mountinfo")) or ""
    unified = {}
    for line in mountinfo.splitlines():
        if " - cgroup2 " in line:
            mount = line.split()[4]
            unified[mount] = read_text(Path(mount) / "cgroup.controllers") or ""
    return parse_mounts(mountinfo, unified)


def parse_membership(text: str, tree: Hierarchy) -> dict[str, Path]:
    """From /proc/PID/cgroup: the folder of each controller."""
    folders = {}
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        # An empty list of names is version 2, where the process is in one group for all.
        for controller in names.split(",") if names else sorted(tree.unified):
            if controller in tree.mounts and (controller in tree.unified) == (not names):
                folders[controller] = tree.mounts[controller] / path.lstrip("/")
    return folders


@dataclass(frozen=True, slots=True)
class Group:
    """One group; a controller that is absent from `folders` counts and limits nothing."""

    folders: Mapping[str, Path]
    unified: frozenset[str]
    not_limited: Mapping[str, str] = field(default_factory=dict)

    @property
    def distinct_folders(self) -> list[Path]:
        """Each folder once (on version 2 there is only one)."""
        return list(dict.fromkeys(self.folders.values()))

    @property
    def membership_files(self) -> list[Path]:
        """Where a process writes its pid to join."""
        return [folder / "cgroup.procs" for folder in self.distinct_folders]

    def _file(self, controller: str, v1: str, v2: str) -> Path | None:
        folder = self.folders.get(controller)
        if folder is None:
            return None
        return folder / (v2 if controller in self.unified else v1)

    def pids(self) -> list[int]:
        """Its members now."""
        found: set[int] = set()
        for path in self.membership_files:
            found.update(int(pid) for pid in (read_text(path) or "").split())
        return sorted(found - {0})

    def cpu_ns(self) -> int | None:
        """CPU time of all members, the dead ones too."""
        path = self._file("cpuacct", "cpuacct.usage", "cpu.stat")
        if path is None:
            return None
        if "cpuacct" not in self.unified:
            return read_int(path)
        used_us = read_fields(path).get("usage_usec")
        return None if used_us is None else used_us * 1000

    def throttled(self) -> Throttled | None:
        """What the quota took so far."""
        path = self._file("cpu", "cpu.stat", "cpu.stat")
        fields = {} if path is None else read_fields(path)
        time_ns = _throttled_ns(fields)
        return None if time_ns is None else Throttled(fields["nr_throttled"], time_ns)

    def memory_bytes(self) -> int | None:
        """Memory charged to the group at this moment, page cache included."""
        path = self._file("memory", "memory.usage_in_bytes", "memory.current")
        return None if path is None else read_int(path)

    def memory_peak_bytes(self) -> int | None:
        """The most that was ever charged to it (version 2: from Linux 5.19 on)."""
        path = self._file("memory", "memory.max_usage_in_bytes", "memory.peak")
        return None if path is None else read_int(path)

    def out_of_memory_kills(self) -> int | None:
        """How often the kernel killed a member because the limit was reached."""
        path = self._file("memory", "memory.oom_control", "memory.events")
        return None if path is None else read_fields(path).get("oom_kill")

    def remove(self, *, timeout_s: float = 3.0) -> None:
        """Kill the members that are left, then remove the folders; safe to call twice."""
        end_all(filter(None, map(identify, self.pids())), timeout_s=0.0)
        deadline = Deadline(timeout_s)
        for folder in self.distinct_folders:
            # A group can be removed only some moments after its last member was reaped.
            while folder.exists() and not _removed(folder) and not deadline.passed:
                sleep_s(0.01)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return not folder.exists()
    return True


def of_process(pid: int) -> Group | None:
    """The group that a process is in (a container's, say); None when it is gone."""
    text = read_text(Path(f"/proc/{pid}/cgroup"))
    tree = hierarchy()
    return None if text is None else Group(parse_membership(text, tree), tree.unified)


def quota_files(pid: int) -> list[Path]:
    """Where a quota that holds a process back is counted: its own group, and every one above it.

    Empty when the process is gone, or without a cpu controller.
    """
    group = of_process(pid)
    own = None if group is None else group.folders.get("cpu")
    mount = hierarchy().mounts.get("cpu")
    if own is None or mount is None:
        return []
    folders = [own, *own.parents]
    within = folders[: folders.index(mount) + 1] if mount in folders else [own]
    return [path for folder in within if (path := folder / "cpu.stat").is_file()]


def throttled_ns(files: Sequence[Path]) -> int | None:
    """The most that any of these `cpu.stat` counts; None when none counts throttling."""
    found = [ns for path in files if (ns := _throttled_ns(read_fields(path))) is not None]
    return max(found) if found else None


def _throttled_ns(fields: Mapping[str, int]) -> int | None:
    if "nr_throttled" not in fields:
        return None
    return fields.get("throttled_time", fields.get("throttled_usec", 0) * 1000)


def create(name: str, owner: Identity, limits: Limits, *, within: str = OUR_FOLDER) -> Group:
    """A new group under `pausemark/`; what could not be limited is told, never raised.

    The folder's name carries the owner, so that a later command can remove what a killed one left.
    """
    tree = hierarchy()
    folders: dict[str, Path] = {}
    refused: dict[str, str] = {}
    for controller in CONTROLLERS:
        mount = tree.mounts.get(controller)
        if mount is None:
            refused[controller] = "no such control group is mounted"
            continue
        folder = mount / within / f"{owner.pid}-{owner.start_ticks}-{name}"
        try:
            _make(folder, mount, controller, unified=controller in tree.unified)
            folders[controller] = folder
        except OSError as error:
            refused[controller] = f"{folder}: {error.strerror}"
    group = Group(folders, tree.unified)
    return Group(folders, tree.unified, _limit(group, limits, refused))


def _make(folder: Path, mount: Path, controller: str, *, unified: bool) -> None:
    parent = folder.parent
    if unified and controller != "cpuacct":
        # The root hands a controller down only when told; so does every folder below it.
        parent.mkdir(exist_ok=True)
        for above in (mount, parent):
            _write(above / "cgroup.subtree_control", f"+{controller}")
    parent.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    if controller == "cpuset" and not unified:
        # A version 1 cpuset takes no member before it has CPUs and memory nodes.
        for name in ("cpuset.cpus", "cpuset.mems"):
            for above, below in ((mount, parent), (parent, folder)):
                if not (read_text(below / name) or "").strip():
                    _write(below / name, (read_text(above / name) or "").strip())


def _write(path: Path, value: str) -> None:
    with path.open("w", encoding="ascii") as file:
        file.write(value)


def _limit(group: Group, limits: Limits, refused: Mapping[str, str]) -> dict[str, str]:
    """Sets what was asked; returns, by what was asked, why it could not be."""
    wanted: list[tuple[str, str, list[tuple[str, str, str]]]] = []
    if limits.cpus:
        cpus = ",".join(map(str, limits.cpus))
        wanted.append(("cpus", "cpuset", [("cpuset.cpus", "cpuset.cpus", cpus)]))
    if limits.memory_bytes is not None:
        size = str(limits.memory_bytes)
        wanted.append(("memory", "memory", [("memory.limit_in_bytes", "memory.max", size)]))
    if limits.pids is not None:
        wanted.append(("pids", "pids", [("pids.max", "pids.max", str(limits.pids))]))
    if limits.cpu_quota is not None:
        quota_us = max(1000, int(limits.cpu_quota * PERIOD_US))
        wanted.append(("cpu_quota", "cpu", _quota(group, quota_us)))
    missed = {}
    for what, controller, files in wanted:
        try:
            for v1, v2, value in files:
                folder = group.folders[controller]
                _write(folder / (v2 if controller in group.unified else v1), value)
        except KeyError:
            missed[what] = refused.get(controller, "no such control group")
        except OSError as error:
            missed[what] = f"{controller} control group: {error.strerror}"
    if "memory" in group.folders and limits.memory_bytes is not None:
        _forbid_swap(group, limits.memory_bytes)
    return missed


def _quota(group: Group, quota_us: int) -> list[tuple[str, str, str]]:
    if "cpu" in group.unified:
        return [("", "cpu.max", f"{quota_us} {PERIOD_US}")]
    return [
        ("cpu.cfs_period_us", "", str(PERIOD_US)),
        ("cpu.cfs_quota_us", "", str(quota_us)),
    ]


def _forbid_swap(group: Group, memory_bytes: int) -> None:
    """Beyond its limit a backend is refused memory, not slowed by a disk; best effort."""
    folder = group.folders["memory"]
    with contextlib.suppress(OSError):
        if "memory" in group.unified:
            _write(folder / "memory.swap.max", "0")
        else:
            _write(folder / "memory.memsw.limit_in_bytes", str(memory_bytes))


def abandoned(within: str = OUR_FOLDER) -> Sequence[Group]:
    """Groups under `pausemark/` whose owner is dead."""
    tree = hierarchy()
    names: dict[str, dict[str, Path]] = {}
    for controller, mount in tree.mounts.items():
        for folder in (mount / within).glob("*-*-*"):
            names.setdefault(folder.name, {})[controller] = folder
    found = []
    for name, folders in names.items():
        pid, start, *_ = name.split("-", 2)
        owner = parse_identity(f"{pid}:{start}")
        if owner is not None and not lives(owner):
            found.append(Group(folders, tree.unified))
    return found
