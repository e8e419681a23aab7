"""Record a release of images that are in the registry, and move the tags, ``latest`` last."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace

from build.errors import RegistryError
from build.publish import plan as plans_of
from build.publish import targets
from build.publish.bases import PushedBase, tag_bases
from build.publish.ends import attach_ends, ended
from build.publish.lock import Guard, NoGuard, locked
from build.publish.plan import Plan
from build.publish.publication import Published, Status
from build.publish.record_write import NewRecord, write_record
from build.publish.records import Family, read_tags
from build.publish.release import Place
from build.publish.run import PublishRun
from build.publish.stored import recipe_of
from build.publish.tag_moves import Move, Moves, advice_about_latest, nothing_moved, unfinished
from build.publish.targets import Target
from build.publish.writes import Writes
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import Manifest
from build.registry.tags import LATEST
from build.system import console
from build.system.parallel import run_parallel


def make_release(
    run: PublishRun,
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
        plans, target, tags = write_tags(run, family.repository, plans, bases)
    return [_result(remote.registry, plan, size, target, family, tags) for plan, size in zip(plans, sizes, strict=True)]


def write_tags(
    run: PublishRun, repository: str, plans: list[Plan], bases: Sequence[PushedBase]
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
