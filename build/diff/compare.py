"""Compare two images, fact by fact.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from build.catalogue.changes import Change, versions
from build.diff.facts import Blobs, ImageFacts, Layer


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a machine that has some images fetches for others."""

    #: Bytes, compressed: layers and configuration.
    bytes: int
    layers: int


@dataclass(frozen=True, kw_only=True)
class ImageDifference:
    """What differs between two images."""

    before: ImageFacts
    after: ImageFacts
    #: None where the packages of one of them are not known.
    python: tuple[Change, ...] | None
    debian: tuple[Change, ...] | None
    environment: tuple[Change, ...]
    labels: tuple[Change, ...]
    settings: tuple[Change, ...]
    #: Layers that only one of them has, by their digests.
    removed_layers: tuple[Layer, ...]
    added_layers: tuple[Layer, ...]
    #: For a machine with the image before, and the other way round.
    fetched: Fetched
    fetched_back: Fetched

    @property
    def is_same(self) -> bool:
        """Whether both are one image."""
        return self.before.digest == self.after.digest

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs that is compared, and everything was compared."""
        parts = (self.python, self.debian, self.environment, self.labels, self.settings)
        return all(part == () for part in parts) and not (self.removed_layers or self.added_layers)


def compare(before: ImageFacts, after: ImageFacts) -> ImageDifference:
    """Compare two images. The other way round, everything is mirrored.

    Args:
        before: The image that is taken as the older one.
        after: The other one.
    """
    has_same_files = contents(before) == contents(after)
    old = {layer.digest: layer for layer in before.layers}
    new = {layer.digest: layer for layer in after.layers}
    return ImageDifference(
        before=before,
        after=after,
        python=() if has_same_files else _packages(before.packages.python, after.packages.python),
        debian=() if has_same_files else _packages(before.packages.debian, after.packages.debian),
        environment=versions(before.environment, after.environment),
        labels=versions(before.labels, after.labels),
        settings=versions(before.settings, after.settings),
        removed_layers=tuple(layer for digest, layer in old.items() if digest not in new),
        added_layers=tuple(layer for digest, layer in new.items() if digest not in old),
        fetched=fetched([before.blobs], [after.blobs]),
        fetched_back=fetched([after.blobs], [before.blobs]),
    )


def contents(image: ImageFacts) -> tuple[str, ...]:
    """The contents of an image's layers: two images with the same ones have the same files."""
    return tuple(layer.content for layer in image.layers)


def _packages(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> tuple[Change, ...] | None:
    return None if before is None or after is None else versions(before, after)


def fetched(has: Iterable[Blobs], wants: Iterable[Blobs]) -> Fetched:
    """Return what a machine fetches for images, each layer once, whichever of them have it.

    Args:
        has: The images on the machine.
        wants: The images that it pulls.
    """
    known = {digest for each in has for digest in (*each.config, *each.layers)}
    images = tuple(wants)
    layers = {digest: size for each in images for digest, size in each.layers.items() if digest not in known}
    configs = {digest: size for each in images for digest, size in each.config.items() if digest not in known}
    return Fetched(bytes=sum({**configs, **layers}.values()), layers=len(layers))
