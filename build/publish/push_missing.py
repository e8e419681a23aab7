"""Push the images that the registry does not have, each under its recipe."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from docker import DockerClient

from build.errors import RegistryError
from build.publish import stored as stored_images
from build.publish.mounts import Layers
from build.publish.plan import Plan
from build.publish.publication import Publication
from build.publish.push import Progress, local_image, push
from build.publish.writes import Writes
from build.registry.client import Client
from build.registry.known_blobs import KnownBlobs
from build.system.parallel import run_parallel


def check_missing(plans: Sequence[Plan], remote: Client, client: DockerClient, *repositories: str) -> None:
    """Check that the engine has the images that must be pushed, and that the login may push them."""
    missing = [plan for plan in plans if plan.digest is None]
    for plan in missing:
        local_image(client, plan.item.upload)
    if missing:
        run_parallel(remote.check_push, [*repositories, *(plan.item.repository for plan in missing)])


def push_missing(plans: list[Plan], remote: Client, client: DockerClient, progress: Progress | None) -> None:
    """Push what is missing; the digests are written into ``plans``, where a failure finds what was done."""
    layers = Layers(remote, plans)
    writes = Writes(remote)
    # One after the other: the engine sends five layers of an image at a time anyway, and a layer that two images
    # share is in the registry before the second asks for it.
    for number, plan in enumerate(plans):
        if plan.digest is not None:
            continue
        started = time.monotonic()
        if _tag_pushed(plan.item, remote, writes):
            plans[number] = replace(plan, digest=plan.item.pushed, pushed=True, seconds=time.monotonic() - started)
            continue
        image = local_image(client, plan.item.upload)
        layers.mount(plan.item.repository, image)
        sent = push(plan.item.upload, image, remote, client, progress)
        digest = remote.digest(plan.item.repository, plan.item.recipe_tag)
        if digest is None:
            raise RegistryError(
                f"the registry {remote.registry.host} accepted {plan.item.name}, but does not have it",
                where=remote.registry.reference(plan.item.repository, plan.item.recipe_tag),
                fix="publish again; look at the registry's own log",
            )
        blobs = remote.blobs(plan.item.repository, remote.manifest(plan.item.repository, digest))
        plans[number] = replace(
            plan,
            digest=digest,
            bytes_sent=sum(
                blob.size for blob in blobs if sent(blob) and not layers.were_there(plan.item.repository, blob)
            ),
            pushed=True,
            seconds=time.monotonic() - started,
        )
        layers.add(plan.item.repository, blobs)


def _tag_pushed(item: Publication, remote: Client, writes: Writes) -> bool:
    """Give an image that the builder pushed its recipe's tag; False if it pushed none, or the registry lost it."""
    if not item.pushed:
        return False
    stored = stored_images.find(remote, item.repository, item.pushed, KnownBlobs(remote))
    if stored is None or not stored.is_of(item.recipe):
        return False
    writes.put(item.repository, item.recipe_tag, stored.manifest)
    return True
