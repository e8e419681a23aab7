"""The compression of the layers that a registry gets: a choice of the matrix for each registry.

It determines manifests, and neither recipes nor the layers' content. The engine does not tell how the layers of an
image are compressed: a tag of the engine marks the images with gzip layers, another one those that a registry has.

Effects: ``fits`` asks the engine, ``note`` and ``note_present`` move tags in it.
"""

from __future__ import annotations

import hashlib

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


def fits(
    client: docker.DockerClient, engine: Engine, built: BuiltImage, compression: Compression, registry: Registry
) -> bool:
    """Tell whether an image in the engine is the one for a registry.

    Args:
        client: The engine's client.
        engine: The engine. The classic image store compresses only while it pushes, always with gzip.
        built: The image.
        compression: The choice for the registry.
        registry: The registry. If it has this very image, that stays, whatever it is compressed with.
    """
    if not engine.containerd_store:
        return True
    repository, recipe_tag, image_id = built.image.variant.repository, built.recipe.tag, built.local.id
    if _is_tagged(client, _present(repository, recipe_tag, registry), image_id):
        return True
    return _is_tagged(client, marker(repository, built.recipe), image_id) == (compression == _GZIP)


def note(client: docker.DockerClient, repository: str, recipe_tag: str, image_id: str, found: str) -> None:
    """Note how the layers of an image in the engine are compressed.

    Args:
        client: The engine's client.
        repository: The image's, in the engine.
        recipe_tag: Its tag there.
        image_id: The image.
        found: As its manifest in a registry says: ``gzip``, ``zstd``, ``gzip and zstd``; nothing if that is not known.
    """
    tag = f"{recipe_tag}-{_GZIP}"
    if found == _GZIP:
        client.images.get(image_id).tag(repository, tag=tag)
    elif found and _is_tagged(client, f"{repository}:{tag}", image_id):
        client.images.remove(f"{repository}:{tag}", noprune=True)


def note_present(
    client: docker.DockerClient, repository: str, recipe_tag: str, image_id: str, registry: Registry
) -> None:
    """Note that a registry has the very image that the engine has: it is not made again for this registry.

    Args:
        client: The engine's client.
        repository: The image's, in the engine.
        recipe_tag: Its tag there.
        image_id: The image.
        registry: The registry.
    """
    tag = _present(repository, recipe_tag, registry).rpartition(":")[2]
    client.images.get(image_id).tag(repository, tag=tag)


def _present(repository: str, recipe_tag: str, registry: Registry) -> str:
    """Return the tag of the engine on the image that a registry has; a tag cannot have the address itself."""
    place = hashlib.sha256(f"{registry.host}/{registry.repository(repository)}".encode()).hexdigest()
    return f"{repository}:{recipe_tag}-in-{place[:12]}"


def _is_tagged(client: docker.DockerClient, reference: str, image_id: str) -> bool:
    try:
        return bool(client.images.get(reference).id == image_id)
    except docker.errors.ImageNotFound:
        return False
