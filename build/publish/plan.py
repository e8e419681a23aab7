"""What the registry has of each image, and so what is left to do.  Reads in the registry and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from build.publish.publication import Publication
from build.publish.release import Commit, ReleasedImage
from build.registry.client import Client
from build.registry.known_layers import KnownLayers
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


def plan_all(remote: Client, items: Sequence[Publication]) -> list[Plan]:
    """Ask the registry about all images, several at a time.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    layers = KnownLayers(remote)
    return run_parallel(lambda item: _plan(remote, item, layers), items)


def _plan(remote: Client, item: Publication, layers: KnownLayers) -> Plan:
    there = remote.find_manifest(item.repository, item.recipe_tag)
    # An image without all of its layers cannot be pulled: it is pushed again.
    is_whole = there is not None and not layers.missing(item.repository, there)
    return Plan(
        item=item,
        latest=remote.find_manifest(item.repository, LATEST),
        digest=there.digest if there is not None and is_whole else None,
    )


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
