"""The Debian packages of a base, recorded in ``locks/<base>/debian.txt``: read, write, compare.

A lock says what the matrix asked for when it was recorded, so that a change of the matrix is noticed.  A base with CUDA
from Debian packages has a lock too: the packages of its CUDA.

Effects: ``record_base`` and ``record_cuda`` write a lock, the other functions with ``paths`` read it; the rest is pure.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from build.errors import LockError
from build.locks import lock_text
from build.matrix.origins import Bootstrapped, DebianPackages
from build.paths import Paths, write_atomically
from build.variants.cuda_base_images import CudaBaseImage

#: The version of the CUDA toolkit in the version of one of its packages: 11.11.3.6~11.8.0-5~deb12u1.
TOOLKIT = re.compile(r"~(\d+\.\d+\.\d+)-")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.:-]*=[0-9A-Za-z.+:~-]+")
_ASKED = "# asked for: "
_SUITE = "# suite: "
_CONTENT = "# content: "
_TIME = "# recorded: "
_ROOTFS = "# root file system: "
_REMAKE = "record it again: nox -s lock generate"


@dataclass(frozen=True, kw_only=True)
class MadeRootfs:
    """A root file system, as its lock records it."""

    #: SHA-256 of the tar: ``sha256:…``.
    diff_id: str
    #: Of mmdebstrap.
    arguments: tuple[str, ...]
    #: When the archive had these packages.
    time: datetime.datetime

    @property
    def recipe(self) -> str:
        """A digest of the arguments, with which alone the other digest can be expected."""
        return lock_text.content(self.arguments)


def lock_file(paths: Paths, base_name: str) -> Path:
    """Return the path of a base's Debian lock, whether or not it exists."""
    return paths.locks / base_name / "debian.txt"


def recorded(paths: Paths, base_name: str) -> tuple[str, ...] | None:
    """Return the recorded packages, ``name=version``; None if nothing is recorded.

    Raises:
        LockError: The file is damaged: a line is not a package with its version, or the packages are not those that
            were recorded.
    """
    lines = _lines(paths, base_name)
    if lines is None:
        return None
    packages = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        if not _PACKAGE.fullmatch(line):
            raise LockError(
                f"not a Debian package with its version: {line[:80]!r}",
                where=f"locks/{base_name}/debian.txt:{number}",
                fix=_REMAKE,
            )
        packages.append(line)
    if _header(lines, _CONTENT) != [lock_text.content(packages)]:
        raise LockError(
            "the Debian packages differ from those that were recorded: the file was edited",
            where=f"locks/{base_name}/debian.txt",
            fix=_REMAKE,
        )
    return tuple(packages)


def former(paths: Paths, base_name: str) -> tuple[str, ...]:
    """Return the recorded packages that are about to be replaced; nothing if there are none, or the file is damaged."""
    try:
        return recorded(paths, base_name) or ()
    except LockError:
        return ()


def asked(paths: Paths, base_name: str) -> tuple[str, ...]:
    """Return the package names in the matrix that the recorded packages were made from; empty if not recorded."""
    return tuple(name for line in _header(_lines(paths, base_name), _ASKED) for name in line.split())


def stale_base(paths: Paths, base_name: str, origin: Bootstrapped) -> list[str]:
    """Return why the recorded packages of a bootstrapped base do not belong to the matrix; needs no network.

    Args:
        paths: The project.
        base_name: The base.
        origin: What the matrix says of it.

    Raises:
        LockError: A line is not a package with its version.
    """
    if recorded(paths, base_name) is None:
        return ["the base's Debian packages are not recorded"]
    (suite,) = _header(_lines(paths, base_name), _SUITE) or ["(none)"]
    reasons = [f"the suite in the matrix has changed: {suite} -> {origin.suite}"] if suite != origin.suite else []
    return [*reasons, *_renamed(origin.packages, asked(paths, base_name))]


def _header(lines: Sequence[str] | None, key: str) -> list[str]:
    """Return the values of a key in the comments of a lock: none or one in each that was written here."""
    return [line.removeprefix(key) for line in lines or () if line.startswith(key)][:1]


def _renamed(wanted: Sequence[str], asked: Sequence[str]) -> Iterator[str]:
    changes = [f"+{name}" for name in wanted if name not in asked]
    changes += [f"-{name}" for name in asked if name not in wanted]
    if changes:
        yield "the Debian packages in the matrix have changed: " + ", ".join(changes)


def _lines(paths: Paths, base_name: str) -> list[str] | None:
    text = lock_text.read(lock_file(paths, base_name), _REMAKE)
    return None if text is None else text.splitlines()


