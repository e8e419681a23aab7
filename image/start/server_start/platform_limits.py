"""The limits that the platform sets for the container: open files, memory, CPUs, processes.

Limits of cgroups are read as the kernel documents them (cgroup v2: Documentation/admin-guide/cgroup-v2.rst; v1:
admin-guide/cgroup-v1/). A cgroup is also bound by those above it, as far as the container can see them.
Everything here only reads, except `raise_open_files`.
"""

from __future__ import annotations

import math
import os
import resource
from typing import Callable, Iterator

#: The most open files that `raise_open_files` sets. Some programs loop over all possible file descriptors when they
#: start a child; engines allow a thousand million of them.
MOST_OPEN_FILES = 65536
#: A v1 cgroup without a limit has the largest number of pages. No machine has an exbibyte of memory.
_NO_MEMORY_LIMIT = 1 << 60


def open_files() -> tuple[int, int]:
    """Return the soft and the hard limit of open files of this process; `resource.RLIM_INFINITY` (-1) is no limit."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def usable_files() -> int:
    """Return how many files this process may open: `MOST_OPEN_FILES` if it has no limit."""
    soft, _ = open_files()
    return MOST_OPEN_FILES if soft == resource.RLIM_INFINITY else soft


def raise_open_files() -> int:
    """Raise the soft limit of open files to the hard one, at most to `MOST_OPEN_FILES`. Children inherit it.

    Returns:
        The soft limit now. A limit that was higher already is left as it is.
    """
    soft, hard = open_files()
    target = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= target:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (OSError, ValueError):  # more than fs.nr_open, or a security module forbids it
        return soft
    return target


def memory_limit(root: str = "/") -> int | None:
    """Return the memory that the container may use, in bytes; None without a limit.

    Args:
        root: The folder with ``proc`` and ``sys``, here and below; tests have their own.
    """
    limits = []
    for folder in _cgroups("memory", root):
        limits += _numbers(os.path.join(folder, "memory.max"))
        limits += _numbers(os.path.join(folder, "memory.limit_in_bytes"))
        # v1 only: the smallest limit up to the top, even of cgroups that the container does not see.
        limits += _numbers(os.path.join(folder, "memory.stat"), "hierarchical_memory_limit")
    return min((limit for limit in limits if limit < _NO_MEMORY_LIMIT), default=None)


def cpu_quota(root: str = "/") -> float | None:
    """Return the CPU time that the container may use, in CPUs (0.5 is half of one); None without a quota."""
    quotas = []
    for folder in _cgroups("cpu", root):
        pair = _numbers(os.path.join(folder, "cpu.max")) or [
            *_numbers(os.path.join(folder, "cpu.cfs_quota_us")),
            *_numbers(os.path.join(folder, "cpu.cfs_period_us")),
        ]
        if len(pair) == 2 and pair[0] > 0 and pair[1] > 0:  # v1: -1 is no quota
            quotas.append(pair[0] / pair[1])
    return min(quotas, default=None)


def process_limit(root: str = "/", user: Callable[[], int] = os.getuid) -> int | None:
    """Return how many processes and threads the container may have; None without a limit.

    It is the smaller one of the cgroup's limit and RLIMIT_NPROC (``ulimit -u``). The latter does not apply to root, and
    all processes of the user count, even in other containers.

    Args:
        root: See `memory_limit`.
        user: Returns the user ID of this process.
    """
    limits = [number for folder in _cgroups("pids", root) for number in _numbers(os.path.join(folder, "pids.max"))]
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if user() != 0 and soft != resource.RLIM_INFINITY:
        limits.append(soft)
    return min(limits, default=None)


def usable_cpus(root: str = "/") -> int:
    """Return the number of CPUs that this process can keep busy: those it may run on, and the quota rounded up."""
    allowed = len(os.sched_getaffinity(0))
    quota = cpu_quota(root)
    return max(1, allowed if quota is None else min(allowed, math.ceil(quota)))


def _cgroups(controller: str, root: str) -> Iterator[str]:
    """Yield the folders of this process's cgroup and of those above it, in every hierarchy that has the controller.

    A container sees its own cgroup at the mount point, or (with the host's cgroup namespace) the whole hierarchy.
    """
    paths = {}  # of this process, by the controllers of the hierarchy; v2 has no names
    for line in _lines(os.path.join(root, "proc/self/cgroup")):
        names, _, path = line.partition(":")[2].partition(":")
        for name in names.split(","):
            paths[name] = path
    for line in _lines(os.path.join(root, "proc/self/mountinfo")):
        # proc(5): after " - " come the type of the file system, its source and its options.
        mount, _, system = line.partition(" - ")
        fields, system_fields = mount.split(), system.split()
        if system_fields[:1] == ["cgroup2"]:
            path = paths.get("", "/")
        elif system_fields[:1] == ["cgroup"] and controller in system_fields[-1].split(","):
            path = paths.get(controller, "/")
        else:
            continue
        mounted, point = fields[3], os.path.join(root, fields[4].lstrip("/"))
        below = os.path.relpath(path, mounted)
        folder = os.path.normpath(os.path.join(point, below))
        if below.startswith("..") or not os.path.isdir(folder):
            folder = point  # a cgroup outside the namespace
        while len(folder) >= len(point):
            yield folder
            folder = os.path.dirname(folder)


def _numbers(path: str, key: str = "") -> list[int]:
    """Return the whole numbers in a file of the kernel: all of them, or those in the line with a key.

    ``max``, which means no limit, is left out with the rest of its line. A file that cannot be read has none.
    """
    for line in _lines(path):
        words = line.split()
        if key and words[:1] != [key]:
            continue
        try:
            return [int(word) for word in (words[1:] if key else words)]
        except ValueError:
            return []
    return []


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
