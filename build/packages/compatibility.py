"""Compatibility: whether a requirement can be met on a Python, a glibc and a day, and if not, why, in words.

Pure: what an index has of a distribution in, a ``Finding`` out.  ``build.packages.index`` asks the indexes,
``build.feasibility.cells`` does it for the cells of the matrix.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from build.locks.resolve import Target, supported_tags

#: The minor versions of Python 3 that a wheel is asked for; what takes the last of them takes all that will come.
_MINORS = range(6, 31)
#: A glibc that is newer than all that there are.
_ANY_GLIBC = "2.99"
#: Versions listed where the one that was asked for does not exist.
_LISTED = 10


@dataclass(frozen=True, kw_only=True)
class File:
    """One file that an index has."""

    filename: str
    version: Version
    #: The Pythons it asks for (``>=3.12``), or None where it does not say.
    requires_python: str | None = None
    #: Why it is withdrawn (PEP 592), empty where no reason is given; None where it is not.
    yanked: str | None = None
    #: When it came to the index, or None where the index does not say.
    uploaded: datetime.datetime | None = None

    @property
    def is_wheel(self) -> bool:
        return self.filename.endswith(".whl")


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """What the places that were asked have of one distribution."""

    name: str
    #: Wheels and source archives.
    files: tuple[File, ...]
    #: The places that answered.
    places: tuple[str, ...] = ()
    #: Those that did not: what they have is not known.
    not_reached: tuple[str, ...] = ()


class Kind(Enum):
    """Why a requirement cannot be met by a wheel."""

    UNKNOWN = "no index has a distribution of this name"
    NO_VERSION = "it has no such version"
    TOO_NEW = "it came after exclude-newer"
    YANKED = "it is withdrawn"
    OTHER_PYTHON = "its wheels are for other Pythons"
    NEWER_GLIBC = "its wheels need a newer glibc"
    OTHER_PLATFORM = "its wheels are for other platforms"
    #: Not the end: a distribution that never had wheels is built from its source.
    SOURCE_ONLY = "it has no wheels at all"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Why a requirement cannot be met."""

    kind: Kind
    #: The requirement as it is written.
    requirement: str
    #: The distribution's name (PEP 503).
    distribution: str
    #: The reason, a sentence without full stop: ``xgboost-cpu 3.4.1 has no wheel for Python 3.11 (…)``.
    says: str
    #: The nearest versions that have a wheel for this Python, oldest first.
    instead: tuple[str, ...] = ()
    #: The first ``exclude-newer`` that would see it, where that is what is wrong.
    from_day: datetime.date | None = None


def explain(requirement: str, distribution: Distribution, target: Target) -> Finding | None:
    """Why no wheel meets a requirement, or None where one does.

    Args:
        requirement: PEP 508, without a URL; its marker is not looked at.
        distribution: What there is of it.
        target: The Python, the glibc and the day.
    """
    parsed = Requirement(requirement)
    name = canonicalize_name(parsed.name)
    matching = _matching(parsed.specifier, distribution.files)
    if not matching:
        return _no_version(requirement, parsed, distribution, target)
    exact = _is_exact(parsed.specifier)
    fitting = [file for file in matching if _fits(file, target.python, target.glibc)]
    in_time = [file for file in fitting if _is_old_enough(file, target)]
    # Like uv: a withdrawn file is taken by an exact pin alone.
    if any(exact or file.yanked is None for file in in_time):
        return None
    newest = max(file.version for file in fitting or matching)
    what = f"{name} {newest}"
    instead = _nearest_fitting(distribution, target, newest)
    if in_time:
        says = f"{what} is withdrawn from the index" + _because(in_time)
        return Finding(kind=Kind.YANKED, requirement=requirement, distribution=name, says=says, instead=instead)
    if fitting:
        return _too_new(requirement, name, fitting, target, instead)
    kind, reason = _no_wheel([file for file in matching if file.version == newest], target)
    says = f"{what} {reason}" if exact else f"nothing that {requirement} allows will do: the newest, {what}, {reason}"
    return Finding(kind=kind, requirement=requirement, distribution=name, says=says, instead=instead)


