"""Choose the release of a distribution to pin, and the bases on which it can be installed.  Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from build.errors import UsageError
from build.packages.compatibility import Finding, explain
from build.packages.distribution import Distribution
from build.packages.target import Target

#: How many versions are named where the wanted one does not exist.
_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release that can be pinned."""

    distribution: str
    version: Version
    #: The day of its first upload (UTC); None if the index does not tell.
    day: datetime.date | None
    #: The bases on which it can be installed from wheels, in the order of the question.
    bases: tuple[str, ...]
    #: Base → why it cannot be installed there.
    misfits: Mapping[str, str]

    @property
    def key(self) -> str:
        """The version as image names write it: ``1.9`` for 1.9.1."""
        return f"{self.version.major}.{self.version.minor}"

    @property
    def pin(self) -> str:
        return f"{self.distribution}=={self.version}"


def choose(distribution: Distribution, targets: Mapping[str, Target], wanted: str | None = None) -> Release:
    """Return the newest release that can be installed on at least one base.

    Args:
        distribution: Its files.
        targets: Base → its Python and glibc, and the day on which the index is seen.
        wanted: A version or its beginning: ``1.9`` allows 1.9.0 and 1.9.1.

    Raises:
        UsageError: No release of that version exists, or none can be installed.
    """
    released = _released(distribution)
    matching = [version for version in released if wanted is None or _begins_with(version, wanted)]
    if not matching:
        raise UsageError(
            f"{distribution.name} has no release" + (f" {wanted}" if released else ""),
            where=", ".join(distribution.places),
            fix=f"name one of: {', '.join(map(str, released[:_NAMED]))}" if released else None,
        )
    newest: list[Finding] = []
    for version in matching:
        pin = f"{distribution.name}=={version}"
        findings = {base: explain(pin, distribution, target) for base, target in targets.items()}
        says = {base: finding.says for base, finding in findings.items() if finding}
        if len(says) < len(targets):
            return Release(
                distribution=distribution.name,
                version=version,
                day=_day(distribution, version),
                bases=tuple(base for base in targets if base not in says),
                misfits=says,
            )
        newest = newest or [finding for finding in findings.values() if finding]
    day = min((finding.from_day for finding in newest if finding.from_day), default=None)
    raise UsageError(
        f"no release of {distribution.name} can be installed from wheels on the bases of the matrix: "
        + "; ".join(dict.fromkeys(finding.says for finding in newest)),
        where=", ".join(distribution.places),
        fix=f"move exclude-newer in matrix.yaml to {day} or later" if day else "add it by hand (CONTRIBUTING.md)",
    )


def _released(distribution: Distribution) -> Sequence[Version]:
    """The versions that are neither yanked nor made before a release, the newest first."""
    found = {file.version for file in distribution.files if file.yanked is None and not file.version.is_prerelease}
    return sorted(found, reverse=True)


def _begins_with(version: Version, wanted: str) -> bool:
    return str(version) == wanted or str(version).startswith(f"{wanted}.")


def _day(distribution: Distribution, version: Version) -> datetime.date | None:
    times = [file.uploaded for file in distribution.files if file.version == version and file.uploaded]
    return min(times).astimezone(datetime.UTC).date() if times else None
