"""`nox -s lock`: resolve, compare, write or only say what is stale."""

from __future__ import annotations

import time

from build import bases, console, cuda_agreement, locks
from build.cuda import is_cuda
from build.errors import DriftError, LockError, NetworkError
from build.locks import Lock
from build.paths import Paths, write_atomically
from build.project import Locking, Project, make_locks, open_project


def lock_command(paths: Paths, *, check: bool, refresh_bases: bool) -> None:
    """Make the locks of every image of the matrix; all or nothing is written.

    Args:
        paths: The checkout.
        check: Write nothing.
        refresh_bases: Bootstrap the bases anew and record their Debian packages.

    Raises:
        LockError: Pins that no index can satisfy, or a CUDA that is not what its framework was built with.
        DriftError: With ``check``, where a lock is stale.
        NetworkError: The index is not reached.
    """
    project = open_project(paths)
    began = time.monotonic()
    console.step(f"resolving {len(project.variants)} images, the index as of {project.exclude_newer}")
    result = make_locks(project, project.used_bases(project.variants))
    for name, failure in result.not_reached.items():
        console.warn(f"{name} keeps the lock it has: {failure.what} (searched: {failure.where})")
    for name, failure in result.replaced.items():
        console.warn(f"{name} is locked from the default index: {failure.what} (searched: {failure.where})")
    if result.failed:
        raise _impossible(project, result)
    cuda_agreement.check(project, result.locks)
    changed: dict[str, list[str]] = {}
    for path, lock in result.locks.items():
        file = paths.root / path
        if not file.is_file() or file.read_text(encoding="utf-8") != locks.to_text(lock):
            changed[path] = locks.difference(_old(paths, path), lock) or ["its header"]
    for path, lines in changed.items():
        console.info(f"{path}: " + "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" if len(lines) > 8 else ""))
    if check:
        if changed:
            raise DriftError(
                f"{len(changed)} of {len(result.locks)} locks are stale",
                where=", ".join(changed),
                fix="nox -s lock generate",
            )
    else:
        for path in changed:
            write_atomically(paths.root / path, locks.to_text(result.locks[path]))
        for file in sorted(paths.locks.glob("*/*.txt")):
            relative = str(file.relative_to(paths.root))
            kept = {project.lock_path(variant) for variant in project.variants}
            if relative not in result.locks and relative not in kept and file.name != "debian.txt":
                file.unlink()
                console.info(f"{relative} (removed: no image of the matrix has it)")
        _record_bases(project, refresh_bases)
    agreed = _agreement(result)
    console.out.print(
        f"{len(result.locks)} locks, {len(changed)} {'stale' if check else 'written'}, "
        f"{console.seconds(time.monotonic() - began)}; {agreed}"
    )


def _old(paths: Paths, path: str) -> Lock | None:
    try:
        return locks.read(paths.root / path)
    except LockError:
        return None


def _impossible(project: Project, result: Locking) -> LockError:
    """One report of all rows that cannot be: which pins of the matrix, and the resolver's reason."""
    names = list(result.failed)
    reasons: dict[str, list[str]] = {}
    for title, failure in result.failed.items():
        reasons.setdefault(failure.details or failure.what, []).append(title)
    details = []
    for reason, titles in reasons.items():
        details.append(", ".join(titles[:3]) + (f" and {len(titles) - 3} more:" if len(titles) > 3 else ":"))
        details += [f"  {line}" for line in reason.splitlines()]
    keys: list[str] = []
    for variant in project.variants:
        if variant.name in result.failed:
            where = project.loaded.where("frameworks", variant.framework, "versions", variant.version or "n/a")
            if where not in keys:
                keys.append(where)
    if not keys:
        keys.append(project.loaded.where("server", "contract"))
    return LockError(
        "no packages can satisfy the pins of " + ", ".join(names[:4]) + (" …" if len(names) > 4 else ""),
        where="; ".join(keys),
        fix="correct the pins (a version that exists, that fits the others and the base's Python); nothing was written",
        details="\n".join(details),
    )


def _agreement(result: Locking) -> str:
    """Whether the images of each base agree on the packages they share."""
    apart: set[str] = set()
    versions: dict[tuple[str, str], str] = {}
    for path, lock in result.locks.items():
        for name, version in lock.versions().items():
            # CUDA is as each image pins it.
            if not is_cuda(name) and versions.setdefault((path.split("/")[1], name), version) != version:
                apart.add(name)
    return "the images of a base differ on: " + ", ".join(sorted(apart)) if apart else "the images of each base agree"


def _record_bases(project: Project, refresh: bool) -> None:
    for name, base in project.matrix.bases.items():
        if base.bootstrap is None or (bases.recorded(project.paths, name) is not None and not refresh):
            continue
        try:
            console.info(f"bootstrapping {name} to record its Debian packages")
            rootfs = bases.bootstrap(project.paths, name, base, project.paths.logs / f"bootstrap-{name}.log")
        except NetworkError as failure:
            console.warn(f"{name}: its Debian packages were not recorded: {failure.what}")
            continue
        lines = bases.drift(bases.recorded(project.paths, name) or (), rootfs.packages)
        bases.record(project.paths, name, rootfs.packages)
        bases.note_recorded(project.paths, name)
        console.info(f"{name}: {len(rootfs.packages)} Debian packages recorded, {len(lines)} changed")
