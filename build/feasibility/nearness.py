"""Which images are nearest to a cell that cannot be: in the matrix's own axes, one change at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Near:
    """An image that there is."""

    image: Variant
    #: What it shares with the cell: ``same base``, ``same version``.
    same: str

    def __str__(self) -> str:
        return f"{self.image.name} ({self.same})" if self.same else self.image.name


def nearest_images(cell: Variant, there: Sequence[Variant]) -> tuple[Near, ...]:
    """The images of the same framework that differ in one axis, the nearest of each; else in as few as there are.

    Args:
        cell: What cannot be.
        there: The images to choose from.
    """
    family = [image for image in there if image.framework == cell.framework and image.name != cell.name]
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
    if cell.device == "cpu" and "device" not in changed:
        del words["device"]  # it goes without saying
    kept = [word for axis, word in words.items() if axis not in changed]
    return f"same {' and '.join(kept)}" if kept else ""


def _distance(cell: Variant) -> Callable[[Variant], tuple[tuple[int, ...], int, str, str]]:
    """How far an image is: its version number by number, then its Python, then its device."""

    def key(image: Variant) -> tuple[tuple[int, ...], int, str, str]:
        return (
            _apart(cell.version, image.version),
            abs(_minor(cell.base.python) - _minor(image.base.python)),
            "" if image.device == cell.device else image.device,
            image.name,
        )

    return key


def _apart(one: str | None, other: str | None) -> tuple[int, ...]:
    if one is None or other is None or one == other:
        return ()
    first, second = Version(one).release, Version(other).release
    length = max(len(first), len(second))
    padded = [(*release, *(0 for _ in range(length - len(release)))) for release in (first, second)]
    return tuple(abs(a - b) for a, b in zip(*padded, strict=True))


def _minor(python: str) -> int:
    return int(python.split(".")[1])
