"""Publishing: images are pushed under their recipe; then a release is recorded; then the tags move, ``latest`` last.

A push that fails leaves at most recipe tags, which the next run finds and does not send again. A run that ends between
the record and the last tag leaves a release that is not finished: the next run, of any images, finishes it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from docker import DockerClient

from build.errors import RegistryError
from build.publish import release as releases
from build.publish import status
from build.publish.bases import BasesOf, PushedBase, push_bases
from build.publish.documents import attach_documents
from build.publish.foundations import attach_results
from build.publish.lock import current_holder
from build.publish.make_release import make_release, write_tags
from build.publish.origin import Origin
from build.publish.plan import Plan, plan_all
from build.publish.publication import Publication, Published
from build.publish.push import Progress
from build.publish.push_missing import check_missing, push_missing
from build.publish.records import Family
from build.publish.run import PublishRun
from build.publish.tag_moves import nothing_moved
from build.publish.targets import Rules, Target
from build.registry.address import Registry
from build.registry.client import Client


def publish(
    items: Sequence[Publication],
    registry: Registry,
    client: DockerClient,
    today: datetime.date | None = None,
    *,
    origin: Origin,
    rules: Rules | None = None,
    progress: Progress | None = None,
    bases: BasesOf | None = None,
    ends: Mapping[str, datetime.date] | None = None,
) -> list[Published]:
    """Push images, record a release and move the tags, all of them or none.

    An image is not pushed where the registry has one of the same recipe, even if the digests differ.
    Immutable tags and recipe tags are never overwritten. Images of the last release that are not among ``items`` are
    carried over to the new one. A release that an earlier run did not finish is finished.

    Args:
        items: The images; all are in the engine.
        registry: The registry to publish to.
        client: The engine.
        today: The day in the number of the release (UTC); None: the day by the registry's clock, which all runs share.
        origin: This run.
        rules: What a person allows.
        progress: Called while an image is pushed.
        bases: The bases of the images, which are published too.
        ends: Repository → the day (UTC) from which its images get no fixes any more. It is attached to those of the
            release that have ended.

    Returns:
        The result for each image, in the order of ``items``: what was read back from the registry.

    Raises:
        RegistryError: The registry is not there, refuses, or stopped answering; another run publishes; or the images
            are older than the published ones. The details say what the run left.
        EngineError: The engine stopped answering, or an image is not in it.
    """
    if not items:
        return []
    with Client(registry) as remote:
        run = PublishRun(remote=remote, origin=origin, today=today, rules=rules or Rules())
        repository = _records_of(items)
        family = run.family(repository)
        status.warn_if_interrupted(remote, family, origin.clone, without=run.rules.without_records)
        plans, pushed_bases = _push(run, family, items, client, progress, bases, records=repository)
        return make_release(run, family, plans, pushed_bases, ends or {})


def push_untagged(
    items: Sequence[Publication],
    registry: Registry,
    client: DockerClient,
    *,
    origin: Origin,
    rules: Rules,
    progress: Progress | None = None,
    bases: BasesOf | None = None,
) -> list[Plan]:
    """Push images under their recipes, with their documents; no release is recorded, and no other tag is written.

    `move_tags` does the rest, when several runs have pushed their parts of a family.

    Args:
        items: The images; all are in the engine.
        registry: The registry.
        client: The engine.
        origin: This run.
        rules: What a person allows.
        progress: Called while an image is pushed.
        bases: The bases of the images; the results of the tests that images share are attached to those that the
            registry has.

    Returns:
        What was done for each image, in the order of ``items``.

    Raises:
        RegistryError: The registry is not there, refuses, or stopped answering; or the images are older than the
            published ones.
        EngineError: The engine stopped answering, or an image is not in it.
    """
    if not items:
        return []
    with Client(registry) as remote:
        run = PublishRun(remote=remote, origin=origin, today=None, rules=rules)
        plans, _ = _push(run, run.family(_records_of(items)), items, client, progress, bases)
        return plans


def move_tags(
    items: Sequence[Publication],
    registry: Registry,
    *,
    origin: Origin,
    rules: Rules,
    ends: Mapping[str, datetime.date],
) -> list[Published]:
    """Record a release of images that the registry has under their recipes, and move the tags; no engine is needed.

    Args:
        items: The images.
        registry: The registry.
        origin: This run.
        rules: What a person allows.
        ends: As of `publish`.

    Returns:
        The result for each image, in the order of ``items``: what was read back from the registry.

    Raises:
        RegistryError: The registry lacks one of the images, is not there, refuses, or stopped answering; another run
            publishes; or the images are older than the published ones. The details say what the run left.
    """
    if not items:
        return []
    with Client(registry) as remote:
        run = PublishRun(remote=remote, origin=origin, today=None, rules=rules)
        family = run.family(_records_of(items))
        status.warn_if_interrupted(remote, family, origin.clone, without=rules.without_records)
        plans = plan_all(remote, items, family.release)
        if missing := [plan.item for plan in plans if plan.digest is None]:
            raise RegistryError(
                f"the registry {registry.host} does not have {', '.join(item.name for item in missing)}",
                where=registry.reference(missing[0].repository, missing[0].recipe_tag),
                fix="push the images first: nox -s pipeline -- --no-tags",
                details="no tag was moved",
            )
        run.check_age(family, plans)
        return make_release(run, family, plans, [], ends)


def finish(registry: Registry, namespace: str, *, origin: Origin, rules: Rules) -> Target | None:
    """Finish the last release, if a run that wrote its record was interrupted before it moved all tags.

    If a tag cannot be moved back, or an image is gone, that is a new release with what the registry has.

    Args:
        registry: The registry.
        namespace: The namespace of the matrix.
        origin: This run.
        rules: What a person allows.

    Returns:
        What was done; None if the release was finished already, or another run publishes now.

    Raises:
        RegistryError: The registry is not there, refuses, or stopped answering. The details say what the run left.
    """
    repository = releases.repository_of(namespace)
    with Client(registry) as remote:
        run = PublishRun(remote=remote, origin=origin, today=None, rules=rules)
        holder = current_holder(remote, repository)
        if (holder and holder.clone != origin.clone) or not run.family(repository).differences:
            return None
        _, target, _ = write_tags(run, repository, [], [])
        return None if target.is_done else target


def _records_of(items: Sequence[Publication]) -> str:
    """The repository of the records, in the namespace of the images."""
    return releases.repository_of(items[0].repository.partition("/")[0])


def _push(
    run: PublishRun,
    family: Family,
    items: Sequence[Publication],
    client: DockerClient,
    progress: Progress | None,
    bases: BasesOf | None,
    *,
    records: str | None = None,
) -> tuple[list[Plan], list[PushedBase]]:
    """Push images under their recipes, with their documents.

    Args:
        run: This publish.
        family: The last release.
        items: The images.
        client: The engine.
        progress: Called while an image is pushed.
        bases: The bases of the images.
        records: For a release: the repository of the records. Only for a release the bases are pushed too.

    Returns:
        What was done for each image, and the bases whose tags are to be written.
    """
    remote = run.remote
    plans = plan_all(remote, items, family.release)
    run.check_age(family, plans)
    check_missing(plans, remote, client, *([records] if records else []))
    with nothing_moved(plans):
        pushed_bases = push_bases(bases, remote, client, progress) if bases and records else []
        push_missing(plans, remote, client, progress)
        if bases:
            attach_results(bases, pushed_bases, remote)
        attach_documents(plans, remote, run.origin.commit)
    return plans, pushed_bases
