"""The tags of bases in a target: the first base for a lock counts for everyone there."""

from __future__ import annotations

from collections.abc import Iterable

from build.errors import RegistryError
from build.locks import debian
from build.promote.found_bases import FoundBase, image_of
from build.promote.stores import Target
from build.publish.release import Place


def missing_base_tags(bases: Iterable[FoundBase], target: Target) -> dict[Place, str]:
    """Return the tags of bases that a target lacks, with their digests.

    A tag that is there stays: on another root file system with the same packages, it is as good.

    Args:
        bases: The bases of a release.
        target: The target.

    Raises:
        RegistryError: The target has a base of the same lock with other Debian packages.
    """
    missing = {}
    for base in bases:
        for tag in base.tags:
            actual = target.digest(base.repository, tag)
            if actual is None:
                missing[base.repository, tag] = base.manifest.digest
            elif actual != base.manifest.digest:
                _check(base, tag, target)
    return missing


def _check(base: FoundBase, tag: str, target: Target) -> None:
    manifest = target.find_manifest(base.repository, tag)
    other = image_of(target, base.repository, manifest) if manifest else None
    if other is None or other.packages == base.packages:
        return
    lines = debian.drift(other.packages, base.packages)
    raise RegistryError(
        f"the target has another base of the same lock, with {debian.in_words(lines, 'other')}: its recipes would "
        "not be those of the images",
        where=target.reference(base.repository, tag),
        fix="promote to another namespace of the registry, or remove that tag",
        details="\n".join(lines),
    )
