"""The pull of an image from a registry by the engine."""

from __future__ import annotations

import contextlib

import requests
from docker import DockerClient
from docker.errors import DockerException
from docker.models.images import Image

from build.errors import RegistryError
from build.registry.address import Registry
from build.registry.credentials import credentials


def pull(client: DockerClient, registry: Registry, repository: str, digest: str, *, tag: str) -> Image:
    """Pull an image, and give it the name in the engine that it would have after a build.

    Args:
        client: The engine.
        registry: The registry.
        repository: As the matrix names it.
        digest: Of the image's manifest.
        tag: Its tag in the engine.

    Raises:
        RegistryError: The engine cannot pull it.
    """
    where = f"{registry.host}/{registry.repository(repository)}"
    login = credentials(registry)
    try:
        image = client.images.pull(where, tag=digest, auth_config=login.for_engine() if login else None)
        image.tag(repository, tag=tag)
    except (DockerException, requests.RequestException) as failure:
        raise RegistryError(
            f"the engine cannot pull {repository}", where=f"{where}@{digest}", details=str(failure)
        ) from failure
    finally:
        # The name was for the pull alone; left there, it would keep the image for ever.
        with contextlib.suppress(DockerException, requests.RequestException):
            client.images.remove(f"{where}@{digest}", noprune=True)
    return image
