"""What the platform allows a container, read from folders that look like those of real ones."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.start.start_modules import module

#: The cgroup of a container by Docker 26 with cgroup v1, as it sees it.
V1 = "/docker/bbc599d1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def v1(root: Path, values: dict[str, str], *, mounted: str = V1, path: str = V1) -> str:
    """Lay out cgroup v1: the controllers that the files belong to, ``cpu,cpuacct`` in one hierarchy."""
    controllers = {"cpu,cpuacct": "cpu.", "memory": "memory.", "pids": "pids."}
    lines, mounts = ["0::" + path], ["304 303 0:121 / /sys/fs/cgroup rw - tmpfs tmpfs rw"]
    for number, (controller, prefix) in enumerate(controllers.items()):
        folder = root / "sys/fs/cgroup" / controller
        folder.mkdir(parents=True)
        lines.append(f"{number + 2}:{controller}:{path}")
        mounts.append(f"3 2 0:{number} {mounted} /sys/fs/cgroup/{controller} ro - cgroup cgroup rw,{controller}")
        for name, text in values.items():
            if Path(name).name.startswith(prefix):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text + "\n")
    return proc(root, lines, mounts)


def v2(root: Path, values: dict[str, str], *, path: str = "/") -> str:
    """Lay out cgroup v2: the files below the mount point, and the path of this process in it."""
    folder = root / "sys/fs/cgroup"
    (folder / path.lstrip("/")).mkdir(parents=True)
    for name, text in values.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")
    return proc(root, [f"0::{path}"], ["30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate"])


def proc(root: Path, lines: list[str], mounts: list[str]) -> str:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("\n".join(lines) + "\n")
    (root / "proc/self/mountinfo").write_text("\n".join(mounts) + "\n")
    return str(root)


def read(root: str) -> tuple[int | None, float | None, int | None]:
    """Return memory, CPUs and processes as for root, to whom this machine's own `ulimit -u` does not apply."""
    limits = module("platform_limits")
    return limits.memory_limit(root), limits.cpu_quota(root), limits.process_limit(root, lambda: 0)


def test_cgroup_v2(root: Path) -> None:
    values = {"memory.max": "314572800", "cpu.max": "150000 100000", "pids.max": "50"}
    assert read(v2(root, values)) == (314572800, 1.5, 50)


def test_cgroup_v1(root: Path) -> None:
    files = {
        "memory.limit_in_bytes": "314572800",
        "memory.stat": "cache 0\nhierarchical_memory_limit 200000000",  # a limit of the pod
        "cpu.cfs_quota_us": "50000",
        "cpu.cfs_period_us": "100000",
        "pids.max": "50",
    }
    assert read(v1(root, files)) == (200000000, 0.5, 50)


def test_no_limit(root: Path) -> None:
    files = {
        "memory.limit_in_bytes": "9223372036854771712",
        "memory.stat": "hierarchical_memory_limit 9223372036854771712",
        "cpu.cfs_quota_us": "-1",
        "cpu.cfs_period_us": "100000",
        "pids.max": "max",
    }
    assert read(v1(root / "v1", files)) == (None, None, None)
    assert read(v2(root / "v2", {"memory.max": "max", "cpu.max": "max 100000", "pids.max": "max"})) == (
        None,
        None,
        None,
    )
    assert read(str(root / "nothing")) == (None, None, None)


def test_the_smallest_limit_up_to_the_top_counts(root: Path) -> None:
    # The host's cgroup namespace: the container sees the cgroups above its own.
    below = {"pod/box/memory.max": "max", "pod/box/cpu.max": "400000 100000", "pod/box/pids.max": "90"}
    above = {"pod/memory.max": "1000", "pod/cpu.max": "200000 100000", "pod/pids.max": "100", "pids.max": "95"}
    assert read(v2(root / "v2", {**below, **above}, path="/pod/box")) == (1000, 2.0, 90)
    below = {"pod/box/memory.limit_in_bytes": "9223372036854771712", "pod/box/pids.max": "max"}
    above = {"pod/memory.limit_in_bytes": "1000", "pod/pids.max": "100"}
    assert read(v1(root / "v1", {**below, **above}, mounted="/", path="/pod/box")) == (1000, None, 100)


def test_a_cgroup_outside_the_namespace_is_read_at_its_mount_point(root: Path) -> None:
    assert read(v2(root / "v2", {"pids.max": "50"}, path="/../other"))[2] == 50
    assert read(v1(root / "v1", {"pids.max": "50"}, mounted="/docker/other"))[2] == 50
    assert read(v1(root / "above", {"pids.max": "50"}, mounted="/docker/other", path="/"))[2] == 50


@pytest.mark.parametrize(("quota", "cpus"), [("20000", 1), ("100000", 1), ("150000", 2), ("max", 4), ("900000", 4)])
def test_the_usable_cpus(root: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cpus: int) -> None:
    limits = module("platform_limits")
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert limits.usable_cpus(v2(root, {"cpu.max": f"{quota} 100000"})) == cpus


@pytest.fixture
def files() -> Iterator[tuple[int, int]]:
    """The limits of open files, restored after the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_open_files_is_raised(files: tuple[int, int]) -> None:
    limits = module("platform_limits")
    hard = files[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    most = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    assert limits.raise_open_files() == most
    assert limits.open_files() == (most, hard)


def test_a_limit_of_open_files_that_is_high_already_stays(
    files: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = module("platform_limits")
    monkeypatch.setattr(limits, "MOST_OPEN_FILES", files[0] - 1)
    assert limits.raise_open_files() == files[0] == limits.open_files()[0]


@pytest.mark.parametrize(("soft", "usable"), [(1024, 1024), (resource.RLIM_INFINITY, 65536)])
def test_the_files_that_a_worker_may_open(monkeypatch: pytest.MonkeyPatch, soft: int, usable: int) -> None:
    """Linux does not allow an unlimited number; other kernels may."""
    limits = module("platform_limits")
    monkeypatch.setattr(limits, "open_files", lambda: (soft, resource.RLIM_INFINITY))
    assert limits.usable_files() == usable


def test_the_limit_of_processes_of_a_user(root: Path) -> None:
    limits = module("platform_limits")
    path = v2(root, {"pids.max": "max"})
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (4000, hard))
        assert limits.process_limit(path, lambda: 1000) == 4000
        assert limits.process_limit(path, lambda: 0) is None
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