def _is_exact(specifier: SpecifierSet) -> bool:
    return any(item.operator in ("==", "===") and not item.version.endswith(".*") for item in specifier)


def _matching(specifier: SpecifierSet, files: Iterable[File]) -> list[File]:
    """The files whose version is allowed; like uv, previews only where they are asked for or there is nothing else."""
    files = list(files)
    allowed = [file for file in files if specifier.contains(file.version, prereleases=True)]
    finals = [file for file in allowed if not file.version.is_prerelease]
    return allowed if specifier.prereleases else finals or allowed


def _is_old_enough(file: File, target: Target) -> bool:
    day = datetime.date.fromisoformat(target.exclude_newer)
    limit = datetime.datetime.combine(day, datetime.time(), tzinfo=datetime.UTC)
    return file.uploaded is None or file.uploaded < limit


def _tags(file: File) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(file.filename)[3]
    except InvalidWheelFilename:
        return frozenset()


def _allows_python(file: File, python: str) -> bool:
    """Like uv, '3.11' is taken for 3.11.0."""
    if file.requires_python is None:
        return True
    try:
        # '>=3.5.*' was allowed once, and is read as '>=3.5'.
        wanted = SpecifierSet(re.sub(r"(?<![=!]=)(\s*[\d.]+)\.\*", r"\1", file.requires_python))
    except InvalidSpecifier:
        return True
    return wanted.contains(f"{python}.0", prereleases=True)


def _fits(file: File, python: str, glibc: str) -> bool:
    if not file.is_wheel or not _allows_python(file, python):
        return False
    return not _tags(file).isdisjoint(_supported(python, glibc))


@functools.cache
def _supported(python: str, glibc: str) -> frozenset[Tag]:
    return frozenset(supported_tags(python, glibc))


def _because(files: Iterable[File]) -> str:
    reason = next((file.yanked for file in files if file.yanked), None)
    return f": {' '.join(reason.split())[:200]}" if reason else ""


def _too_new(requirement: str, name: str, fitting: Sequence[File], target: Target, instead: tuple[str, ...]) -> Finding:
    first, version = min((file.uploaded, file.version) for file in fitting if file.uploaded is not None)
    return Finding(
        kind=Kind.TOO_NEW,
        requirement=requirement,
        distribution=name,
        says=f"{name} {version} was published on {first.date()}, and the index is seen as of {target.exclude_newer} "
        "(exclude-newer)",
        instead=instead,
        from_day=first.date() + datetime.timedelta(days=1),
    )


def _no_version(requirement: str, parsed: Requirement, distribution: Distribution, target: Target) -> Finding:
    name = canonicalize_name(parsed.name)
    if not distribution.files:
        says = f"there is no distribution {name}{_on(distribution)}"
        return Finding(kind=Kind.UNKNOWN, requirement=requirement, distribution=name, says=says)
    asked = next((item.version.removesuffix(".*") for item in parsed.specifier), "0")
    near = _by_distance(_versions(distribution, target), Version(asked))[:_LISTED]
    listed = [str(version) for version in sorted(near)]
    if listed:
        there = f"the nearest with a wheel for Python {target.python}: {', '.join(listed)}"
    else:
        versions = sorted({file.version for file in distribution.files})
        there = f"there is {_ends(versions)}, none with a wheel for Python {target.python}"
    which = f"no {name} {asked}" if _is_exact(parsed.specifier) else f"no version that {requirement} allows"
    return Finding(
        kind=Kind.NO_VERSION,
        requirement=requirement,
        distribution=name,
        says=f"there is {which}{_on(distribution)} ({there})",
        instead=_nearest_fitting(distribution, target, Version(asked)),
    )


def _on(distribution: Distribution) -> str:
    """Where was looked: `` on https://…``."""
    places = list(dict.fromkeys(distribution.places))
    more = f" and {len(places) - 3} places more" if len(places) > 3 else ""
    return f" on {', '.join(places[:3])}{more}" if places else ""


def _ends(versions: Sequence[Version]) -> str:
    return str(versions[0]) if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"


