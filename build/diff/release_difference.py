"""What differs between two releases, and which images have the same change in common.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from build.catalogue.changes import Change
from build.diff.compare import Fetched, ImageDifference
from build.images.labels import LABEL

#: Labels that differ in every image with another recipe, and tell a reader nothing more.
_OF_EVERY_IMAGE = (
    f"{LABEL}.recipe",
    "org.opencontainers.image.created",
    "org.opencontainers.image.base.digest",
    "org.opencontainers.image.base.name",
)


@dataclass(frozen=True, kw_only=True)
class ChangedImage:
    """An image that two releases have, with another digest in each."""

    name: str
    #: None where it could not be compared.
    difference: ImageDifference | None
    #: Why not; empty if it could.
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What machines fetch that have all images of one of two releases, each layer once."""

    #: For a machine with the release before, and the other way round.
    fetched: Fetched
    fetched_back: Fetched
    #: Images that the numbers leave out, since their manifests could not be read.
    uncounted: tuple[str, ...] = ()


#: Between two releases of the same images.
NOTHING = Totals(fetched=Fetched(bytes=0, layers=0), fetched_back=Fetched(bytes=0, layers=0))


@dataclass(frozen=True, kw_only=True)
class ReleaseDifference:
    """What differs between two releases."""

    #: Number and place of each, a registry or a folder; the first one is None if the other one is the first release.
    before: tuple[str, str] | None
    after: tuple[str, str]
    #: Names of images; those on a stand-in base are ``name on base``.
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[ChangedImage, ...]
    unchanged: tuple[str, ...]
    totals: Totals

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed)


@dataclass(frozen=True, kw_only=True)
class CommonChange:
    """A change, and the images that have it."""

    change: Change
    images: tuple[str, ...]


def common_changes(difference: ReleaseDifference) -> dict[str, tuple[CommonChange, ...]]:
    """Group the changes of all images: kind → each change with the images that have it, by name.

    Labels that differ in every image are left out. Packages that are not known are passed over: `unknown_images` names
    these images.
    """
    kinds: dict[str, list[tuple[str, Sequence[Change]]]] = {}
    for image in difference.changed:
        if image.difference is not None:
            for kind, found in changes_of(image.difference).items():
                kinds.setdefault(kind, []).append((image.name, found or ()))
    kept = {kind: _grouped(images) for kind, images in kinds.items()}
    return {kind: found for kind, found in kept.items() if found}


def unknown_images(difference: ReleaseDifference) -> tuple[str, ...]:
    """The images whose packages could not be compared."""
    return tuple(
        each.name
        for each in difference.changed
        if each.difference is not None and None in (each.difference.python, each.difference.debian)
    )


def changes_of(difference: ImageDifference) -> Mapping[str, tuple[Change, ...] | None]:
    """The changes of one image by kind, in the order in which they are shown; None where they are not known."""
    return {
        "Python packages": difference.python,
        "Debian packages": difference.debian,
        "environment": difference.environment,
        "configuration": difference.settings,
        "labels": difference.labels,
    }


def _grouped(images: Sequence[tuple[str, Sequence[Change]]]) -> tuple[CommonChange, ...]:
    found: dict[Change, list[str]] = {}
    for name, changes in images:
        for change in changes:
            if change.name not in _OF_EVERY_IMAGE:
                found.setdefault(change, []).append(name)
    ordered = sorted(found.items(), key=lambda item: (item[0].name, item[0].before or "", item[0].after or ""))
    return tuple(CommonChange(change=change, images=tuple(names)) for change, names in ordered)
