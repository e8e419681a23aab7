"""Which blobs of images a registry has: what is called published can be pulled.  Reads the registry."""

from __future__ import annotations

import threading

from build.registry.client import Client
from build.registry.manifests import Manifest, named_blobs


class KnownBlobs:
    """Asks for layers and configurations, each once, whichever images have it. Threads may share it.

    Args:
        remote: The registry.
    """

    def __init__(self, remote: Client) -> None:
        self._remote = remote
        self._lock = threading.Lock()
        self._there: dict[str, bool] = {}

    def missing(self, repository: str, manifest: Manifest) -> tuple[str, ...]:
        """Return the digests of an image's configuration and layers that are not in the registry.

        Args:
            repository: As the matrix names it.
            manifest: Of the image.

        Raises:
            RegistryError: The registry is not there, refuses, or fails.
        """
        return tuple(digest for digest in named_blobs(manifest) or () if not self._has(repository, digest))

    def _has(self, repository: str, digest: str) -> bool:
        with self._lock:
            known = self._there.get(digest)
        if known is None:
            known = self._remote.has_blob(repository, digest)
            with self._lock:
                self._there[digest] = known
        return known
