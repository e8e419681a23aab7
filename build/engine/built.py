"""The record that goes from build through verify to publish: an image, its recipe, and where the result is.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from build.engine.images import LocalImage
from build.images.image import Image
from build.images.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image that exists in the form that its recipe describes."""

    image: Image
    recipe: Recipe
    #: The image in the engine.
    local: LocalImage
    #: The digest of its manifest in the registry, to which a builder without an image store pushed it; else empty.
    pushed: str = ""

    @property
    def name(self) -> str:
        return self.image.variant.name
