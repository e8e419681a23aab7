"""New versions of frameworks, and the matrix with them; `build.update.proposals` finds them.  Pure.

A new minor version is another image name, so it becomes an entry of its own, made after the newest one that the matrix
has; the older one gets an end date.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from build.matrix.edit import NotEditableError
from build.matrix.lifecycle import has_ended
from build.matrix.model import Matrix
from build.matrix.upkeep import Lifecycle
from build.scaffold import entry
from build.scaffold.entry import NewVersion
from build.scaffold.model import ModelImages
from build.variants.variant import CPU, Variant, image_name


@dataclass(frozen=True, kw_only=True)
class Addition:
    """A new version of a framework."""

    framework: str
    of: ModelImages
    #: Without a local version (``+cpu``).
    version: Version
    #: The day of its first upload (UTC); None if the index does not tell.
    day: datetime.date | None
    #: Names of images that it cannot have → why.
    missing: Mapping[str, str]
    #: The images of all older versions.
    older: tuple[Variant, ...] = ()

    @property
    def key(self) -> str:
        """Its key in the matrix."""
        return f"{self.version.major}.{self.version.minor}"

    @property
    def images(self) -> tuple[str, ...]:
        """The names of its images."""
        return tuple(name for image in self.of.images if (name := self.name(image)) not in self.missing)

    @property
    def bases(self) -> tuple[str, ...]:
        """The bases of its images, in the matrix's order."""
        names = {image.base_name for image in self.made_after}
        return tuple(base for base in self.of.bases if base in names)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices of its images, in the matrix's order."""
        names = {image.device for image in self.made_after}
        return tuple(device for device in self.of.devices if device in names)

    def without(self, missing: Mapping[str, str]) -> Addition:
        """Return it without some images: image name → why.

        An entry names bases and devices, and has an image for each combination.  If one is missing, the base or the
        device is left out that costs the fewest images.
        """
        smaller = replace(self, missing={**self.missing, **missing})
        while smaller.images and (gaps := smaller.gaps()):
            base, device = gaps[0]
            costs = {
                f"the base {base}": [image for image in smaller.made_after if image.base_name == base],
                f"the device {device}": [image for image in smaller.made_after if image.device == device],
            }
            what = min(costs, key=lambda each: len(costs[each]))
            why = f"the version has no image for {base} with {device}, so {what} is left out"
            smaller = replace(smaller, missing={**smaller.missing, **{self.name(each): why for each in costs[what]}})
        return smaller

    @property
    def made_after(self) -> list[Variant]:
        """The images of the older version that its images are made after."""
        return [image for image in self.of.images if self.name(image) not in self.missing]

    def gaps(self) -> list[tuple[str, str]]:
        """Return the combinations of its bases and devices without an image."""
        have = {(image.base_name, image.device) for image in self.made_after}
        return [(base, device) for base in self.bases for device in self.devices if (base, device) not in have]

    def succeeds(self, image: Variant) -> bool:
        """Tell whether an image of an older version has a successor among its images.

        It has the same base, and the same device; of a version before the one that it is made after, the same kind of
        device, since that may have images with another CUDA version.
        """
        if image.version == self.of.model.key:
            return self.name(image) in self.images
        return any(
            (each.base_name, each.device == CPU) == (image.base_name, image.device == CPU) for each in self.made_after
        )

    def name(self, image: Variant) -> str:
        """Return the name of the image that is made after one of the older version."""
        return image_name(self.framework, self.key, image.base.os, image.base.python, image.device)


@dataclass(frozen=True, kw_only=True)
class Added:
    """A new version in the matrix, and what becomes of the older ones."""

    addition: Addition
    #: Older version → what becomes of it, in words: when it ends, or why it gets no end date.  The one that the new
    #: version is made after comes first, then the others that end, or of which some images have a successor.
    ends: Mapping[str, str]

    @property
    def key(self) -> str:
        """Its key in the matrix."""
        return self.addition.key


def with_addition(file: str, text: str, matrix: Matrix, addition: Addition, today: datetime.date) -> tuple[str, Added]:
    """Return the matrix with a new version, and with an end date for each older one that it replaces.

    An older version gets none if it has one, if one of its images has no successor, or if the matrix says that it is
    deprecated later.

    Args:
        file: The matrix's name, for messages.
        text: Its content.
        matrix: Its models.
        addition: The new version.
        today: The day (UTC) on which the overlap begins.

    Raises:
        NotEditableError: The version that it is made after comes from an alias, or has an anchor.
    """
    new = NewVersion(
        version=addition.version,
        day=addition.day,
        bases=() if addition.bases == addition.of.bases else addition.bases,
        devices=() if addition.devices == addition.of.devices else addition.devices,
    )
    model = addition.of.model
    result = entry.with_version(file, text, addition.framework, model, new)
    images: dict[str, list[Variant]] = {}
    for image in addition.older:
        if image.version is not None and not has_ended(image.lifecycle, today):
            images.setdefault(image.version, []).append(image)
    overlap = matrix.project.update.overlap
    until = today + datetime.timedelta(days=overlap)
    source = f"replaced by {addition.key} (project.update.overlap: {overlap} days)"
    ends: dict[str, str] = {}
    for key in sorted(images, key=Version, reverse=True):
        if key != model.key and not any(map(addition.succeeds, images[key])):
            continue
        life = matrix.frameworks[addition.framework].versions[key].lifecycle
        kept = _kept(addition, images[key], life, until)
        if kept is None:
            try:
                result = entry.with_end(file, result, addition.framework, key, until, source)
            except NotEditableError as failure:
                kept = f"gets no end date: {failure.what}"
        ends[key] = kept or f"ends on {until}: {source}"
    return result, Added(addition=addition, ends=ends)


def _kept(addition: Addition, images: Sequence[Variant], life: Lifecycle, until: datetime.date) -> str | None:
    """Return in words why an older version gets no other end date; None if it gets one."""
    if life.end_of_life is not None:
        return f"ends on {life.end_of_life}, as before"
    alone = [image.name for image in images if not addition.succeeds(image)]
    if alone:
        return f"gets no end date, since some images have no successor ({', '.join(alone)})"
    for word, date in (("deprecated", life.deprecated), ("released", life.released)):
        if date is not None and date > until:
            return f"gets no end date: the matrix says '{word}: {date}', and the end would be before it, on {until}"
    return None
