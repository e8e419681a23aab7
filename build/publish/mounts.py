"""Layers that the registry has in another repository are mounted from there, not sent."""

from __future__ import annotations

from collections.abc import Sequence

from docker.models.images import Image

from build.publish.plan import Plan
from build.registry.client import Client
from build.registry.manifests import Blob
from build.system.parallel import run_parallel


class Layers:
    """The layers that the registry has in this run's repositories, by the engine's names for them (diff ids).

    The engine itself mounts a layer from another repository only where it pushed the layer there. A fresh machine never
    did.

    Args:
        remote: The registry.
        plans: The plans of this run, whose ``latest`` images are searched.
    """

    def __init__(self, remote: Client, plans: Sequence[Plan]) -> None:
        self._remote = remote
        self._unread = [(plan.item.repository, plan.latest) for plan in plans if plan.latest]
        self._known: dict[str, tuple[str, str]] = {}
        #: Repository and digest of each blob in an image that the registry had.
        self._stored: set[tuple[str, str]] = set()
        #: A registry that does not mount, or not for this login, is not asked again.
        self._may_mount = True

    def were_there(self, repository: str, blob: Blob) -> bool:
        """Tell whether an image that the repository had contains the blob."""
        return (repository, blob.digest) in self._stored

    def add(self, repository: str, blobs: Sequence[Blob]) -> None:
        """Note the blobs of an image in a repository."""
        for blob in blobs:
            self._stored.add((repository, blob.digest))
            if blob.diff_id:
                self._known.setdefault(blob.diff_id, (blob.digest, repository))

    def mount(self, repository: str, image: Image) -> None:
        """Mount into ``repository`` the image's layers that other repositories have."""
        unread, self._unread = self._unread, []
        found = run_parallel(lambda each: self._remote.blobs(*each), unread)
        for (origin, _), blobs in zip(unread, found, strict=True):
            self.add(origin, blobs)
        for diff_id in image.attrs.get("RootFS", {}).get("Layers") or []:
            digest, origin = self._known.get(diff_id, ("", repository))
            if self._may_mount and origin != repository and not self._remote.has_blob(repository, digest):
                self._may_mount = self._remote.mount(repository, digest, origin)
