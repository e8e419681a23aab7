"""Releases: what the family of published images is, and how the tags of a registry differ from it.  Pure.

A release has a number, ``20261126.v1``, which is also the immutable tag of each of its images. Its record is an
artifact in the repository ``<namespace>/releases`` under the same tag. The record with the highest number says what the
family is: it is written before any tag of an image moves. Tags that differ from it are those of an interrupted publish.

No tag points to the current record: a pointer would be a second place that could disagree, and could not be moved in a
registry with immutable tags.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from build.registry.manifests import EMPTY, EMPTY_CONTENT, MANIFEST, Manifest, descriptor, to_manifest
from build.registry.tags import LATEST, DateTag, dated

#: The media type of a record, and the artifact type of the manifest that carries it.
MEDIA_TYPE = "application/vnd.inference-images.release.v1+json"
#: Its file name when it is pulled (``oras pull``).
FILE_NAME = "release.json"
#: The last part of the repository that has the records.
NAME = "releases"

#: Unix seconds of the last moment that can be printed, at the end of the year 9999.
_LAST_SECOND = 253_402_300_799

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]

#: A repository, as the matrix names it, and a tag or a digest in it.
Place = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit of the project; unknown outside of a git checkout."""

    #: Hexadecimal; empty if it is unknown.
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]*$")] = ""
    #: When it was committed, Unix seconds.
    time: Annotated[int, Field(ge=0, le=_LAST_SECOND)] = 0
    #: Whether tracked files of the checkout differed from it.
    modified: bool = False

    @property
    def revision(self) -> str:
        """The hash, with ``-dirty`` if the checkout differed."""
        return f"{self.hash}-dirty" if self.modified else self.hash

    def __str__(self) -> str:
        if not self.hash:
            return "commit unknown"
        day = datetime.datetime.fromtimestamp(self.time, datetime.UTC)
        return f"commit {self.hash[:7]}{'+changes' if self.modified else ''} of {day:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, kw_only=True)
class ReleasedImage:
    """An image of a release."""

    #: The image name.
    name: str
    #: As the matrix names it: ``azureml/sklearn-…``.
    repository: str
    #: The base that stands in for its own; empty for an image on its own base.
    stand_in: str = ""
    #: Of its manifest.
    digest: Digest
    #: Its recipe: hexadecimal digits.
    recipe: str
    #: The commit that was published with it; that of an earlier release if it was carried over.
    commit: Commit

    @property
    def key(self) -> tuple[str, str]:
        """Distinguishes the images of a release."""
        return self.name, self.stand_in

    def tag(self, number: str) -> str:
        """Its immutable tag in the release with a number."""
        return f"{number}-{self.stand_in}" if self.stand_in else number


@dataclass(frozen=True, kw_only=True)
class Release:
    """A record."""

    #: The version of this format.
    format: Literal[1] = 1
    #: ``20261126.v1``.
    number: str
    #: The run that wrote it, and its machine.
    run: str
    host: str
    #: When, ISO 8601, UTC.
    created: str
    commit: Commit
    #: All images of the family, also those that the run did not publish.
    images: tuple[ReleasedImage, ...]
    #: Repository → the digest that ``latest`` points to; without those that have no ``latest``.
    latest: Mapping[str, Digest]

    def image(self, key: tuple[str, str]) -> ReleasedImage | None:
        """The image of a name and a stand-in base."""
        return next((image for image in self.images if image.key == key), None)

    def immutable_tags(self) -> dict[Place, str]:
        """The immutable tags, with the digests that they point to."""
        return {(image.repository, image.tag(self.number)): image.digest for image in self.images}

    def rolling_tags(self) -> dict[Place, str]:
        """The same for ``latest``."""
        return {(repository, LATEST): digest for repository, digest in self.latest.items()}

    def tags(self) -> dict[Place, str]:
        """The same for both."""
        return self.immutable_tags() | self.rolling_tags()


