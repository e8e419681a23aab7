"""The records of releases in a registry: the one place that reads them.  Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from build.errors import RegistryError
from build.publish import release as releases
from build.publish.release import Difference, NewerFormatError, Place, Release
from build.registry.client import Client
from build.registry.tags import DateTag
from build.system import console
from build.system.parallel import run_parallel


@dataclass(frozen=True, kw_only=True)
class Family:
    """The last release in a registry, and the tags that it is about."""

    #: The repository of the records.
    repository: str
    #: The numbers of all records, the highest first.
    numbers: tuple[DateTag, ...]
    #: The release; None if there is none yet.
    release: Release | None
    #: The digest of its record.
    digest: str | None
    #: Repository and tag of each tag in the release → the digest in the registry, None if it does not exist.
    tags: Mapping[Place, str | None]
    #: Repository and digest of each image of the release that is not in the registry any more.
    gone: frozenset[Place] = frozenset()

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The tags that are not what the release says."""
        return releases.differences(self.release, self.tags) if self.release else ()


def read(remote: Client, repository: str) -> Family:
    """Read the last release and its tags.

    Args:
        remote: The registry.
        repository: The repository of the records.

    Raises:
        RegistryError: The registry is not there, refuses, or fails; or a later version of this project wrote the
            record.
    """
    numbers = releases.numbers(remote.tags(repository))
    release, digest = next(
        (found for number in numbers if (found := _release(remote, repository, number.tag))), (None, None)
    )
    family = Family(
        repository=repository,
        numbers=tuple(numbers),
        release=release,
        digest=digest,
        tags=read_tags(remote, release.tags()) if release else {},
    )
    # An image that has one of its tags exists; only the others are looked up.
    existing = read_tags(remote, {(each.repository, each.wanted) for each in family.differences})
    return replace(family, gone=frozenset(image for image, digest in existing.items() if digest is None))


def read_tags(remote: Client, places: Iterable[Place]) -> dict[Place, str | None]:
    """Read the digests of tags, or look up digests themselves, several at a time.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    wanted = list(places)
    return dict(zip(wanted, run_parallel(lambda place: remote.digest(*place), wanted), strict=True))


def _release(remote: Client, repository: str, tag: str) -> tuple[Release, str] | None:
    where = remote.registry.reference(repository, tag)
    try:
        manifest = remote.manifest(repository, tag)
        found = releases.from_json(remote.read_blob(repository, manifest.document["layers"][0]["digest"]))
        if found.number != tag:
            raise ValueError(f"it is the record of {found.number}")
    except NewerFormatError as failure:
        raise RegistryError(
            f"the record of release {tag} was written by a later version of this project ({failure})",
            where=where,
            fix="update this clone: git pull",
        ) from failure
    except (ValueError, KeyError, TypeError, LookupError) as failure:
        console.warn(f"{where} is not the record of a release and is left out: {str(failure).splitlines()[0]}")
        return None
    return found, manifest.digest
