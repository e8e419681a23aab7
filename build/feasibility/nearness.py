"""The images nearest to a cell that cannot be built, one change on the matrix's axes at a time.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from build.variants.variant import CPU, Variant


@dataclass(frozen=True, kw_only=True)
class Near:
    """An existing image."""

    image: Variant
    #: What it has in common with the cell: ``same base``, ``same version``.
    same: str

    def __str__(self) -> str:
        return f"{self.image.name} ({self.same})" if self.same else self.image.name


def nearest_images(cell: Variant, images: Sequence[Variant]) -> tuple[Near, ...]:
    """Return the images of the same framework that differ from a cell on as few axes as possible, preferably one.

    Args:
        cell: The cell that cannot be built.
        images: The existing images.

    Returns:
        For each axis, or combination of axes, on which images differ: the nearest one.
    """
    family = [image for image in images if image.framework == cell.framework and image.name != cell.name]
    for changes in (1, 2, 3):
        best: dict[tuple[str, ...], Variant] = {}
        for image in sorted(family, key=_distance(cell)):
            changed = _changed(cell, image)
            if len(changed) == changes:
                best.setdefault(changed, image)
        if best:
            return tuple(Near(image=image, same=_same(cell, changed)) for changed, image in best.items())
    return ()


def _changed(cell: Variant, image: Variant) -> tuple[str, ...]:
    axes = ("version", "base_name", "device")
    return tuple(axis for axis in axes if getattr(cell, axis) != getattr(image, axis))


def _same(cell: Variant, changed: Sequence[str]) -> str:
    words = {"version": "version", "base_name": "base", "device": "device"}
    if cell.version is None:
        del words["version"]
    if cell.device == CPU and "device" not in changed:
        del words["device"]  # obvious
    kept = [word for axis, word in words.items() if axis not in changed]
    return f"same {' and '.join(kept)}" if kept else ""


def _distance(cell: Variant) -> Callable[[Variant], tuple[tuple[int, ...], int, str, str]]:
    """Return a sort key: the distance of an image's version, number by number, then of its Python, then its device."""

    def key(image: Variant) -> tuple[tuple[int, ...], int, str, str]:
        return (
            _version_distance(cell.version, image.version),
            abs(Version(cell.base.python).minor - Version(image.base.python).minor),
            "" if image.device == cell.device else image.device,
            image.name,
        )

    return key


def _version_distance(one: str | None, other: str | None) -> tuple[int, ...]:
    if one is None or other is None or one == other:
        return ()
    first, second = Version(one).release, Version(other).release
    length = max(len(first), len(second))
    padded = [(*release, *(0 for _ in range(length - len(release)))) for release in (first, second)]
    return tuple(abs(a - b) for a, b in zip(*padded, strict=True))