def record_base(
    paths: Paths, base_name: str, packages: Sequence[str], origin: Bootstrapped, made: MadeRootfs | None = None
) -> None:
    """Write the Debian packages of a bootstrapped base to its lock.

    Args:
        paths: The project.
        base_name: The base.
        packages: All packages in it, ``name=version``, sorted.
        origin: What the matrix asks for.
        made: The root file system with these packages.
    """
    about = "# The archive keeps only the newest: a build shows the differences, and with --locked fails.\n"
    about += f"{_SUITE}{origin.suite}\n"
    if made is not None:
        # The same packages keep their time: recording them again changes nothing.
        same = former(paths, base_name) == tuple(packages)
        time = (recorded_at(paths, base_name) if same else None) or made.time
        about += f"{_TIME}{time:%Y-%m-%dT%H:%M:%SZ}\n{_ROOTFS}{made.diff_id} {made.recipe}\n"
    _record(paths, base_name, packages, about, origin.packages)


def recorded_at(paths: Paths, base_name: str) -> datetime.datetime | None:
    """Return when the archive had the recorded packages (UTC); None if the lock does not say it."""
    (value,) = _header(_lines(paths, base_name), _TIME) or [""]
    try:
        return datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None


def recorded_rootfs(paths: Paths, base_name: str, arguments: Sequence[str]) -> str | None:
    """Return the recorded digest of a root file system (``sha256:…``), by which one from elsewhere is checked.

    Args:
        paths: The project.
        base_name: The base.
        arguments: Of mmdebstrap.

    Returns:
        None if none is recorded, or if it was made with other arguments.
    """
    (value,) = _header(_lines(paths, base_name), _ROOTFS) or [""]
    diff_id, _, recipe = value.partition(" ")
    return diff_id if recipe == lock_text.content(arguments) else None


def record_cuda(paths: Paths, base_name: str, packages: Sequence[str], asked: Sequence[str]) -> None:
    """Write the Debian packages of CUDA of a base to its lock.

    Args:
        paths: The project.
        base_name: The base with CUDA.
        packages: The packages and what they need, ``name=version``, sorted.
        asked: The package names in the matrix.
    """
    keeps = "# The archive keeps only the newest: once it has others, a build fails until they are recorded.\n"
    _record(paths, base_name, packages, keeps, asked)


def _record(paths: Paths, base_name: str, packages: Sequence[str], about: str, asked: Sequence[str]) -> None:
    header = "# Debian packages of this base, recorded by `nox -s lock -- --bases`; do not edit.\n"
    header += f"{about}{_ASKED}{' '.join(sorted(asked))}\n{_CONTENT}{lock_text.content(packages)}\n"
    write_atomically(lock_file(paths, base_name), header + "".join(f"{line}\n" for line in packages))


def are_packages(lines: Sequence[str]) -> bool:
    """Tell whether each line is a Debian package with its version, and nothing else."""
    return all(_PACKAGE.fullmatch(line) for line in lines)


def drift(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return the differences between two sets of Debian packages, one per line: ``libssl3 3.0.16-1 -> 3.0.17-1``."""
    old = dict(item.split("=", 1) for item in before)
    new = dict(item.split("=", 1) for item in now)
    return [
        f"{name} {old.get(name, '(none)')} -> {new.get(name, '(none)')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def in_words(differences: Sequence[str], kind: str = "") -> str:
    """Return how many packages differ: ``1 Debian package``, ``3 other Debian packages``.

    Args:
        differences: One line for each.
        kind: An adjective.
    """
    count = len(differences)
    return f"{count} {kind}{' ' if kind else ''}Debian {'package' if count == 1 else 'packages'}"


def stale_cuda(paths: Paths, base: CudaBaseImage) -> list[str]:
    """Return why the recorded Debian packages of a base with CUDA do not belong to the matrix; needs no network.

    Args:
        paths: The project.
        base: The base with CUDA.

    Raises:
        LockError: A line is not a package with its version.
    """
    if not isinstance(base.origin, DebianPackages):
        return []
    return list(staleness(base, recorded(paths, base.name), asked(paths, base.name)))


def staleness(base: CudaBaseImage, recorded: Sequence[str] | None, asked: Sequence[str]) -> Iterator[str]:
    """Yield why recorded packages no longer belong to the matrix, one sentence per reason.

    Args:
        base: The base.
        recorded: The recorded packages, ``name=version``; None if nothing is recorded.
        asked: The names that they were made from; ``recorded`` also has what these need.
    """
    if recorded is None:
        yield "the Debian packages with CUDA are not recorded"
        return
    yield from _renamed(base.cuda.debian, asked)
    versions = dict(item.split("=", 1) for item in recorded)
    for name in base.cuda.debian:
        toolkit = TOOLKIT.search(versions.get(name, ""))
        if toolkit and toolkit[1] != base.cuda.version:
            yield f"it has {name} of CUDA {toolkit[1]}, but the matrix pins {base.cuda.version}"
