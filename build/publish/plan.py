"""What the registry has of each image, and so what is left to do.  Reads in the registry and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from build.publish.publication import Publication, Published, Status
from build.registry.client import Client
from build.registry.manifests import Manifest
from build.registry.tags import LATEST, dated
from build.system.parallel import run_parallel


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the registry has of an image, and what this run did."""

    item: Publication
    #: All tags of the repository.
    tags: tuple[str, ...]
    #: The manifest that ``latest`` points to, to be able to move it back.
    latest: Manifest | None
    #: The digest that the recipe's tag points to; None: must be pushed.
    digest: str | None
    #: The newest immutable tag, where it points to that digest.
    dated: str | None = None
    bytes_sent: int = 0
    pushed: bool = False
    #: Seconds of the push.
    seconds: float = 0.0

    @property
    def is_current(self) -> bool:
        """Whether nothing has to be done: the newest tags point to the image already."""
        if self.digest is None or not self.item.rolling:
            return self.dated is not None
        return self.latest is not None and self.latest.digest == self.digest

    def date_tag(self, tag: str) -> str:
        """The form of the run's immutable tag for this image."""
        return f"{tag}-{self.item.stand_in}" if self.item.stand_in else tag


def plan_all(remote: Client, items: Sequence[Publication]) -> list[Plan]:
    """Ask the registry about all images, several at a time.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    return run_parallel(lambda item: _plan(remote, item), items)


def _plan(remote: Client, item: Publication) -> Plan:
    latest = remote.digest(item.repository, LATEST)
    digest = remote.digest(item.repository, item.recipe_tag)
    tags = tuple(remote.tags(item.repository))
    newest = next((each.tag for each in dated(tags) if each.stand_in == (item.stand_in or "")), None)
    is_dated = digest is not None and newest is not None and remote.digest(item.repository, newest) == digest
    return Plan(
        item=item,
        tags=tags,
        latest=remote.manifest(item.repository, latest) if latest else None,
        digest=digest,
        dated=newest if is_dated else None,
    )


def results(remote: Client, plans: Sequence[Plan], new_tag: str) -> list[Published]:
    """Report what was done.

    Args:
        remote: The registry, which is asked for sizes.
        plans: The finished plans.
        new_tag: The immutable tag of the run.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    return run_parallel(lambda plan: _result(remote, plan, new_tag), plans)


def _result(remote: Client, plan: Plan, new_tag: str) -> Published:
    item, digest = plan.item, str(plan.digest)
    dated_tag = plan.dated if plan.is_current else plan.date_tag(new_tag)
    tags = [item.recipe_tag, *([dated_tag] if dated_tag else []), *([LATEST] if item.rolling else [])]
    status: Status = "published" if plan.pushed else "already published" if plan.is_current else "moved"
    is_latest = plan.latest is not None and plan.latest.digest == digest
    manifest = plan.latest if plan.latest and is_latest else remote.manifest(item.repository, digest)
    return Published(
        name=item.name,
        repository=f"{remote.registry.host}/{remote.registry.repository(item.repository)}",
        tags=tuple(tags),
        pull_tag=dated_tag or tags[-1],
        digest=digest,
        size=remote.size(item.repository, manifest),
        bytes_sent=plan.bytes_sent,
        status=status,
        seconds=plan.seconds,
    )
