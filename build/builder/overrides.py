"""Build-time overrides for the targets of the bake file: tags, labels, output, contexts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from build.bases import builder_context
from build.bases.local import local_base
from build.builder.places import Place
from build.checkout.project import Project
from build.engine.images import reference_of
from build.images import layers
from build.images.image import Image, bake_target
from build.images.labels import LABEL, image_labels
from build.images.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """A base image to build, or one that the engine has."""

    #: The base's, with its CUDA version if it has one.
    name: str
    recipe: Recipe
    #: In the engine.
    reference: str

    @property
    def target(self) -> str:
        """Its bake target."""
        return bake_target(f"base-{self.name}")


def base_image(project: Project, name: str, recipe: Recipe) -> BaseImage:
    """Return the base image of this name and recipe."""
    repository = f"{project.matrix.project.namespace}/base-{name}"
    return BaseImage(name=name, recipe=recipe, reference=reference_of(repository, recipe))


def of_images(
    project: Project, images: Iterable[tuple[Image, Recipe]], bases: Mapping[str, tuple[BaseImage, str]], place: Place
) -> dict[str, Any]:
    """Return the overrides of images that are exported.

    Args:
        project: The checkout.
        images: Each image and its recipe.
        bases: Name → base image, and its digest.
        place: Where the images are kept.

    Returns:
        Bake target → overrides.
    """
    return {
        image.target: _of_image(project, image, recipe, *bases[image.variant.base_image_name])
        | place.export(image, recipe)
        for image, recipe in images
    }


def _of_image(project: Project, image: Image, recipe: Recipe, base: BaseImage, base_digest: str) -> dict[str, Any]:
    labels = {
        "org.opencontainers.image.base.name": base.reference,
        "org.opencontainers.image.base.digest": base_digest,
        f"{LABEL}.recipe": recipe.digest,
    }
    if image.variant.stand_in is not None:
        labels = image_labels(image, project.matrix.project) | labels  # its Dockerfile has those of its own base
    return {"labels": labels, "contexts": stand_in_contexts(image)}


def of_stages(image: Image) -> dict[str, Any]:
    """Return the overrides of an image of which only the stages are built."""
    return {"contexts": stand_in_contexts(image), "output": ["type=cacheonly"]}


def of_base_images(new: Iterable[BaseImage], place: Place) -> dict[str, Any]:
    """Return the overrides of base images that are built: bake target → overrides."""
    return {
        base.target: {
            "labels": {f"{LABEL}.recipe": base.recipe.digest, f"{LABEL}.base": base.name},
            **place.export_base(base.reference),
        }
        for base in new
    }


def of_builders(project: Project, base_names: Iterable[str]) -> dict[str, Any]:
    """Return the overrides of the builder stages that use their base's root file system: bake target → overrides."""
    return {
        bake_target(f"builder-{name}"): {"contexts": {"rootfs": "target:" + bake_target(f"rootfs-{name}")}}
        for name in base_names
        if builder_context.shares_rootfs(local_base(project, name))
    }


def stand_in_contexts(image: Image) -> dict[str, str]:
    """Return the build contexts of an image that differ from the bake file: those of its stand-in base."""
    if image.variant.stand_in is None:
        return {}
    return {
        name: "target:" + bake_target(f"{name}-{image.variant.stand_in}")
        for name in ("base", layers.BUILDER, *([layers.COMPILER] if image.needs_compiler else []))
    }
