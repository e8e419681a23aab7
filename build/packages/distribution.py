"""Distributions and their files, as package indexes list them, and which Pythons and platforms a file fits. Pure."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from build.packages.target import Target, oldest_glibc, supported_tags

#: The minor versions of Python 3 that a wheel is tried with. A wheel that fits the last one fits all future versions.
_MINORS = range(6, 31)
#: A glibc newer than every released one.
ANY_GLIBC = "2.99"


@dataclass(frozen=True, kw_only=True)
class File:
    """One file that an index lists: a wheel or a source archive."""

    filename: str
    version: Version
    #: The Python versions that it supports (``>=3.12``), or None if the index does not tell.
    requires_python: str | None = None
    #: The reason why it was yanked (PEP 592), empty if none is given; None if it was not yanked.
    yanked: str | None = None
    #: The time of its upload (UTC), or None if the index does not tell.
    uploaded: datetime.datetime | None = None

    @property
    def is_wheel(self) -> bool:
        return self.filename.endswith(".whl")

    @property
    def tags(self) -> frozenset[Tag]:
        """The tags of its file name; none if it is not a wheel."""
        try:
            return parse_wheel_filename(self.filename)[3]
        except InvalidWheelFilename:
            return frozenset()

    @property
    def oldest_glibc(self) -> int:
        """The minor version of the oldest glibc on x86_64 that its tags name; 0 if they name none."""
        return min((minor for tag in self.tags if (minor := oldest_glibc(tag)) is not None), default=0)

    def allows_python(self, python: str) -> bool:
        """Tell whether its metadata allows a Python. As in uv, ``3.11`` stands for 3.11.0."""
        if self.requires_python is None:
            return True
        try:
            # '>=3.5.*' used to be allowed and means '>=3.5'.
            allowed = SpecifierSet(re.sub(r"(?<![=!]=)(\s*[\d.]+)\.\*", r"\1", self.requires_python))
        except InvalidSpecifier:
            return True
        return allowed.contains(f"{python}.0", prereleases=True)

    def fits(self, python: str, glibc: str) -> bool:
        """Tell whether it is a wheel that can be installed for a Python (``3.11``) and a glibc (``2.36``)."""
        if not self.is_wheel or not self.allows_python(python):
            return False
        return not self.tags.isdisjoint(_supported(python, glibc))

    def is_old_enough(self, target: Target) -> bool:
        """Tell whether it was uploaded before the day of a target, or at an unknown time."""
        day = datetime.date.fromisoformat(target.exclude_newer)
        limit = datetime.datetime.combine(day, datetime.time(), tzinfo=datetime.UTC)
        return self.uploaded is None or self.uploaded < limit


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """All files of one distribution in the indexes and wheel directories that were searched."""

    name: str
    #: Wheels and source archives.
    files: tuple[File, ...]
    #: The indexes and directories that answered.
    places: tuple[str, ...] = ()
    #: The ones that did not answer; they may have more files.
    not_reached: tuple[str, ...] = ()


@functools.cache
def _supported(python: str, glibc: str) -> frozenset[Tag]:
    return frozenset(supported_tags(python, glibc))


def pythons(wheels: Sequence[File], glibc: str) -> str:
    """Return the Python versions that have a wheel, as text: ``3.9, 3.10, 3.12 and newer``; empty if there are none."""
    minors = [minor for minor in _MINORS if any(file.fits(f"3.{minor}", glibc) for file in wheels)]
    if not minors or minors[-1] != _MINORS[-1]:
        return ", ".join(f"3.{minor}" for minor in minors)
    while len(minors) > 1 and minors[-2] == minors[-1] - 1:
        minors.pop()
    return ", ".join(f"3.{minor}" for minor in minors) + " and newer"


def platforms(wheels: Sequence[File]) -> str:
    """Return the platforms of wheels, as text: ``Linux on aarch64, macOS, Windows``."""
    return ", ".join(sorted({_platform(tag.platform) for file in wheels for tag in file.tags}))


def _platform(tag: str) -> str:
    for prefix, name in (("macosx", "macOS"), ("win", "Windows"), ("musllinux", "Linux with musl")):
        if tag.startswith(prefix):
            return name
    machine = re.search(r"(x86_64|aarch64|i686|armv7l|ppc64le|s390x|riscv64)$", tag)
    return f"Linux on {machine[1]}" if machine else tag
