"""What the registry has of each image, and so what is left to do.  Reads in the registry and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from build.publish import stored as stored_images
from build.publish.publication import Publication
from build.publish.release import Commit, Release, ReleasedImage
from build.registry.client import Client
from build.registry.known_blobs import KnownBlobs
from build.registry.manifests import Manifest
from build.registry.tags import LATEST
from build.system.parallel import run_parallel


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the registry has of an image, and what this run did."""

    item: Publication
    #: The manifest that ``latest`` pointed to before this run.
    latest: Manifest | None
    #: The digest that the recipe's tag points to; None: must be pushed.
    digest: str | None
    bytes_sent: int = 0
    pushed: bool = False
    #: Seconds of the push.
    seconds: float = 0.0

    def released(self, commit: Commit) -> ReleasedImage:
        """The image in a release; it is in the registry.

        Args:
            commit: The commit of this run.
        """
        assert self.digest is not None  # all were pushed
        return ReleasedImage(
            name=self.item.name,
            repository=self.item.repository,
            stand_in=self.item.stand_in or "",
            digest=self.digest,
            recipe=self.item.recipe,
            commit=commit,
        )


def plan_all(remote: Client, items: Sequence[Publication], release: Release | None = None) -> list[Plan]:
    """Ask the registry about all images, several at a time.

    Args:
        remote: The registry.
        items: The images.
        release: The last release.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    blobs = KnownBlobs(remote)
    return run_parallel(lambda item: _plan(remote, item, release, blobs), items)


def _plan(remote: Client, item: Publication, release: Release | None, blobs: KnownBlobs) -> Plan:
    return Plan(
        item=item,
        latest=remote.find_manifest(item.repository, LATEST),
        digest=_digest(remote, item, release, blobs),
    )


def _digest(remote: Client, item: Publication, release: Release | None, blobs: KnownBlobs) -> str | None:
    """Return the digest of the image of a recipe: that of the last release, or else what the recipe's tag is on.

    What cannot be pulled, and what somebody put under the tag that is of another recipe, does not count: it is pushed
    again.
    """
    released = release.image((item.name, item.stand_in or "")) if release else None
    references = [released.digest] if released and released.recipe == item.recipe else []
    for reference in (*references, item.recipe_tag):
        stored = stored_images.find(remote, item.repository, reference, blobs, released)
        if stored and stored.is_of(item.recipe):
            return stored.manifest.digest
    return None


def sizes(remote: Client, plans: Sequence[Plan]) -> list[int]:
    """Add up the bytes of each image, which is in the registry.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    return run_parallel(lambda plan: _size(remote, plan), plans)


def _size(remote: Client, plan: Plan) -> int:
    repository, digest = plan.item.repository, str(plan.digest)
    manifest = plan.latest if plan.latest and plan.latest.digest == digest else remote.manifest(repository, digest)
    return remote.size(repository, manifest)