_RELEASE = TypeAdapter(Release)
_FORMAT = "format"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A tag that is not what the release says."""

    repository: str
    tag: str
    #: The digest in the release.
    wanted: str
    #: The digest in the registry; None if the tag does not exist.
    actual: str | None

    @property
    def is_conflict(self) -> bool:
        """Whether it is an immutable tag on another image, which no publish corrects."""
        return self.actual is not None and self.tag != LATEST


def differences(release: Release, tags: Mapping[Place, str | None]) -> tuple[Difference, ...]:
    """Compare a release with the tags of a registry.

    Args:
        release: The release.
        tags: Repository and tag → the digest in the registry; None or missing if the tag does not exist.
    """
    return tuple(
        Difference(repository=repository, tag=tag, wanted=wanted, actual=actual)
        for (repository, tag), wanted in release.tags().items()
        if (actual := tags.get((repository, tag))) != wanted
    )


def repository_of(namespace: str) -> str:
    """The repository of the records, as the matrix would name it.

    Args:
        namespace: The namespace of the matrix.
    """
    return f"{namespace}/{NAME}"


def numbers(tags: Sequence[str]) -> list[DateTag]:
    """The numbers of the records among the tags of their repository, the highest first."""
    return [tag for tag in dated(tags) if not tag.stand_in]


def next_number(today: datetime.date, taken: Sequence[DateTag]) -> str:
    """The number of the next release, which is higher than all others.

    Args:
        today: The day (UTC). A machine whose clock is behind continues with the day of the last release.
        taken: The numbers of the records, the highest first.
    """
    if taken and taken[0].date >= today:
        return f"{taken[0].date:%Y%m%d}.v{taken[0].number + 1}"
    return f"{today:%Y%m%d}.v1"


def following(number: str) -> str:
    """The number after a number."""
    date, _, count = number.partition(".v")
    return f"{date}.v{int(count) + 1}"


def succeed(
    former: Release | None, images: Sequence[ReleasedImage], rolling: Mapping[str, str]
) -> tuple[tuple[ReleasedImage, ...], dict[str, str]]:
    """Replace images of a release; the others are carried over.

    Args:
        former: The release before; None if it is the first one.
        images: The images of this run.
        rolling: Repository → the digest that ``latest`` moves to.

    Returns:
        The images, and the digests of ``latest``, of the release after it.
    """
    all_images = {image.key: image for image in (*(former.images if former else ()), *images)}
    latest = {**(former.latest if former else {}), **rolling}
    return tuple(sorted(all_images.values(), key=lambda image: image.key)), dict(sorted(latest.items()))


def without(release: Release, gone: Collection[Place]) -> Release:
    """Leave images out of a release.

    Args:
        release: The release.
        gone: Repository and digest of each image that it must not have.
    """
    return dataclasses.replace(
        release,
        images=tuple(image for image in release.images if (image.repository, image.digest) not in gone),
        latest={place: digest for place, digest in release.latest.items() if (place, digest) not in gone},
    )


def same_images(first: Sequence[ReleasedImage], second: Sequence[ReleasedImage]) -> bool:
    """Tell whether two releases have the same images, whatever commits they were published from."""

    def without_commits(images: Sequence[ReleasedImage]) -> list[ReleasedImage]:
        return [dataclasses.replace(image, commit=Commit()) for image in images]

    return without_commits(first) == without_commits(second)


def to_json(release: Release) -> bytes:
    """Write a record: the same release is always the same bytes."""
    return json.dumps(dataclasses.asdict(release), indent=2, sort_keys=True).encode() + b"\n"


def from_json(content: bytes) -> Release:
    """Read a record; it may come from anywhere.

    Raises:
        NewerFormatError: A later version of this program wrote it.
        ValueError: It is not a record.
    """
    try:
        document = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    written = document.get(_FORMAT) if isinstance(document, dict) else None
    if isinstance(written, int) and written > 1:
        raise NewerFormatError(f"format {written}")
    release = _RELEASE.validate_python(document)
    if not numbers([release.number]):
        raise ValueError(f"'{release.number}' is not the number of a release")
    return release


class NewerFormatError(ValueError):
    """A record of a later version of this program."""


def artifact(release: Release) -> tuple[Manifest, bytes]:
    """The manifest of a record, and the blob that it names besides the empty one."""
    content = to_json(release)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": MEDIA_TYPE,
        "config": descriptor(EMPTY, EMPTY_CONTENT),
        "layers": [descriptor(MEDIA_TYPE, content) | {"annotations": {"org.opencontainers.image.title": FILE_NAME}}],
        "annotations": {"org.opencontainers.image.created": release.created},
    }
    return to_manifest(document, MANIFEST), content
