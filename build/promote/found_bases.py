"""The root file systems that the images of a release were built on.  Reads the source and changes nothing.

Without them in the target, a clone that uses it would bootstrap bases of its own, with today's packages of Debian's
archive: its recipes would be others than those of the images.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from build.bases import rootfs_image
from build.images.recipe import Recipe, debian_packages
from build.registry.address import is_repository
from build.registry.contents import Contents
from build.registry.manifests import Manifest, config_of, layers_of
from build.system import console
from build.system.parallel import run_parallel

#: The label with the base image (OCI image specification, "Pre-Defined Annotation Keys").
_BASE_NAME = "org.opencontainers.image.base.name"
_LOCK = "lock-"


@dataclass(frozen=True, kw_only=True)
class BuiltOn:
    """What an image says of its base."""

    #: The repository of its base image: that of its base, or, with Debian's packages of CUDA on it, a longer name.
    repository: str
    #: The Debian packages of its base.
    packages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FoundBase:
    """A root file system in the source."""

    repository: str
    manifest: Manifest
    #: The tag of its content, and that of the lock.
    tags: tuple[str, ...]
    #: Its Debian packages, ``name=version``.
    packages: tuple[str, ...]


def base_of(source: Contents, repository: str, manifest: Manifest, inputs: Manifest | None) -> BuiltOn | None:
    """Read what an image says of its base; None if it does not say it, or if its base is not bootstrapped.

    Args:
        source: Where it is.
        repository: As the matrix names it.
        manifest: Of the image.
        inputs: Of the attached document with the inputs of its recipe.
    """
    if inputs is None:
        return None
    config, document = config_of(manifest), layers_of(inputs)
    labels = _json(source.find_blob(repository, config) if config else None, "config", "Labels")
    recipe = _json(source.find_blob(repository, document[0]) if document else None)
    try:
        packages = debian_packages(Recipe(inputs=recipe))
        name = str(labels[_BASE_NAME]).rpartition(":")[0]
    except (KeyError, TypeError):
        return None
    return BuiltOn(repository=name, packages=packages) if packages else None


def find_bases(
    source: Contents, wanted: Collection[BuiltOn], namespace: str, base_names: Iterable[str]
) -> list[FoundBase]:
    """Find the root file systems of images; one that the source does not have is a warning.

    Args:
        source: Where they are.
        wanted: What the images say.
        namespace: The namespace of the matrix.
        base_names: The bases of the matrix.
    """
    bases = [rootfs_image.repository_of(namespace, name) for name in base_names]
    found: list[FoundBase] = []
    for each in sorted(wanted, key=lambda each: (each.repository, each.packages)):
        if not (each.repository.startswith(f"{namespace}/") and is_repository(each.repository)):
            continue  # a label must not decide that another repository is written
        names = {each.repository, *(name for name in bases if each.repository.startswith(f"{name}-"))}
        of_each = [base for name in sorted(names) for base in _in_repository(source, name, each.packages)]
        if not of_each:
            console.warn(
                f"{source.reference(each.repository, _LOCK)}… does not exist: a clone that uses the target will "
                "bootstrap this base, and may build its images again"
            )
        found += of_each
    return list({(base.repository, base.manifest.digest): base for base in found}.values())


def _in_repository(source: Contents, repository: str, packages: tuple[str, ...]) -> list[FoundBase]:
    """The root file systems with given packages; there is one for each lock."""
    tags = source.tags(repository)
    locks = sorted(tag for tag in tags if tag.startswith(_LOCK))
    read = run_parallel(lambda tag: _read(source, repository, tag), locks)
    found = []
    for manifest, image in filter(None, read):
        if image.packages == packages:
            both = (image.content_tag, image.tag)  # in the order in which `publish` writes them
            found.append(
                FoundBase(
                    repository=repository,
                    manifest=manifest,
                    tags=tuple(tag for tag in both if tag in tags),
                    packages=packages,
                )
            )
    return found


def _read(source: Contents, repository: str, tag: str) -> tuple[Manifest, rootfs_image.RootfsImage] | None:
    manifest = source.find_manifest(repository, tag)
    image = image_of(source, repository, manifest) if manifest else None
    return (manifest, image) if manifest and image and image.tag == tag else None


def image_of(source: Contents, repository: str, manifest: Manifest) -> rootfs_image.RootfsImage | None:
    """Read what the image of a root file system says of itself; None for another image."""
    config = config_of(manifest)
    return rootfs_image.from_config(_json(source.find_blob(repository, config) if config else None))


def _json(content: bytes | None, *keys: str) -> Any:
    try:
        document = json.loads(content or b"null")
        for key in keys:
            document = document[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return document
