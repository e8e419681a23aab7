"""The version of a framework after which a new one is made.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.version import Version

from build.matrix.model import Matrix
from build.requirements import distribution_name, parse
from build.scaffold.entry import Model
from build.variants.variant import CPU, Variant


@dataclass(frozen=True, kw_only=True)
class ModelImages:
    """A model, and the images that a version after it may have."""

    model: Model
    #: Those on the bases and devices of its entry, without what `include` adds and `exclude` leaves out.
    images: tuple[Variant, ...]
    #: The bases that its entry stands for.
    bases: tuple[str, ...]
    #: The devices that its entry stands for.
    devices: tuple[str, ...]


def find_model(matrix: Matrix, variants: Sequence[Variant], name: str) -> ModelImages | None:
    """Return the newest version of a framework with its images; None if not each of them pins one release.

    Args:
        matrix: The matrix.
        variants: All its images.
        name: The framework, which the matrix has.
    """
    return _model(matrix, [each for each in variants if each.framework == name], name)


def find_models(matrix: Matrix, variants: Sequence[Variant], name: str) -> list[ModelImages]:
    """Return the versions of a framework that newer ones may be made after, the newest one first.

    If the newest version has images for GPUs alone, or for CPUs alone, the newest one with images for the others is a
    line of its own: a framework may have its wheels for CPUs elsewhere, and in other versions. A line with an end date
    is left out: somebody gave it up.

    Args:
        matrix: The matrix.
        variants: All its images.
        name: The framework, which the matrix has.
    """
    first = find_model(matrix, variants, name)
    if first is None:
        return []
    kinds = {each.device == CPU for each in first.images}
    others = [each for each in variants if each.framework == name and (each.device == CPU) not in kinds]
    other = _model(matrix, others, name)
    if other is None or matrix.frameworks[name].versions[other.model.key].lifecycle.end_of_life is not None:
        return [first]
    return [first, other]


def _model(matrix: Matrix, variants: Sequence[Variant], name: str) -> ModelImages | None:
    """Return the newest version among some images of a framework, with those of these images that it has."""
    keys = [str(each.version) for each in variants if each.version]
    if not keys:
        return None
    key = max(keys, key=Version)
    version = matrix.frameworks[name].versions[key]
    bases, devices = version.bases or matrix.axes.base, version.devices or matrix.axes.device
    images = tuple(
        each for each in variants if each.version == key and each.base_name in bases and each.device in devices
    )
    pins = [main_pin(each) for each in images]
    found = [pin for pin in pins if pin is not None]
    if not found or len(found) < len(pins):
        return None
    model = Model(
        key=key,
        releases=tuple(dict.fromkeys(version for _, version in found)),
        distributions=tuple(dict.fromkeys(distribution for distribution, _ in found)),
    )
    return ModelImages(model=model, images=images, bases=tuple(bases), devices=tuple(devices))


def main_pin(image: Variant) -> tuple[str, Version] | None:
    """Return the distribution and the release that an image's own contract begins with.

    A local version (``+cpu``) is left out.  None if the contract begins with no exact pin.
    """
    if not image.own_contract:
        return None
    pin = image.own_contract[0]
    specifiers = list(parse(pin).specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==" or specifiers[0].version.endswith(".*"):
        return None
    return distribution_name(pin), Version(Version(specifiers[0].version).public)


def pinned(images: Sequence[Variant], version: Version) -> bool:
    """Tell whether images exist, and the contract of each begins with a pin of one release."""
    pins = [main_pin(each) for each in images]
    return bool(pins) and all(pin is not None and pin[1] == version for pin in pins)
