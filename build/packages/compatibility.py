"""Compatibility: whether a requirement can be met on a Python, a glibc and a day, and the reason if it cannot.

Pure: the files of a distribution in, a ``Finding`` out.  ``build.packages.index`` reads the files from the indexes;
``build.feasibility.cells`` checks the cells of the matrix.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from build.packages.distribution import ANY_GLIBC, Distribution, File, platforms, pythons
from build.packages.target import Target
from build.platforms import LINUX_AMD64
from build.requirements import parse

#: Number of versions listed where the requested one does not exist.
_LISTED = 10


class Kind(Enum):
    """Why no wheel meets a requirement."""

    UNKNOWN = "no index has a distribution of this name"
    NO_VERSION = "there is no such version"
    TOO_NEW = "it was published after exclude-newer"
    YANKED = "it was yanked from the index"
    OTHER_PYTHON = "its wheels are for other Python versions"
    NEWER_GLIBC = "its wheels need a newer glibc"
    OTHER_PLATFORM = "its wheels are for other platforms"
    #: Not an obstacle: a distribution that never had wheels is built from its source.
    SOURCE_ONLY = "it has no wheels at all"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The reason why no wheel meets a requirement."""

    kind: Kind
    #: The requirement as it is written.
    requirement: str
    #: The distribution's name (PEP 503).
    distribution: str
    #: The reason, a sentence without full stop: ``xgboost-cpu 3.4.1 has no wheel for Python 3.11 (…)``.
    says: str
    #: The nearest versions that have a wheel for this Python, oldest first.
    instead: tuple[str, ...] = ()
    #: The first ``exclude-newer`` that includes it, if the date is the problem.
    from_day: datetime.date | None = None


def explain(requirement: str, distribution: Distribution, target: Target) -> Finding | None:
    """Return the reason why no wheel meets a requirement, or None if one does.

    Args:
        requirement: PEP 508, without a URL; its marker is ignored.
        distribution: The files that exist.
        target: The Python, the glibc and the day.
    """
    parsed = parse(requirement)
    name = canonicalize_name(parsed.name)
    matching = _matching(parsed.specifier, distribution.files)
    if not matching:
        return _no_version(requirement, parsed, distribution, target)
    exact = _is_exact(parsed.specifier)
    fitting = [file for file in matching if file.fits(target.python, target.glibc)]
    in_time = [file for file in fitting if file.is_old_enough(target)]
    # As in uv: only an exact pin accepts a yanked file.
    if any(exact or file.yanked is None for file in in_time):
        return None
    newest = max(file.version for file in fitting or matching)
    release = f"{name} {newest}"
    instead = _nearest_fitting(distribution, target, newest)
    if in_time:
        says = f"{release} was yanked from the index" + _yank_reason(in_time)
        return Finding(kind=Kind.YANKED, requirement=requirement, distribution=name, says=says, instead=instead)
    if fitting:
        return _too_new(requirement, name, fitting, target, instead)
    kind, reason = _no_wheel([file for file in matching if file.version == newest], target)
    says = (
        f"{release} {reason}"
        if exact
        else f"no version that {requirement} allows fits: the newest, {release}, {reason}"
    )
    return Finding(kind=kind, requirement=requirement, distribution=name, says=says, instead=instead)


def yanked(requirement: str, distribution: Distribution, target: Target) -> Finding | None:
    """Return the reason why a pinned release was yanked (PEP 592); None if it was not, or if it is not an exact pin.

    Args:
        requirement: PEP 508; its marker is ignored.
        distribution: The files that exist.
        target: The Python, the glibc and the day, for the versions to pin instead.
    """
    parsed = parse(requirement)
    if parsed.url is not None or not _is_exact(parsed.specifier):
        return None
    files = _matching(parsed.specifier, distribution.files)
    if not files or any(file.yanked is None for file in files):
        return None
    version = max(file.version for file in files)
    name = canonicalize_name(parsed.name)
    return Finding(
        kind=Kind.YANKED,
        requirement=requirement,
        distribution=name,
        says=f"{name} {version} was yanked from the index" + _yank_reason(files),
        instead=_nearest_fitting(distribution, target, version),
    )


def _is_exact(specifier: SpecifierSet) -> bool:
    return any(item.operator in ("==", "===") and not item.version.endswith(".*") for item in specifier)