def _versions(distribution: Distribution, target: Target) -> list[Version]:
    """The versions, no previews, that have a wheel for the target."""
    found = {
        file.version
        for file in distribution.files
        if not file.version.is_prerelease
        and file.yanked is None
        and _is_old_enough(file, target)
        and _fits(file, target.python, target.glibc)
    }
    return sorted(found)


def _by_distance(versions: Sequence[Version], to: Version) -> list[Version]:
    """The nearest first, by place in the row of versions; of two as near, the older."""
    row = sorted({*versions, to})
    place = row.index(to)
    return sorted(versions, key=lambda version: (abs(row.index(version) - place), version))


def _nearest_fitting(distribution: Distribution, target: Target, to: Version) -> tuple[str, ...]:
    """The next older and the next newer version with a wheel."""
    versions = _versions(distribution, target)
    older = [version for version in versions if version < to][-1:]
    newer = [version for version in versions if version > to][:1]
    return tuple(str(version) for version in (*older, *newer))


def _no_wheel(files: Sequence[File], target: Target) -> tuple[Kind, str]:
    """Why none of a version's files is a wheel for the target, in words that follow the version."""
    wheels = [file for file in files if file.is_wheel]
    python, glibc = target.python, target.glibc
    asks = next((file.requires_python for file in files if not _allows_python(file, python)), None)
    if not wheels:
        if asks is not None and not any(_allows_python(file, python) for file in files):
            return Kind.OTHER_PYTHON, f"requires Python {asks}, and exists only as source"
        return Kind.SOURCE_ONLY, "exists only as source"
    if any(_fits(file, python, _ANY_GLIBC) for file in wheels):
        needed = min(_oldest_glibc(file) for file in wheels if _fits(file, python, _ANY_GLIBC))
        return Kind.NEWER_GLIBC, f"has wheels for Python {python} only with glibc 2.{needed} or newer, here is {glibc}"
    lacking = f"has no wheel for Python {python}"
    requires = f"; it requires Python {asks}" if asks is not None else ""
    if pythons := _pythons(wheels, glibc):
        return Kind.OTHER_PYTHON, f"{lacking} (it has for {pythons}{requires})"
    if pythons := _pythons(wheels, _ANY_GLIBC):
        return Kind.OTHER_PYTHON, f"{lacking} (it has for {pythons} with a newer glibc than {glibc}{requires})"
    return Kind.OTHER_PLATFORM, f"has no wheel for Linux on x86_64 (it has for {_platforms(wheels)})"


def _oldest_glibc(file: File) -> int:
    """The minor version of the oldest glibc that a wheel for x86-64 Linux names."""
    minors = []
    for tag in _tags(file):
        if match := re.fullmatch(r"manylinux(?:_2_(\d+)|(1|2010|2014))_x86_64", tag.platform):
            minors.append(int(match[1]) if match[1] else {"1": 5, "2010": 12, "2014": 17}[match[2]])
    return min(minors, default=0)


def _pythons(wheels: Sequence[File], glibc: str) -> str:
    """The Pythons that have a wheel: ``3.9, 3.10, 3.12 and newer``; empty where none has."""
    taken = [minor for minor in _MINORS if any(_fits(file, f"3.{minor}", glibc) for file in wheels)]
    if not taken or taken[-1] != _MINORS[-1]:
        return ", ".join(f"3.{minor}" for minor in taken)
    while len(taken) > 1 and taken[-2] == taken[-1] - 1:
        taken.pop()
    return ", ".join(f"3.{minor}" for minor in taken) + " and newer"


def _platforms(wheels: Sequence[File]) -> str:
    """The platforms of wheels in people's words."""
    found = set()
    for file in wheels:
        for tag in _tags(file):
            machine = re.search(r"(x86_64|aarch64|i686|armv7l|ppc64le|s390x|riscv64)$", tag.platform)
            if tag.platform.startswith("macosx"):
                found.add("macOS")
            elif tag.platform.startswith("win"):
                found.add("Windows")
            elif tag.platform.startswith("musllinux"):
                found.add("Linux with musl")
            elif machine:
                found.add(f"Linux on {machine[1]}")
            else:
                found.add(tag.platform)
    return ", ".join(sorted(found))
