"""Layers that the registry has in other repositories are mounted, not sent."""

from __future__ import annotations

from collections.abc import Sequence

from docker.models.images import Image

from build.publish.plan import Plan
from build.registry.client import Client
from build.registry.manifests import Blob


class Layers:
    """Which layers the registry has in this run's repositories, by what the engine calls them (diff ids).

    The engine mounts a layer from another repository only where it has pushed it there itself: a fresh
    machine has not.
    """

    def __init__(self, remote: Client, plans: Sequence[Plan]) -> None:
        self._remote = remote
        self._unread = [(plan.item.repository, plan.latest) for plan in plans if plan.latest]
        self._known: dict[str, tuple[str, str]] = {}
        self._there: set[tuple[str, str]] = set()
        self._mounts = True

    def were_there(self, repository: str, blob: Blob) -> bool:
        """Whether an image that the repository had contains the blob."""
        return (repository, blob.digest) in self._there

    def add(self, repository: str, blobs: Sequence[Blob]) -> None:
        for blob in blobs:
            self._there.add((repository, blob.digest))
            if blob.diff_id:
                self._known.setdefault(blob.diff_id, (blob.digest, repository))

    def mount(self, repository: str, image: Image) -> None:
        """Mount into ``repository`` the image's layers that other repositories have."""
        while self._unread:
            origin, manifest = self._unread.pop()
            self.add(origin, self._remote.blobs(origin, manifest))
        for diff_id in image.attrs.get("RootFS", {}).get("Layers") or []:
            digest, origin = self._known.get(diff_id, ("", repository))
            # A registry that does not mount, or not for this login, is not asked again.
            if self._mounts and origin != repository and not self._remote.has_blob(repository, digest):
                self._mounts = self._remote.mount(repository, digest, origin)
