"""The records of releases in a registry: the one place that reads them.  Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from build.errors import RegistryError
from build.publish import release as releases
from build.publish.release import Difference, NewerFormatError, Place, Release
from build.registry.client import Client
from build.registry.contents import Contents
from build.registry.failures import DamagedContentError
from build.registry.manifests import Manifest
from build.registry.tags import DateTag
from build.system import console
from build.system.parallel import run_parallel

#: Seconds after each read of a record that is listed, but not found. While another run writes it, its tag is listed a
#: moment before the manifest can be read.
_PAUSES = (0.2, 1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Family:
    """The last release in a registry, and the tags that it is about."""

    #: The repository of the records.
    repository: str
    #: The numbers of all records, the highest first.
    numbers: tuple[DateTag, ...]
    #: The release; None before the first one.
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


class UnreadableRecordError(RegistryError):
    """A record is lost, damaged, or not a record: without it, it is unknown what the family is."""


def read(remote: Client, repository: str, *, without: Collection[str] = ()) -> Family:
    """Read the last release and its tags.

    Args:
        remote: The registry.
        repository: The repository of the records.
        without: Numbers of records that are passed over if they cannot be read.

    Raises:
        RegistryError: The registry is not there, refuses, or fails; or a later version of this project wrote the
            record.
        UnreadableRecordError: The record with the highest number cannot be read.
    """
    numbers = releases.numbers(remote.tags(repository))
    last = _last(remote, repository, [number.tag for number in numbers], without)
    release, digest = last or (None, None)
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


def last_release(remote: Client, repository: str, *, without: Collection[str] = ()) -> Release | None:
    """Read the record of the last release alone; None if none is found.  Arguments and failures as of `read`."""
    numbers = releases.numbers(remote.tags(repository))
    last = _last(remote, repository, [number.tag for number in numbers], without)
    return last[0] if last else None


def release_of(remote: Contents, repository: str, number: str) -> Release:
    """Read the record of one release, which the registry lists.

    Raises:
        RegistryError: The registry is not there, refuses, or fails; or a later version of this project wrote the
            record.
        UnreadableRecordError: The record cannot be read.
    """
    return _release(remote, repository, number)[0]


def read_tags(remote: Client, places: Iterable[Place]) -> dict[Place, str | None]:
    """Read the digests of tags, or look up digests themselves, several at a time.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    wanted = list(places)
    return dict(zip(wanted, run_parallel(lambda place: remote.digest(*place), wanted), strict=True))


def _last(remote: Client, repository: str, tags: Iterable[str], without: Collection[str]) -> tuple[Release, str] | None:
    """Read the record with the highest number, and its digest; None if none is found."""
    for tag in tags:
        try:
            return _release(remote, repository, tag)
        except UnreadableRecordError as failure:
            if tag not in without:
                raise
            console.warn(f"{failure.what}; the release before it counts")
    return None


def _release(remote: Contents, repository: str, tag: str) -> tuple[Release, str]:
    record = read_record(remote, repository, tag)
    return record.release, record.manifest.digest


@dataclass(frozen=True, kw_only=True)
class Record:
    """A record as it is stored."""

    release: Release
    manifest: Manifest
    #: The blob that its manifest names: the release as JSON.
    content: bytes


def read_record(remote: Contents, repository: str, tag: str) -> Record:
    """Read the record of a release.

    Args:
        remote: A registry or a folder.
        repository: The repository of the records.
        tag: The number of the release; its tag is listed.

    Raises:
        RegistryError: The registry is not there, refuses, or fails; or a later version of this project wrote the
            record.
        UnreadableRecordError: The record cannot be read.
    """
    try:
        manifest = _manifest(remote, repository, tag)
        content = remote.find_blob(repository, _content_of(manifest)) if manifest else None
        if manifest is None or content is None:
            raise ValueError("its content is not in the registry any more")
        found = releases.from_json(content)
        if found.number != tag:
            raise ValueError(f"it is the record of {found.number}")
    except NewerFormatError as failure:
        raise RegistryError(
            f"the record of release {tag} was written by a later version of this project ({failure})",
            where=remote.reference(repository, tag),
            fix="update this clone: git pull",
        ) from failure
    except (ValueError, DamagedContentError) as failure:
        raise UnreadableRecordError(
            f"the record of release {tag} cannot be read: {_first_line(failure)}",
            where=remote.reference(repository, tag),
            fix=f"restore it; or publish without it: nox -s publish -- --without-record {tag} (docs/publishing.md)",
        ) from failure
    return Record(release=found, manifest=manifest, content=content)


def _manifest(remote: Contents, repository: str, tag: str) -> Manifest | None:
    for pause in _PAUSES:
        manifest = remote.find_manifest(repository, tag)
        if manifest is not None:
            return manifest
        time.sleep(pause)
    return None


def _content_of(manifest: Manifest) -> str:
    """The digest of the content of a record."""
    try:
        return str(manifest.document["layers"][0]["digest"])
    except (LookupError, TypeError) as failure:
        raise ValueError("its manifest names no content") from failure


def _first_line(failure: Exception) -> str:
    if isinstance(failure, ValidationError):
        first = failure.errors()[0]
        return ": ".join(text for text in (".".join(str(part) for part in first["loc"]), first["msg"]) if text)
    return str(failure).partition("\n")[0]
