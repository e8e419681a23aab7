"""Publishing: images are pushed under their recipe; then a release is recorded; then the tags move, ``latest`` last.

A push that fails leaves at most recipe tags, which the next run finds and does not send again. A run that ends between
the record and the last tag leaves a release that is not finished: the next run, of any images, finishes it.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from docker import DockerClient

from build.errors import RegistryError
from build.publish import plan as plans_of
from build.publish import records, status, targets
from build.publish import release as releases
from build.publish import stored as stored_images
from build.publish.bases import BasesOf, PushedBase, push_bases, tag_bases
from build.publish.documents import attach_documents
from build.publish.ends import attach_ends, ended
from build.publish.foundations import attach_results
from build.publish.lock import Guard, NoGuard, current_holder, locked
from build.publish.mounts import Layers
from build.publish.origin import Origin
from build.publish.plan import Plan, plan_all
from build.publish.publication import Publication, Published, Status
from build.publish.push import Progress, local_image, push
from build.publish.record_write import NewRecord, write_record
from build.publish.records import Family, read_tags
from build.publish.release import Place
from build.publish.stored import recipe_of
from build.publish.tag_moves import Move, Moves, advice_about_latest, nothing_moved, unfinished
from build.publish.targets import Rules, Target
from build.publish.writes import Writes
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.known_blobs import KnownBlobs
from build.registry.manifests import Manifest
from build.registry.tags import LATEST
from build.system import console
from build.system.parallel import run_parallel


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
        run = _Run(remote=remote, origin=origin, today=today, rules=rules or Rules())
        repository = _records_of(items)
        family = run.family(repository)
        status.warn_if_interrupted(remote, family, origin.clone, without=run.rules.without_records)
        plans = plan_all(remote, items, family.release)
        run.check_age(family, plans)
        _check_missing(plans, remote, client, repository)
        with nothing_moved(plans):
            pushed_bases = push_bases(bases, remote, client, progress) if bases else []
            _push_missing(plans, remote, client, progress)
            if bases:
                attach_results(bases, pushed_bases, remote)
            attach_documents(plans, remote, origin.commit)
        return _release(run, family, plans, pushed_bases, ends or {})


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
        run = _Run(remote=remote, origin=origin, today=None, rules=rules)
        family = run.family(_records_of(items))
        plans = plan_all(remote, items, family.release)
        run.check_age(family, plans)
        _check_missing(plans, remote, client)
        with nothing_moved(plans):
            _push_missing(plans, remote, client, progress)
            if bases:
                attach_results(bases, [], remote)
            attach_documents(plans, remote, origin.commit)
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
        run = _Run(remote=remote, origin=origin, today=None, rules=rules)
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
        return _release(run, family, plans, [], ends)


def _records_of(items: Sequence[Publication]) -> str:
    """The repository of the records, in the namespace of the images."""
    return releases.repository_of(items[0].repository.partition("/")[0])


def _check_missing(plans: Sequence[Plan], remote: Client, client: DockerClient, *repositories: str) -> None:
    """Check that the engine has the images that must be pushed, and that the login may push them."""
    missing = [plan for plan in plans if plan.digest is None]
    for plan in missing:
        local_image(client, plan.item.upload)
    if missing:
        run_parallel(remote.check_push, [*repositories, *(plan.item.repository for plan in missing)])


def _release(
    run: _Run,
    family: Family,
    plans: list[Plan],
    bases: Sequence[PushedBase],
    ends: Mapping[str, datetime.date],
) -> list[Published]:
    """Record a release of images that are in the registry, move the tags, and return the result for each image."""
    remote = run.remote
    with nothing_moved(plans):
        stored = [(each.repository, each.digest) for each in (family.release.images if family.release else ())]
        stored += [(plan.item.repository, plan.digest) for plan in plans if plan.digest]
        attach_ends(remote, ended(stored, ends, run.today or remote.now().date()))
        # Before the tags move: nothing that comes after them should fail.
        sizes = plans_of.sizes(remote, plans)
    target = run.target(family, plans)
    if target.is_done and not bases:
        tags = {**family.tags, **{(plan.item.repository, plan.item.recipe_tag): plan.digest for plan in plans}}
    else:
        plans, target, tags = _move_tags(run, family.repository, plans, bases)
    return [_result(remote.registry, plan, size, target, family, tags) for plan, size in zip(plans, sizes, strict=True)]


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
        run = _Run(remote=remote, origin=origin, today=None, rules=rules)
        holder = current_holder(remote, repository)
        if (holder and holder.clone != origin.clone) or not run.family(repository).differences:
            return None
        _, target, _ = _move_tags(run, repository, [], [])
        return None if target.is_done else target


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One publish: the registry, and what decides about the release."""

    remote: Client
    origin: Origin
    today: datetime.date | None
    rules: Rules

    def family(self, repository: str) -> Family:
        return records.read(self.remote, repository, without=self.rules.without_records)

    def check_age(self, family: Family, plans: Sequence[Plan]) -> None:
        if not self.rules.allow_older:
            targets.check_age(family, plans, self.origin, str(self.remote.registry))

    def target(self, family: Family, plans: Sequence[Plan]) -> Target:
        return targets.target(family, plans, self.origin, self.today or self.remote.now().date(), self.rules)


