"""A lock: the exact files of one image, and its text in pip's requirements format with hashes.

Pure apart from ``read``.  ``build.locks.resolve`` makes locks with uv; ``build.locks.stale`` compares them with the
matrix.  Why this format and not ``pylock.toml``: ``docs/decisions/0003-lock-format.md``.

Every package is pinned to one file: the wheel for the image's Python and glibc. A file that is uploaded later for
another platform changes nothing.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from build.errors import LockError
from build.locks import lock_text
from build.matrix.model import Matrix
from build.platforms import LINUX_AMD64, Platform

#: The lock of the packages that every image of a base has; its packages form the server's layer.
SERVER = "server"
#: The lock of the packages that source-only packages of a base are built with.
BUILD = "build"
#: The lock of the tools of the builder stages (uv); it belongs to no base.
TOOLS = "tools"
#: Build requirements of source-only packages: the default of PEP 518, and wheel, which old versions of setuptools need.
BUILD_REQUIREMENTS = ("setuptools", "wheel")
#: Python and glibc that the tools are locked for. uv is a static binary: any recent ones give the same wheel.
TOOLS_PLATFORM = ("3.11", "2.36")

_REMAKE = "make it again: nox -s lock generate"
_SOURCE_ARCHIVES = (".tar.gz", ".zip", ".tar.bz2")
_PACKAGE = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})"
    r"(?:  # (?P<filename>\S+)(?:, (?P<size>[0-9]+) bytes)?)?$"
)


#: Stands for the last upload of a lock whose index does not tell when files were uploaded.
UNKNOWN_UPLOAD = "1980-01-01T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """One distribution of a lock."""

    #: The normalised name (PEP 503).
    name: str
    version: str
    #: SHA-256 of the file, hexadecimal.
    sha256: str
    filename: str
    #: The file's size in bytes, or None if the index does not tell.
    size: int | None
    #: When it was uploaded, or None if the index does not tell. Of a lock's packages only the last time is written.
    uploaded: datetime.datetime | None = field(default=None, compare=False)
    #: Where the resolver found it. Not written to the lock: it depends on the machine's index.
    url: str | None = field(default=None, compare=False)

    @property
    def requirement(self) -> str:
        """The line that pip and uv read: ``numpy==2.4.6 --hash=sha256:…``."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    @property
    def source_only(self) -> bool:
        """True if its file is a source archive: there is no wheel, it must be built."""
        return self.filename.endswith(_SOURCE_ARCHIVES)


@dataclass(frozen=True, kw_only=True)
class Lock:
    """All packages of one image (or of the server, the builds, the tools), and what they were resolved from."""

    #: The image name, ``server``, ``build`` or ``tools``.
    title: str
    python: str
    #: uv's name of the platform: ``x86_64-manylinux_2_36``.
    platform: str
    #: ISO date.
    exclude_newer: str
    requirements: tuple[str, ...]
    packages: tuple[LockedPackage, ...]
    #: Distributions that are left out although a package requires them.
    without: tuple[str, ...] = ()
    #: The last upload of a package: ISO 8601, UTC, seconds; `UNKNOWN_UPLOAD` if the index tells none.
    newest: str = UNKNOWN_UPLOAD

    def versions(self) -> dict[str, str]:
        """Return distribution name → version."""
        return {package.name: package.version for package in self.packages}


def platform(glibc: str, of: Platform = LINUX_AMD64) -> str:
    """Return uv's name for a platform with this glibc."""
    return of.uv_name(glibc)


def path(locks: Path, base_name: str, title: str) -> Path:
    """Return the path of the lock of an image, or of ``SERVER`` or ``BUILD``.

    Args:
        locks: The folder of all locks.
        base_name: The base; ``.`` for ``TOOLS``.
        title: The lock's title.
    """
    return locks / base_name / f"{title}.txt"


def newest(packages: Iterable[LockedPackage]) -> str:
    """Return the last upload of some packages as a lock writes it."""
    times = [package.uploaded for package in packages if package.uploaded is not None]
    if not times:
        return UNKNOWN_UPLOAD
    return max(times).astimezone(datetime.UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def tools_requirements(matrix: Matrix) -> tuple[str, ...]:
    """Return the requirements of the builder's tools."""
    return (f"uv=={matrix.project.uv}",)


def to_text(lock: Lock) -> str:
    """Return the content of a lock's file."""
    lines = [
        "# Generated from matrix.yaml by `nox -s lock`; do not edit.",
        f"# for: {lock.title}",
        f"# python: {lock.python}",
        f"# platform: {lock.platform}",
        f"# exclude-newer: {lock.exclude_newer}",
        f"# newest: {lock.newest}",
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
    return lock_text.content(package.requirement for package in packages)


def from_text(text: str, where: str) -> Lock:
    """Parse a lock.

    Args:
        text: The file's content.
        where: The file, for messages.

    Raises:
        LockError: ``to_text`` does not write such a line, or the pins are not the ones that were resolved.
    """
    header: dict[str, list[str]] = {}
    packages = []
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"^# ([a-z-]+): (.*)$", line):
            header.setdefault(match[1], []).append(match[2])
        elif line and not line.startswith("#"):
            package = _package(line)
            if package is None:
                raise LockError(f"not a line of a lock: {line[:80]!r}", where=f"{where}:{number}", fix=_REMAKE)
            packages.append(package)
    try:
        if header["content"][0] != _content(packages):
            raise LockError(
                "the pins differ from those that were resolved: the file was edited", where=where, fix=_REMAKE
            )
        return Lock(
            title=header["for"][0],
            python=header["python"][0],
            platform=header["platform"][0],
            exclude_newer=header["exclude-newer"][0],
            newest=_time(header["newest"][0], where),
            requirements=tuple(header.get("requires", ())),
            packages=tuple(packages),
            without=tuple(header.get("without", ())),
        )
    except KeyError as missing:
        raise LockError(f"the lock's header lacks {missing}", where=where, fix=_REMAKE) from missing


def _time(text: str, where: str) -> str:
    """Return the time of a lock's header.

    Raises:
        LockError: It is not one.
    """
    try:
        datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError as failure:
        raise LockError(f"'newest' is not a time: {text}", where=where, fix=_REMAKE) from failure
    return text


@functools.cache
def _package(line: str) -> LockedPackage | None:
    """Parse a line; many locks have the same lines, and share what was parsed."""
    match = _PACKAGE.match(line)
    if match is None:
        return None
    return LockedPackage(
        name=match["name"],
        version=match["version"],
        sha256=match["sha256"],
        filename=match["filename"] or "",
        size=int(match["size"]) if match["size"] else None,
    )


def read(file: Path) -> Lock | None:
    """Read a lock, or return None if the file does not exist.

    Raises:
        LockError: The file is not a valid lock.
    """
    text = lock_text.read(file, _REMAKE)
    return None if text is None else from_text(text, str(file))


def difference(old: Lock | None, new: Lock) -> list[str]:
    """Return the changes from one lock to another, one line per package: ``numpy 2.4.5 -> 2.4.6``."""
    if old is None:
        return [f"new, {len(new.packages)} packages"]
    before = old.versions()
    after = new.versions()
    lines = [
        f"{name} {before.get(name, '(none)')} -> {after.get(name, '(none)')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    if not lines and old.packages != new.packages:
        lines.append("same versions, other files")
    return lines
