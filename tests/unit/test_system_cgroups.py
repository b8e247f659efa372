"""Control groups: what mountinfo and /proc/PID/cgroup say, on version 1, version 2 and both."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.system import cgroups
from harness.system.cgroups import (
    Group,
    Hierarchy,
    Limits,
    _limit,
    parse_membership,
    parse_mounts,
)

V1 = """\
35 25 0:30 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
36 35 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
37 35 0:32 / /sys/fs/cgroup/memory rw,relatime shared:10 - cgroup cgroup rw,memory
38 35 0:33 / /sys/fs/cgroup/pids rw,relatime shared:11 - cgroup cgroup rw,pids
39 35 0:34 / /sys/fs/cgroup/unified rw,relatime shared:12 - cgroup2 cgroup2 rw
"""
V2 = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V2_CONTROLLERS = {"/sys/fs/cgroup": "cpuset cpu io memory hugetlb pids rdma misc\n"}


def test_version_1_has_a_mount_per_controller() -> None:
    tree = parse_mounts(V1, {"/sys/fs/cgroup/unified": ""})
    assert tree.unified == frozenset()
    assert tree.mounts == {
        "cpu": Path("/sys/fs/cgroup/cpu,cpuacct"),
        "cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct"),
        "memory": Path("/sys/fs/cgroup/memory"),
        "pids": Path("/sys/fs/cgroup/pids"),
    }


def test_version_2_has_one_mount_and_counts_cpu_time_in_it() -> None:
    tree = parse_mounts(V2, V2_CONTROLLERS)
    assert tree.unified == {"cpu", "cpuacct", "cpuset", "memory", "pids"}
    assert set(tree.mounts.values()) == {Path("/sys/fs/cgroup")}


def test_nothing_mounted_is_no_error() -> None:
    assert parse_mounts("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", {}).mounts == {}


def test_membership_on_version_1() -> None:
    tree = parse_mounts(V1, {"/sys/fs/cgroup/unified": ""})
    text = "12:pids:/docker/abc\n4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/docker/abc\n"
    assert parse_membership(text, tree) == {
        "pids": Path("/sys/fs/cgroup/pids/docker/abc"),
        "memory": Path("/sys/fs/cgroup/memory/docker/abc"),
        "cpu": Path("/sys/fs/cgroup/cpu,cpuacct/docker/abc"),
        "cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct/docker/abc"),
    }


def test_membership_on_version_2() -> None:
    tree = parse_mounts(V2, V2_CONTROLLERS)
    folders = parse_membership("0::/system.slice/docker-abc.scope\n", tree)
    assert set(folders.values()) == {Path("/sys/fs/cgroup/system.slice/docker-abc.scope")}


def _group(folder: Path, *, unified: bool) -> Group:
    names = ("cpu", "cpuacct", "cpuset", "memory", "pids")
    return Group(dict.fromkeys(names, folder), frozenset(names if unified else ()))


def test_counters_of_version_2(tmp_path: Path) -> None:
    (tmp_path / "cpu.stat").write_text(
        "usage_usec 1500\nnr_periods 10\nnr_throttled 3\nthrottled_usec 250\n"
    )
    (tmp_path / "memory.current").write_text("4096\n")
    (tmp_path / "memory.events").write_text("low 0\noom_kill 1\n")
    group = _group(tmp_path, unified=True)
    throttled = group.throttled()
    assert throttled is not None
    assert (throttled.count, throttled.time_ns) == (3, 250_000)
    assert group.cpu_ns() == 1_500_000
    assert group.memory_bytes() == 4096
    assert group.memory_peak_bytes() is None  # before Linux 5.19: not there is not zero
    assert group.out_of_memory_kills() == 1


def test_counters_of_version_1(tmp_path: Path) -> None:
    (tmp_path / "cpuacct.usage").write_text("1500123\n")
    (tmp_path / "cpu.stat").write_text("nr_periods 10\nnr_throttled 3\nthrottled_time 250042\n")
    (tmp_path / "memory.max_usage_in_bytes").write_text("8192\n")
    group = _group(tmp_path, unified=False)
    throttled = group.throttled()
    assert throttled is not None
    assert (throttled.count, throttled.time_ns) == (3, 250_042)
    assert group.cpu_ns() == 1_500_123
    assert group.memory_peak_bytes() == 8192


def test_limits_are_written_in_each_version_s_own_words(tmp_path: Path) -> None:
    limits = Limits(cpus=(1, 3), memory_bytes=1 << 20, cpu_quota=0.5, pids=64)
    assert _limit(_group(tmp_path, unified=True), limits, {}) == {}
    assert (tmp_path / "cpu.max").read_text() == "50000 100000"
    assert (tmp_path / "cpuset.cpus").read_text() == "1,3"
    assert (tmp_path / "memory.max").read_text() == str(1 << 20)
    assert (tmp_path / "memory.swap.max").read_text() == "0"
    assert _limit(_group(tmp_path, unified=False), limits, {}) == {}
    assert (tmp_path / "cpu.cfs_quota_us").read_text() == "50000"
    assert (tmp_path / "memory.limit_in_bytes").read_text() == str(1 << 20)


def test_what_could_not_be_limited_is_said() -> None:
    group = Group({}, frozenset())
    missed = _limit(group, Limits(cpu_quota=0.5, pids=9), {"cpu": "no such group is mounted"})
    assert missed == {"cpu_quota": "no such group is mounted", "pids": "no such control group"}


def test_a_quota_above_a_process_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's quota sits above the group of the process that it throttles."""
    own = tmp_path / "container" / "session"
    own.mkdir(parents=True)
    tree = Hierarchy({"cpu": tmp_path}, frozenset({"cpu"}))
    monkeypatch.setattr(cgroups, "hierarchy", lambda: tree)
    monkeypatch.setattr(cgroups, "of_process", lambda pid: Group({"cpu": own}, tree.unified))
    (tmp_path / "cpu.stat").write_text("usage_usec 1\n")  # the root counts no throttling
    (own / "cpu.stat").write_text("usage_usec 1\nnr_throttled 1\nthrottled_usec 5\n")
    above = own.parent / "cpu.stat"
    above.write_text("usage_usec 1\nnr_throttled 7\nthrottled_usec 90\n")
    files = cgroups.quota_files(4711)
    assert files == [own / "cpu.stat", above, tmp_path / "cpu.stat"]
    assert cgroups.throttled_ns(files) == 90_000
    assert cgroups.throttled_ns([tmp_path / "cpu.stat"]) is None
    monkeypatch.setattr(cgroups, "of_process", lambda pid: None)
    assert cgroups.quota_files(4711) == []