def _matching(specifier: SpecifierSet, files: Iterable[File]) -> list[File]:
    """Return the files whose version is allowed. As in uv, pre-releases only if requested or if nothing else exists."""
    allowed = [file for file in files if specifier.contains(file.version, prereleases=True)]
    finals = [file for file in allowed if not file.version.is_prerelease]
    return allowed if specifier.prereleases else finals or allowed


def _yank_reason(files: Iterable[File]) -> str:
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
        says = f"there is no distribution {name}{_on_places(distribution)}"
        return Finding(kind=Kind.UNKNOWN, requirement=requirement, distribution=name, says=says)
    requested = next((item.version.removesuffix(".*") for item in parsed.specifier), "0")
    nearest = _by_distance(_versions(distribution, target), Version(requested))[:_LISTED]
    if nearest:
        listed = ", ".join(str(version) for version in sorted(nearest))
        existing = f"the nearest with a wheel for Python {target.python}: {listed}"
    else:
        versions = sorted({file.version for file in distribution.files})
        existing = f"there is {_range(versions)}, none with a wheel for Python {target.python}"
    missing = f"no {name} {requested}" if _is_exact(parsed.specifier) else f"no version that {requirement} allows"
    return Finding(
        kind=Kind.NO_VERSION,
        requirement=requirement,
        distribution=name,
        says=f"there is {missing}{_on_places(distribution)} ({existing})",
        instead=_nearest_fitting(distribution, target, Version(requested)),
    )


def _on_places(distribution: Distribution) -> str:
    """Return where the distribution was searched for: `` on https://…``."""
    places = list(dict.fromkeys(distribution.places))
    more = f" and {len(places) - 3} more places" if len(places) > 3 else ""
    return f" on {', '.join(places[:3])}{more}" if places else ""


def _range(versions: Sequence[Version]) -> str:
    return str(versions[0]) if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"


def _versions(distribution: Distribution, target: Target) -> list[Version]:
    """Return the final versions that have a wheel for the target, oldest first."""
    versions = {
        file.version
        for file in distribution.files
        if not file.version.is_prerelease
        and file.yanked is None
        and file.is_old_enough(target)
        and file.fits(target.python, target.glibc)
    }
    return sorted(versions)


def _by_distance(versions: Sequence[Version], wanted: Version) -> list[Version]:
    """Sort versions by their distance from one, counted in versions between them; of two equally near, older first."""
    ordered = sorted({*versions, wanted})
    place = ordered.index(wanted)
    return sorted(versions, key=lambda version: (abs(ordered.index(version) - place), version))


def _nearest_fitting(distribution: Distribution, target: Target, wanted: Version) -> tuple[str, ...]:
    """Return the next older and the next newer version with a wheel."""
    versions = _versions(distribution, target)
    older = [version for version in versions if version < wanted][-1:]
    newer = [version for version in versions if version > wanted][:1]
    return tuple(str(version) for version in (*older, *newer))


def _no_wheel(files: Sequence[File], target: Target) -> tuple[Kind, str]:
    """Return why none of a version's files is a wheel for the target, in words that follow the version."""
    wheels = [file for file in files if file.is_wheel]
    python, glibc = target.python, target.glibc
    required = next((file.requires_python for file in files if not file.allows_python(python)), None)
    if not wheels:
        if required is not None and not any(file.allows_python(python) for file in files):
            return Kind.OTHER_PYTHON, f"requires Python {required}, and exists only as source"
        return Kind.SOURCE_ONLY, "exists only as source"
    for_newer_glibc = [file for file in wheels if file.fits(python, ANY_GLIBC)]
    if for_newer_glibc:
        needed = min(file.oldest_glibc for file in for_newer_glibc)
        return (
            Kind.NEWER_GLIBC,
            f"has wheels for Python {python} only with glibc 2.{needed} or newer; the base has {glibc}",
        )
    missing = f"has no wheel for Python {python}"
    requires = f"; it requires Python {required}" if required is not None else ""
    if versions := pythons(wheels, glibc):
        return Kind.OTHER_PYTHON, f"{missing} (only for {versions}{requires})"
    if versions := pythons(wheels, ANY_GLIBC):
        return Kind.OTHER_PYTHON, f"{missing} (only for {versions} with a newer glibc than {glibc}{requires})"
    return Kind.OTHER_PLATFORM, f"has no wheel for Linux on {LINUX_AMD64.machine} (only for {platforms(wheels)})"
