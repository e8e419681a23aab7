"""Read releases from their records, and pair their images."""

from __future__ import annotations

from dataclasses import dataclass

from build.diff.references import ImageReference, ReleaseReference
from build.diff.sources import Source
from build.errors import UsageError
from build.publish import records
from build.publish.release import Release, ReleasedImage, numbers
from build.registry import places
from build.registry.places import Location
from build.registry.tags import LATEST
from build.system import console


@dataclass(frozen=True, kw_only=True)
class FoundRelease:
    """A release, and the registry or the folder that it is in."""

    location: Location
    release: Release

    @property
    def name(self) -> str:
        """``20261126.v1``."""
        return self.release.number

    def image(self, image: ReleasedImage) -> ImageReference:
        """Name an image of the release by its digest."""
        return ImageReference(location=self.location, repository=image.repository, reference=image.digest)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An image that is in two releases, with another digest in each."""

    before: ReleasedImage
    after: ReleasedImage


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The images of two releases."""

    added: tuple[ReleasedImage, ...]
    removed: tuple[ReleasedImage, ...]
    changed: tuple[Pair, ...]
    unchanged: tuple[ReleasedImage, ...]


def read_release(remote: Source, reference: ReleaseReference) -> FoundRelease:
    """Read a release.

    Raises:
        UsageError: The registry has no such release, or none at all.
        RegistryError: The registry is not there, refuses, or fails; or the record cannot be read.
    """
    taken = [each.tag for each in numbers(remote.tags(reference.repository))]
    noun = places.noun(reference.location)
    if not taken or (reference.number is not None and reference.number not in taken):
        raise UsageError(
            f"{reference} is not in the {noun}" if taken else f"no release is in the {noun} {reference.location}",
            where=remote.reference(reference.repository, reference.number or LATEST),
            fix=f"name one of its releases: {console.some(taken, 3)}"
            if taken
            else "nox -s publish makes the first one; nox -s promote copies one",
        )
    found = records.release_of(remote, reference.repository, reference.number or taken[0])
    return FoundRelease(location=reference.location, release=found)


def read_former(remote: Source, reference: ReleaseReference, number: str) -> FoundRelease | None:
    """Read the release before a number; None if that is the first one.

    Raises:
        RegistryError: The registry is not there, refuses, or fails; or the record cannot be read.
    """
    taken = [each.tag for each in numbers(remote.tags(reference.repository))]
    former = taken[taken.index(number) + 1 :][:1]
    if not former:
        return None
    return FoundRelease(
        location=reference.location, release=records.release_of(remote, reference.repository, former[0])
    )


def pair(before: Release | None, after: Release) -> Pairs:
    """Pair the images of two releases by name and stand-in base.

    Args:
        before: The older release; None before the first one: then all images are added.
        after: The newer one.
    """
    old = {image.key: image for image in before.images} if before else {}
    new = {image.key: image for image in after.images}
    both = [(old[key], image) for key, image in new.items() if key in old]
    return Pairs(
        added=tuple(image for key, image in new.items() if key not in old),
        removed=tuple(image for key, image in old.items() if key not in new),
        changed=tuple(Pair(before=one, after=two) for one, two in both if one.digest != two.digest),
        unchanged=tuple(two for one, two in both if one.digest == two.digest),
    )
