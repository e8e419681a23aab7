"""The inputs of both sides: copies, requirements, the changed pin, the changed base."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from build.checkout.project import Project, open_project
from build.errors import PipelineError
from build.locks import lock as locks
from build.locks import resolve
from build.locks.lock import Lock
from build.matrix.origins import Bootstrapped
from build.packages.target import Target
from build.paths import Paths, tool, write_atomically
from build.system import processes, state
from build.variants.select import Selection
from build.variants.variant import Variant

#: The group of the matrix that is measured.
GROUP = "bench"
#: The pin that is changed: only one row has it, and the other version has the same requirements.
PIN = ("lightgbm", "4.6.0")
#: The file that is added to a changed base, and its line in the list of packages.
BASE_FILE = "./usr/share/bench-security-update"
BASE_PACKAGE = "bench-security-update=1"

#: Left out of a copy of the checkout if git cannot list the files.
_LEFT_OUT = (".git", ".pipeline", ".venv", ".venv-nox", ".nox", "__pycache__", ".mypy_cache", ".ruff_cache")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One of the measured images."""

    variant: Variant
    lock: Lock

    @property
    def plain(self) -> str:
        """The plain side's name: the folder below ``bench/plain``."""
        return self.variant.framework


def rows(project: Project) -> tuple[Row, ...]:
    """The group's rows.

    Raises:
        PipelineError: A row has no plain Dockerfile, or the rows are on several bases.
        LockError: A row has no lock.
    """
    variants = project.select(Selection(group=GROUP))
    found = tuple(Row(variant=variant, lock=project.lock(variant)) for variant in variants)
    for row in found:
        if not (project.paths.root / "bench" / "plain" / row.plain / "Dockerfile").is_file():
            raise PipelineError(
                f"the benchmark has no plain Dockerfile for {row.variant.name}",
                where=f"bench/plain/{row.plain}/Dockerfile",
                fix=f"write it, or take the image out of the group '{GROUP}' of matrix.yaml",
            )
    if len({row.variant.base_name for row in found}) != 1:
        raise PipelineError(
            f"the images of the group '{GROUP}' are on several bases; the plain side supports only one",
            where="matrix.yaml (groups.bench)",
        )
    return found


def suite(found: Sequence[Row]) -> str:
    """The Debian suite of the rows' base.

    Raises:
        PipelineError: The base is an image.
    """
    origin = found[0].variant.base.origin
    if not isinstance(origin, Bootstrapped):
        raise PipelineError(
            "the plain side bootstraps the same Debian release, but the base of the benchmark's rows is an image",
            where=f"matrix.yaml (groups.{GROUP})",
        )
    return origin.suite


def plain_base(found: Sequence[Row]) -> str:
    """The base of the plain Dockerfiles: ``debian:trixie-slim``."""
    return f"debian:{suite(found)}-slim"


def requirements(lock: Lock) -> str:
    """A plain requirements file with the versions of a lock."""
    return "".join(f"{package.name}=={package.version}\n" for package in lock.packages)


