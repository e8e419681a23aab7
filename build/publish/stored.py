"""What an image in a registry is: whether it can be pulled, and of which recipe it is.  Reads the registry."""

from __future__ import annotations

import json
from dataclasses import dataclass

from build.images.labels import LABEL
from build.publish.release import ReleasedImage
from build.registry.client import Client
from build.registry.contents import Contents
from build.registry.known_blobs import KnownBlobs
from build.registry.manifests import Manifest, config_of, named_blobs


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image in a registry."""

    manifest: Manifest
    #: False for an index and for what is no image at all.
    is_image: bool
    #: The digests of its blobs that the registry does not have.
    missing: tuple[str, ...]
    #: The whole recipe that its label names; None if it names none.
    recipe: str | None

    @property
    def config(self) -> str | None:
        """The digest of its configuration."""
        return config_of(self.manifest)

    def is_of(self, recipe: str) -> bool:
        """Tell whether it can be pulled and is of a recipe."""
        return self.is_image and not self.missing and self.recipe == recipe


def find(
    remote: Client, repository: str, reference: str, blobs: KnownBlobs, released: ReleasedImage | None = None
) -> StoredImage | None:
    """Look at the image that a tag or a digest names; None if it is not found.

    Args:
        remote: The registry.
        repository: As the matrix names it.
        reference: A tag or a digest.
        blobs: What is known of the registry's blobs.
        released: An image of a release, whose record names its recipe: its label need not be read.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    manifest = remote.find_manifest(repository, reference)
    if manifest is None:
        return None
    is_image = named_blobs(manifest) is not None
    missing = blobs.missing(repository, manifest)
    recipe: str | None = None
    if released and released.digest == manifest.digest:
        recipe = released.recipe
    elif is_image and not missing:
        recipe = recipe_of(remote, repository, manifest)
    return StoredImage(manifest=manifest, is_image=is_image, missing=missing, recipe=recipe)


def recipe_of(remote: Contents, repository: str, manifest: Manifest) -> str | None:
    """Return the whole recipe that an image's label names; None if it names none, or is no image.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    config = config_of(manifest)
    content = remote.find_blob(repository, config) if config else None
    try:
        recipe = json.loads(content or b"")["config"]["Labels"][f"{LABEL}.recipe"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return recipe if isinstance(recipe, str) else None
