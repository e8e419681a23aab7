"""The compression of the layers that a registry gets: a choice of the matrix for each registry.

It determines manifests, and neither recipes nor the layers' content. The engine does not tell how the layers of an
image are compressed: a tag of the engine marks the images with gzip layers.

Effects: ``fits`` asks the engine, ``note`` moves a tag in it.
"""

from __future__ import annotations

import contextlib

import docker
import docker.errors

from build.engine.built import BuiltImage
from build.engine.images import reference_of
from build.engine.model import Engine
from build.images.recipe import Recipe
from build.matrix.model import Matrix
from build.matrix.values import Compression
from build.registry.address import Registry

_GZIP = "gzip"
#: For registries that the matrix does not name.
DEFAULT: Compression = "zstd"


def chosen(matrix: Matrix, registry: Registry) -> Compression:
    """Return the compression for a registry: that of the matrix, else zstd."""
    return named(matrix, registry) or DEFAULT


def named(matrix: Matrix, registry: Registry) -> Compression | None:
    """Return the compression that the matrix chooses for a registry; None if no entry names the registry.

    Args:
        matrix: The matrix.
        registry: The registry. Of several entries the longest counts: ``host/team`` before ``host``.
    """
    parts = f"{registry.host}/{registry.namespace or matrix.project.namespace}".split("/")
    entries = matrix.project.compression
    names = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((entries[name] for name in names if name in entries), None)


def marker(repository: str, recipe: Recipe) -> str:
    """Return the tag of the engine that an image has next to its own if its layers are gzip."""
    return f"{reference_of(repository, recipe)}-{_GZIP}"


def fits(client: docker.DockerClient, engine: Engine, built: BuiltImage, compression: Compression) -> bool:
    """Tell whether an image in the engine is pushed with the chosen compression.

    Args:
        client: The engine's client.
        engine: The engine. The classic image store compresses only while it pushes, always with gzip.
        built: The image.
        compression: The choice.
    """
    if not engine.containerd_store:
        return True
    try:
        marked = client.images.get(marker(built.image.variant.repository, built.recipe)).id
    except docker.errors.ImageNotFound:
        marked = None
    is_gzip = bool(marked == built.local.id)
    return is_gzip == (compression == _GZIP)


def note(
    client: docker.DockerClient, repository: str, recipe_tag: str, image_id: str, compression: Compression
) -> None:
    """Note that an image in the engine is the one for registries with a compression.

    Args:
        client: The engine's client.
        repository: The image's, in the engine.
        recipe_tag: Its tag there.
        image_id: The image.
        compression: The choice for the registry that has this very image: whatever it is compressed with, that stays.
    """
    tag = f"{recipe_tag}-{_GZIP}"
    if compression == _GZIP:
        client.images.get(image_id).tag(repository, tag=tag)
        return
    with contextlib.suppress(docker.errors.ImageNotFound):
        if client.images.get(f"{repository}:{tag}").id == image_id:
            client.images.remove(f"{repository}:{tag}", noprune=True)
