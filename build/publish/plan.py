"""What the registry has of each image, and what is left to do."""

from __future__ import annotations

from dataclasses import dataclass

from build.publish.publication import Publication, Published, Status
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import Manifest
from build.registry.tags import LATEST, dated


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the registry has of an image, and what this run found or did."""

    item: Publication
    tags: tuple[str, ...]
    #: What ``latest`` points to, to be able to move it back.
    latest: Manifest | None
    #: What the recipe's tag points to; None: must be pushed.
    digest: str | None
    bytes_sent: int = 0
    pushed: bool = False
    seconds: float = 0.0
    #: Its newest immutable tag points to it already; looked at only where no ``latest`` says so.
    dated: bool = False

    @property
    def is_current(self) -> bool:
        if self.digest is None or not self.item.rolling:
            return self.dated
        return self.latest is not None and self.latest.digest == self.digest

    def date_tag(self, tag: str) -> str:
        """Its form of the run's immutable tag."""
        return f"{tag}-{self.item.stand_in}" if self.item.stand_in else tag


def look(remote: Client, item: Publication) -> Plan:
    latest = remote.digest(item.repository, LATEST)
    digest = remote.digest(item.repository, item.recipe_tag)
    tags = tuple(remote.tags(item.repository))
    is_dated = False
    if digest is not None and not item.rolling:
        newest = next((each.tag for each in dated(tags) if each.stand_in == (item.stand_in or "")), None)
        is_dated = newest is not None and remote.digest(item.repository, newest) == digest
    return Plan(
        item=item,
        tags=tags,
        latest=remote.manifest(item.repository, latest) if latest else None,
        digest=digest,
        dated=is_dated,
    )


def result(plan: Plan, registry: Registry, new_tag: str) -> Published:
    tags = [plan.item.recipe_tag, *([] if plan.is_current else [plan.date_tag(new_tag)])]
    tags += [LATEST] if plan.item.rolling else []
    status: Status = "published" if plan.pushed else "already published" if plan.is_current else "moved"
    references = tuple(f"{registry.reference(plan.item.repository, tag)}@{plan.digest}" for tag in tags)
    return Published(
        name=plan.item.name,
        references=references,
        pull=references[-1] if plan.is_current else references[1],
        digest=str(plan.digest),
        bytes_sent=plan.bytes_sent,
        status=status,
        seconds=plan.seconds,
    )
