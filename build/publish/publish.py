"""Publishing: images are pushed under their recipe first; only when all are there do tags move, ``latest`` last.

So a registry never shows a family of which only a part is new: a push that fails leaves at most recipe tags, which the
next run finds and does not send again.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import replace

from docker import DockerClient

from build.errors import RegistryError
from build.publish.mounts import Layers
from build.publish.plan import Plan, plan_all, results
from build.publish.publication import Publication, Published
from build.publish.push import Progress, local_image, push
from build.publish.report_attachments import attach_reports
from build.publish.tag_moves import move_latest, nothing_moved, put_date_tags
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.tags import date_tag


def publish(
    items: Sequence[Publication],
    registry: Registry,
    client: DockerClient,
    today: datetime.date,
    *,
    progress: Progress | None = None,
) -> list[Published]:
    """Push images and move their tags, all of them or none.

    An image is not pushed where the registry has one of the same recipe, even if the digests differ.
    Immutable tags and recipe tags are never overwritten.

    Args:
        items: The images; all are in the engine.
        registry: The registry to publish to.
        client: The engine.
        today: The day in the immutable tag (UTC).
        progress: Called while an image is pushed.

    Returns:
        The result for each image, in the order of ``items``.

    Raises:
        RegistryError: The registry is not there, refuses, or stopped answering; the details say what the run left.
        EngineError: The engine stopped answering, or an image is not in it.
    """
    if not items:
        return []
    with Client(registry) as remote:
        plans = plan_all(remote, items)
        for plan in plans:
            if plan.digest is None:
                local_image(client, plan.item)
        with nothing_moved(plans):
            _push_missing(plans, remote, client, progress)
            attach_reports(plans, remote)
        moving = [plan for plan in plans if not plan.is_current]
        new_tag = date_tag(today, [plan.tags for plan in plans])
        if moving:
            with nothing_moved(plans):
                manifests = put_date_tags(moving, new_tag, remote)
            move_latest([plan for plan in moving if plan.item.rolling], manifests, remote)
        return results(remote, plans, new_tag)


def _push_missing(plans: list[Plan], remote: Client, client: DockerClient, progress: Progress | None) -> None:
    """Push what is missing; the digests are written into ``plans``, where a failure finds what was done."""
    layers = Layers(remote, plans)
    # One after the other: the engine sends five layers of an image at a time anyway, and a layer that two images
    # share is in the registry before the second asks for it.
    for number, plan in enumerate(plans):
        if plan.digest is not None:
            continue
        started = time.monotonic()
        image = local_image(client, plan.item)
        layers.mount(plan.item.repository, image)
        sent = push(plan.item, image, remote, client, progress)
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
