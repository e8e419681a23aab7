"""Locks: the exact wheels of an image, one file an image, in pip's requirements format with hashes.

Pure: formatting, parsing, and what makes a lock stale.  ``build.locks.resolve`` makes locks with uv.

Every package is pinned to one file, the wheel that the image's Python and glibc take: a file that somebody
uploads later for another platform changes nothing here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.errors import LockError


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """One distribution of a lock."""

    #: The normalised name (PEP 503).
    name: str
    version: str
    #: SHA-256 of the one file, hexadecimal.
    sha256: str
    filename: str
    #: The file's size in bytes, or None where the index does not tell.
    size: int | None
    #: Where the resolver found it; not written down: it is another for everyone.
    url: str | None = field(default=None, compare=False)

    @property
    def requirement(self) -> str:
        """The line that pip and uv read: ``numpy==2.4.6 --hash=sha256:…``."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    @property
    def source_only(self) -> bool:
        """Whether its file is a source archive: there is no wheel, it must be built."""
        return self.filename.endswith((".tar.gz", ".zip", ".tar.bz2"))


@dataclass(frozen=True, kw_only=True)
class Lock:
    """All packages of one image (or of the server alone), and what they were resolved from."""

    #: The image name, or ``server``.
    title: str
    python: str
    platform: str
    #: ISO date.
    exclude_newer: str
    requirements: tuple[str, ...]
    packages: tuple[LockedPackage, ...]
    #: Distributions that were left out, though a package asks for them.
    without: tuple[str, ...] = ()

    def versions(self) -> dict[str, str]:
        """Distribution name → version."""
        return {package.name: package.version for package in self.packages}


#: The lock of what every image of a base has; it says which packages form the server's layer.
SERVER = "server"
#: The lock of what source-only packages are built with, of a base that has such packages.
BUILD = "build"

_PACKAGE = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})"
    r"(?:  # (?P<filename>\S+)(?:, (?P<size>[0-9]+) bytes)?)?$"
)


def platform(glibc: str) -> str:
    """uv's name for x86-64 Linux with this glibc.

    ``manylinux2014`` would silently take old releases of modern packages, so the suite's own glibc is named.
    """
    return f"x86_64-manylinux_{glibc.replace('.', '_')}"


def path(locks: Path, base_name: str, title: str) -> Path:
    """Where the lock of an image (or of ``SERVER``) lies."""
    return locks / base_name / f"{title}.txt"


def to_text(lock: Lock) -> str:
    """The file's content."""
    lines = [
        "# Generated from matrix.yaml by `nox -s lock`; do not edit.",
        f"# for: {lock.title}",
        f"# python: {lock.python}",
        f"# platform: {lock.platform}",
        f"# exclude-newer: {lock.exclude_newer}",
        f"# content: {_content(lock.packages)}",
        *(f"# requires: {requirement}" for requirement in lock.requirements),
        *(f"# without: {name}" for name in lock.without),
        "",
    ]
    for package in lock.packages:
        size = "" if package.size is None else f", {package.size} bytes"
        lines.append(f"{package.requirement}  # {package.filename}{size}")
    return "\n".join(lines) + "\n"


def _content(packages: Sequence[LockedPackage]) -> str:
    """A digest of what is pinned: an edit by hand, or half a merge, does not pass for a lock."""
    return hashlib.sha256("".join(f"{package.requirement}\n" for package in packages).encode()).hexdigest()[:16]


def from_text(text: str, where: str) -> Lock:
    """Read a lock.

    Args:
        text: The file's content.
        where: The file, for messages.

    Raises:
        LockError: A line is not one that ``to_text`` writes, or the pins are not those that were resolved.
    """
    header: dict[str, list[str]] = {}
    packages = []
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"^# ([a-z-]+): (.*)$", line):
            header.setdefault(match[1], []).append(match[2])
        elif line and not line.startswith("#"):
            found = _PACKAGE.match(line)
            if not found:
                raise LockError(
                    f"not a line of a lock: {line[:80]!r}", where=f"{where}:{number}", fix="make it anew: nox -s lock"
                )
            packages.append(
                LockedPackage(
                    name=found["name"],
                    version=found["version"],
                    sha256=found["sha256"],
                    filename=found["filename"] or "",
                    size=int(found["size"]) if found["size"] else None,
                )
            )
    try:
        if header["content"][0] != _content(packages):
            raise LockError(
                "the lock is not as it was resolved: it was edited by hand",
                where=where,
                fix="make it anew: nox -s lock generate",
            )
        return Lock(
            title=header["for"][0],
            python=header["python"][0],
            platform=header["platform"][0],
            exclude_newer=header["exclude-newer"][0],
            requirements=tuple(header.get("requires", ())),
            packages=tuple(packages),
            without=tuple(header.get("without", ())),
        )
    except KeyError as missing:
        raise LockError(f"the lock's header lacks {missing}", where=where, fix="make it anew: nox -s lock") from missing


def read(file: Path) -> Lock | None:
    """The lock in ``file``, or None where there is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return from_text(text, str(file))


def staleness(
    lock: Lock,
    *,
    requirements: Sequence[str],
    python: str,
    glibc: str,
    exclude_newer: str,
    without: Sequence[str] = (),
) -> list[str]:
    """Why a lock no longer belongs to the matrix, a sentence each; empty where it does.  Needs no network."""
    reasons = []
    added = [item for item in requirements if item not in lock.requirements]
    removed = [item for item in lock.requirements if item not in requirements]
    if added or removed:
        reasons.append(
            "the matrix now asks for " + ", ".join([f"+{item}" for item in added] + [f"-{item}" for item in removed])
        )
    if set(lock.without) != set(without):
        now, then = (", ".join(names) or "nothing" for names in (without, lock.without))
        reasons.append(f"the matrix now leaves out {now}, it left out {then}")
    if lock.python != python:
        reasons.append(f"it is for Python {lock.python}, the base has {python}")
    if lock.platform != platform(glibc):
        reasons.append(f"it is for {lock.platform}, the base is {platform(glibc)}")
    if lock.exclude_newer != exclude_newer:
        reasons.append(f"it sees the index of {lock.exclude_newer}, the matrix says {exclude_newer}")
    pinned = lock.versions()
    for item in requirements:
        requirement = Requirement(item)
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None:
            reasons.append(f"it lacks {requirement.name}")
        elif not requirement.specifier.contains(version, prereleases=True):
            reasons.append(f"it has {requirement.name} {version}, the matrix asks for {requirement.specifier}")
    return reasons


def difference(old: Lock | None, new: Lock) -> list[str]:
    """What changed between two locks, a package a line: ``numpy 2.4.5 -> 2.4.6``."""
    if old is None:
        return [f"new, {len(new.packages)} packages"]
    before = old.versions()
    after = new.versions()
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            lines.append(f"{name} {before.get(name, '(none)')} -> {after.get(name, '(none)')}")
    if not lines and old.packages != new.packages:
        lines.append("same versions, other files")
    return lines