def _move_tags(
    run: _Run, repository: str, plans: list[Plan], bases: Sequence[PushedBase]
) -> tuple[list[Plan], Target, dict[Place, str | None]]:
    """Write the tags of bases, record the release and move the tags, under the lock.

    Returns:
        The plans, the release and its tags as the registry has them then.
    """
    remote = run.remote
    writes = Writes(remote)
    with contextlib.ExitStack() as stack:
        stack.enter_context(advice_about_latest("publish", run.rules))
        with nothing_moved(plans):
            guard: Guard = NoGuard()
            if run.rules.latest:
                guard = stack.enter_context(locked(remote, repository, run.origin, writes))
            # Everything is read again: another run may have published in the meantime.
            family = run.family(repository)
            plans = run_parallel(lambda plan: _again(remote, plan), plans)
            run.check_age(family, plans)
            tag_bases(bases, remote, writes, guard)
            target = run.target(family, plans)
            _warn_of_gone(remote, family)
            target = _with_free_number(remote, target)
            moves = _moves(remote, target)
        tags = Moves(remote, writes, guard)
        if family.release and target.unfinished:
            with unfinished(family.release.number):
                tags.run([move for move in moves if (move.repository, move.tag) in target.unfinished])
        if target.is_new:
            write_record(remote, repository, NewRecord.of(target.release, target.replaces), writes, guard)
        with unfinished(target.release.number):
            tags.run([move for move in moves if (move.repository, move.tag) not in target.unfinished])
            recipes = [(plan.item.repository, plan.item.recipe_tag) for plan in plans]
            return plans, target, tags.read_back(target.wanted, recipes)


def _again(remote: Client, plan: Plan) -> Plan:
    """Read again which image the recipe's tag points to; an image of another recipe does not count."""
    repository, digest = plan.item.repository, remote.digest(plan.item.repository, plan.item.recipe_tag)
    if digest is not None and digest != plan.digest:
        manifest = remote.find_manifest(repository, digest)
        if manifest and recipe_of(remote, repository, manifest) == plan.item.recipe:
            return replace(plan, digest=digest)
    if digest == plan.digest or remote.digest(repository, str(plan.digest)) is not None:
        return plan
    raise RegistryError(
        f"the registry {remote.registry.host} does not have {plan.item.name} any more",
        where=remote.registry.reference(repository, plan.item.recipe_tag),
        fix="publish again",
    )


def _warn_of_gone(remote: Client, family: Family) -> None:
    for repository, digest in sorted(family.gone):
        where = remote.registry.reference(repository, digest)
        console.warn(f"{where} is not in the registry any more: the new release does not have it")


def _with_free_number(remote: Client, target: Target) -> Target:
    """Give a new release a number that none of its images has on another image."""
    while target.is_new:
        wanted = target.release.immutable_tags()
        tags = read_tags(remote, wanted)
        if all(tags[place] in (None, digest) for place, digest in wanted.items()):
            break
        target = targets.with_next_number(target)
    return target


def _moves(remote: Client, target: Target) -> list[Move]:
    """The moves, with the manifest that each tag will point to, and what it points to now."""
    places = target.moves
    images = list(dict.fromkeys((repository, digest) for (repository, _), digest in places.items()))
    manifests = dict(zip(images, run_parallel(lambda image: _manifest(remote, target, *image), images), strict=True))
    former = dict(zip(places, run_parallel(lambda place: remote.find_manifest(*place), places), strict=True))
    return [
        Move(repository=repository, tag=tag, manifest=manifests[repository, digest], former=former[repository, tag])
        for (repository, tag), digest in places.items()
    ]


def _manifest(remote: Client, target: Target, repository: str, digest: str) -> Manifest:
    manifest = remote.find_manifest(repository, digest)
    if manifest is None:  # it was there when the tags were read
        raise RegistryError(
            f"the registry {remote.registry.host} does not have an image of release {target.release.number} any more",
            where=remote.registry.reference(repository, digest),
            fix="publish again",
        )
    return manifest


def _result(
    registry: Registry, plan: Plan, size: int, target: Target, before: Family, tags: Mapping[Place, str | None]
) -> Published:
    """The result for one image: only tags that the registry had on it when they were read last."""
    item, digest, release = plan.item, str(plan.digest), target.release
    image = plan.released(release.commit)
    candidates = (item.recipe_tag, image.tag(release.number), LATEST)
    found = tuple(tag for tag in candidates if tags.get((item.repository, tag)) == digest)
    if item.rolling and target.moves_latest:
        was_published = plan.latest is not None and plan.latest.digest == digest
    else:
        known = before.release.image(image.key) if before.release else None
        was_published = known is not None and known.digest == digest
    state: Status = "published" if plan.pushed else "already published" if was_published else "moved"
    return Published(
        name=item.name,
        repository=f"{registry.host}/{registry.repository(item.repository)}",
        release=release.number,
        tags=found,
        pull_tag=image.tag(release.number),
        digest=digest,
        size=size,
        bytes_sent=plan.bytes_sent,
        status=state,
        seconds=plan.seconds,
    )


def _push_missing(plans: list[Plan], remote: Client, client: DockerClient, progress: Progress | None) -> None:
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
