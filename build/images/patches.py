"""Patches: the matrix's edits of installed distributions, and the layers that they belong to.

``image/scripts/patch-layer`` applies a patch right after the install, in every layer with its distribution in exactly
its version.  Pure.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from packaging.version import Version

from build import requirements
from build.locks.lock import LockedPackage
from build.matrix.model import Patch
from build.matrix.problems import Problem, report
from build.matrix.reader import LoadedMatrix


def of(packages: Iterable[LockedPackage], patches: Sequence[Patch]) -> tuple[Patch, ...]:
    """The patches that apply to these packages, in the order of the matrix."""
    versions = {package.name: package.version for package in packages}
    return tuple(patch for patch in patches if _meets(patch, versions))


def _meets(patch: Patch, versions: Mapping[str, str]) -> bool:
    name, version = distribution(patch)
    return name in versions and Version(versions[name]) == version


def distribution(patch: Patch) -> tuple[str, Version]:
    """The distribution that a patch edits: its normalised name and its version."""
    return _pinned(patch.distribution)


@functools.cache
def _pinned(text: str) -> tuple[str, Version]:
    (pin,) = requirements.parse(text).specifier
    return requirements.distribution_name(text), Version(pin.version)


def distributions(patches: Iterable[Patch]) -> list[tuple[str, Version]]:
    """The distributions that patches edit, each once, sorted."""
    return sorted({distribution(patch) for patch in patches})


def digest(patches: Sequence[Patch]) -> str:
    """SHA-256, hexadecimal, of the edits; other words in a reason change no layer."""
    edits = [[patch.distribution, patch.file, patch.find, patch.replace] for patch in patches]
    return hashlib.sha256(json.dumps(edits).encode()).hexdigest()


def to_text(patches: Sequence[Patch]) -> str:
    """The file that ``patch-layer`` reads: JSON, since the standard library of Python has no YAML."""
    content = {
        "generated": "from matrix.yaml by `nox -s generate`; do not edit",
        "patches": [patch.model_dump() for patch in patches],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def check_used(loaded: LoadedMatrix, packages: Iterable[LockedPackage]) -> None:
    """Raise where a patch applies to no lock.

    Args:
        loaded: The matrix.
        packages: The packages of all locks.

    Raises:
        MatrixError: No lock has the distribution of a patch in its version; it names all such patches.
    """
    versions: dict[str, set[str]] = {}
    for package in packages:
        versions.setdefault(package.name, set()).add(package.version)
    problems = []
    for index, patch in enumerate(loaded.matrix.patches):
        name, version = distribution(patch)
        locked = sorted(versions.get(name, ()), key=Version)
        if version not in map(Version, locked):
            problems.append(
                Problem(
                    what=f"this patch matches nothing: no lock has {patch.distribution}",
                    where=loaded.where("patches", index, "distribution"),
                    fix=(f"the locks have {name} {', '.join(locked)}: correct it" if locked else "correct the name")
                    + ", or remove the patch, if it is obsolete",
                )
            )
    if problems:
        raise report(loaded.file, problems)
