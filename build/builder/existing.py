"""Look up which images the engine has under their recipes.  Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import docker

from build.engine.built import BuiltImage
from build.engine.images import find, reference_of
from build.images.image import Image
from build.images.recipe import Recipe


def find_built(
    client: docker.DockerClient, images: Iterable[Image], recipes: Mapping[str, Recipe]
) -> dict[str, BuiltImage]:
    """Return those of the images that the engine has, by name.

    Args:
        client: The engine's client.
        images: The images to look for.
        recipes: Image name → recipe; an image without one is not looked for.
    """
    found = {}
    for image in images:
        recipe = recipes.get(image.variant.name)
        built = find_one(client, image, recipe) if recipe else None
        if built is not None:
            found[built.name] = built
    return found


def find_one(client: docker.DockerClient, image: Image, recipe: Recipe) -> BuiltImage | None:
    """Return an image of this recipe, or None where the engine does not have it."""
    local = find(client, reference_of(image.variant.repository, recipe))
    if local is None or local.recipe != recipe.digest:
        return None
    return BuiltImage(image=image, recipe=recipe, local=local)