def copy_checkout(paths: Paths, target: Path) -> Paths:
    """Copy the files that git has or would add, so that the benchmark edits no file of the user.

    Args:
        paths: The checkout.
        target: A new folder.
    """
    done = processes.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=paths.root)
    names = [name for name in done.stdout.split("\0") if name]
    if done.returncode != 0 or not names:
        shutil.copytree(paths.root, target, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
        return Paths(root=target)
    for name in names:
        source = paths.root / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return Paths(root=target)


def changed_lock(lock: Lock, name: str, version: str, target: Target) -> Lock:
    """Return a lock with one package in another version and everything else unchanged.

    Raises:
        LockError: The index does not have that version.
        NetworkError: The index cannot be reached.
    """
    found = {package.name: package for package in resolve.resolve([f"{name}=={version}"], target)}
    old = lock.versions()[name]
    return replace(
        lock,
        requirements=tuple(f"{name}=={version}" if text == f"{name}=={old}" else text for text in lock.requirements),
        packages=tuple(found[name] if package.name == name else package for package in lock.packages),
    )


def change_pin(paths: Paths, *, plain: Path) -> str:
    """Change one pin of one row on both sides: in our matrix and lock, and in the plain requirements.

    Args:
        paths: The copy of the checkout; its Dockerfiles must be generated afterwards.
        plain: The plain side's folder.

    Returns:
        The change in words: ``lightgbm 4.7.0 -> 4.6.0``.

    Raises:
        PipelineError: Not exactly one row has the package.
    """
    name, version = PIN
    project = open_project(paths)
    with_it = [row for row in rows(project) if name in row.lock.versions()]
    if len(with_it) != 1:
        raise PipelineError(
            f"{len(with_it)} rows of the benchmark have {name}; exactly one must", where="bench/plan.py (PIN)"
        )
    row = with_it[0]
    old = row.lock.versions()[name]
    base = row.variant.base
    target = Target(python=base.python, glibc=base.glibc, exclude_newer=project.exclude_newer)
    lock = changed_lock(row.lock, name, version, target)
    file = locks.path(paths.locks, row.variant.base_name, row.variant.name)
    write_atomically(file, locks.to_text(lock))
    matrix = paths.matrix.read_text(encoding="utf-8")
    write_atomically(paths.matrix, matrix.replace(f"{name}=={old}", f"{name}=={version}"))
    # Other bases have the row too: their locks must agree with the matrix, or `check` fails.
    for other in project.variants:
        if other.framework == row.variant.framework and other.name != row.variant.name:
            there = project.lock(other)
            base = other.base
            fitting = Target(python=base.python, glibc=base.glibc, exclude_newer=project.exclude_newer)
            write_atomically(
                locks.path(paths.locks, other.base_name, other.name),
                locks.to_text(changed_lock(there, name, version, fitting)),
            )
    write_atomically(plain / row.plain / "requirements.txt", requirements(lock))
    return f"{name} {old} -> {version}"


def change_tar(tar: Path) -> None:
    """Add a file to a root file system; a security update would change some.

    The archive is replaced, so that hard links to it keep the old content.

    Args:
        tar: Uncompressed.
    """
    incoming = tar.with_suffix(".changed.tar")
    shutil.copy2(tar, incoming)
    content = b"changed by the benchmark\n"
    entry = tarfile.TarInfo(BASE_FILE)
    entry.size, entry.mtime, entry.mode = len(content), 315532800, 0o644
    with tarfile.open(incoming, "a") as archive:
        archive.addfile(entry, io.BytesIO(content))
    incoming.replace(tar)


def change_base(paths: Paths, base_name: str, *, plain: Path) -> None:
    """Change the base on both sides in the same way.

    Args:
        paths: The copy of the checkout.
        base_name: The base of the rows.
        plain: The plain side's folder.
    """
    folder = paths.rootfs / base_name
    change_tar(folder / "rootfs.tar")
    known = state.read_json(folder / "bootstrap.json") or {"packages": []}
    state.write_json(folder / "bootstrap.json", {**known, "packages": sorted([*known["packages"], BASE_PACKAGE])})
    change_tar(plain / "rootfs" / "rootfs.tar")


def prepare_plain(paths: Paths, found: Sequence[Row], target: Path, rootfs: Path) -> None:
    """Write the plain side: its committed files, requirements with the versions of the locks, the base.

    Args:
        paths: The checkout.
        found: The rows.
        target: A new folder.
        rootfs: The plain base's root file system.
    """
    shutil.copytree(paths.root / "bench" / "plain", target)
    for row in found:
        write_atomically(target / row.plain / "requirements.txt", requirements(row.lock))
    shutil.copytree(tool().registry, target / "registry")
    (target / "rootfs").mkdir()
    shutil.copy2(rootfs, target / "rootfs" / "rootfs.tar")
