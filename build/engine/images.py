"""Images in the engine: under which recipe each was built, and what they weigh."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors

from build.images.labels import LABEL
from build.images.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class LocalImage:
    """One image in the engine's store."""

    reference: str
    #: The engine's id: the manifest's digest (containerd store) or the configuration's (classic store).
    id: str
    recipe: str | None
    #: Uncompressed bytes of all layers.
    size: int
    #: Uncompressed digests of the layers (diff ids), lowest first, each with its bytes (None: not known).
    layers: tuple[tuple[str, int | None], ...]
    labels: tuple[tuple[str, str], ...]
    #: A digest of the user, the command, the folder and the environment, but for the variables about GPUs.
    settings: str = ""


def reference_of(repository: str, recipe: Recipe) -> str:
    """Return the reference that an image of this recipe has in the engine: ``azureml/sklearn-…:recipe-…``."""
    return f"{repository}:{recipe.tag}"


def find(client: docker.DockerClient, reference: str) -> LocalImage | None:
    """Return the image of this reference, or None where the engine does not have it.

    Args:
        client: The engine's client.
        reference: ``azureml/sklearn-…:recipe-…`` or an id.
    """
    try:
        image = client.images.get(reference)
        attributes: dict[str, Any] = image.attrs
        history: list[dict[str, Any]] = image.history()
    except docker.errors.ImageNotFound:
        return None
    labels = (attributes.get("Config") or {}).get("Labels") or {}
    diff_ids = list((attributes.get("RootFS") or {}).get("Layers") or ())
    sizes: list[int | None] = [entry["Size"] for entry in reversed(history) if entry["Size"]]
    if len(sizes) != len(diff_ids):  # an empty layer, or an engine that reports otherwise
        sizes = [None] * len(diff_ids)
    return LocalImage(
        reference=reference,
        id=attributes["Id"],
        recipe=labels.get(f"{LABEL}.recipe"),
        size=sum(size or 0 for size in sizes) or int(attributes.get("Size") or 0),
        layers=tuple(zip(diff_ids, sizes, strict=True)),
        labels=tuple(sorted(labels.items())),
        settings=_settings(attributes.get("Config") or {}),
    )


def _settings(config: dict[str, Any]) -> str:
    environment = sorted(each for each in config.get("Env") or () if not each.startswith(("NVIDIA_", "CUDA_")))
    others = [config.get(key) for key in ("User", "Cmd", "Entrypoint", "WorkingDir")]
    return hashlib.sha256(json.dumps([environment, *others]).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Weight:
    """The bytes and layers of one image among others: those that it shares with another, and its own."""

    shared: int
    own: int
    shared_layers: int
    own_layers: int


def weights(images: Sequence[LocalImage]) -> list[Weight]:
    """Split each image's bytes into those of layers that another image has too, and those of its own layers."""
    uses = Counter(digest for image in images for digest in {digest for digest, _ in image.layers})
    result = []
    for image in images:
        shared = [(digest, size or 0) for digest, size in image.layers if uses[digest] > 1]
        own = [(digest, size or 0) for digest, size in image.layers if uses[digest] == 1]
        result.append(
            Weight(
                shared=sum(size for _, size in shared),
                own=sum(size for _, size in own),
                shared_layers=len(shared),
                own_layers=len(own),
            )
        )
    return result


def unique_bytes(images: Sequence[LocalImage]) -> int:
    """Return the uncompressed bytes of all layers of these images, each layer counted once."""
    return sum({digest: size or 0 for image in images for digest, size in image.layers}.values())
