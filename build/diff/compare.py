"""Compare two images, fact by fact.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from build.catalogue.changes import Change, versions
from build.diff.facts import ImageFacts, Layer


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a machine that has one image fetches for the other one."""

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
        fetched=_fetched(before, after),
        fetched_back=_fetched(after, before),
    )


def contents(image: ImageFacts) -> tuple[str, ...]:
    """The contents of an image's layers: two images with the same ones have the same files."""
    return tuple(layer.content for layer in image.layers)


def _packages(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> tuple[Change, ...] | None:
    return None if before is None or after is None else versions(before, after)


def _fetched(has: ImageFacts, wants: ImageFacts) -> Fetched:
    layers = {layer.digest for layer in wants.layers} - {layer.digest for layer in has.layers}
    missing = {digest: size for digest, size in wants.blobs.items() if digest not in has.blobs}
    return Fetched(bytes=sum(missing.values()), layers=len(layers))
