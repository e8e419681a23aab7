"""Build-time overrides for the targets of the bake file: tags, labels, output, contexts."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from build.bases import builder_context
from build.bases.local import local_base
from build.builder.compression import marker
from build.checkout.project import Project
from build.engine.images import LocalImage, reference_of
from build.engine.model import Engine
from build.images import layers
from build.images.image import Image, bake_target
from build.images.labels import LABEL, image_labels
from build.images.recipe import Recipe
from build.locks.lock import UNKNOWN_UPLOAD
from build.matrix.values import Compression


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


def output(engine: Engine, *, created: str = UNKNOWN_UPLOAD, compression: Compression = "zstd") -> str:
    """Return bake's output for this engine: layers are compressed where its store keeps them so.

    zstd at build time takes a tenth of the time that gzip takes at push time.

    Args:
        engine: The engine.
        compression: That of the layers; the classic image store compresses only while it pushes, with gzip.
        created: The time in the image's configuration and history, instead of that of the build: ISO 8601, UTC. It is
            an option of the output, since the build argument ``SOURCE_DATE_EPOCH`` is a part of each step: images with
            other times would share no step.
    """
    epoch = int(datetime.datetime.fromisoformat(created).timestamp())
    if engine.containerd_store:
        store = f"type=image,compression={compression},force-compression=true,oci-mediatypes=true,unpack=true"
    else:
        store = "type=docker"
    return f"{store},source-date-epoch={epoch}"


def of_images(
    project: Project,
    images: Iterable[tuple[Image, Recipe]],
    base_images: Mapping[str, LocalImage],
    engine: Engine,
    compression: Compression = "zstd",
) -> dict[str, Any]:
    """Return the overrides of images that are exported.

    Args:
        project: The checkout.
        images: Each image and its recipe.
        base_images: Name → base image in the engine.
        engine: The engine.
        compression: That of their layers.

    Returns:
        Bake target → overrides.
    """
    return {
        image.target: _of_image(project, image, recipe, base_images[image.variant.base_image_name], compression)
        | {"output": [output(engine, created=image.lock.newest, compression=compression)]}
        for image, recipe in images
    }


def _of_image(
    project: Project, image: Image, recipe: Recipe, base: LocalImage, compression: Compression
) -> dict[str, Any]:
    variant = image.variant
    labels = {
        "org.opencontainers.image.base.name": base.reference,
        "org.opencontainers.image.base.digest": base.id,
        f"{LABEL}.recipe": recipe.digest,
    }
    tags = [reference_of(variant.repository, recipe)]
    if compression == "gzip":
        tags.append(marker(variant.repository, recipe))
    if variant.stand_in is None:
        tags.append(f"{variant.repository}:latest")
    else:
        labels = image_labels(image, project.matrix.project) | labels  # its Dockerfile has those of its own base
    return {
        "labels": labels,
        "tags": tags,
        "contexts": stand_in_contexts(image),
    }


def of_stages(image: Image) -> dict[str, Any]:
    """Return the overrides of an image of which only the stages are built."""
    return {"contexts": stand_in_contexts(image), "output": ["type=cacheonly"]}


def of_base_images(new: Iterable[BaseImage], engine: Engine) -> dict[str, Any]:
    """Return the overrides of base images that are built: bake target → overrides."""
    return {
        base.target: {
            "tags": [base.reference],
            "labels": {f"{LABEL}.recipe": base.recipe.digest, f"{LABEL}.base": base.name},
            "output": [output(engine)],
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
