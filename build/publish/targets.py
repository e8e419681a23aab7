"""From the last release and the images of a run to the release that follows, and the tags that move.

Pure, but git is asked which of two commits is older.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from build.errors import RegistryError
from build.publish.origin import Origin, is_older
from build.publish.plan import Plan
from build.publish.records import Family
from build.publish.release import Place, Release, ReleasedImage, following, next_number, same_images, succeed, without


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a person allows."""

    #: Publish although the commit is older than that of the published image.
    allow_older: bool = False
    #: Move ``latest``.
    latest: bool = True
    #: Numbers of releases whose records are passed over if they cannot be read.
    without_records: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Target:
    """The release that a run ends with."""

    release: Release
    #: Whether its record must be written.
    is_new: bool
    #: The digest of the record that has its number already: that of the same release, not finished.
    replaces: str | None = None
    #: The tags to move, in their order, with their digests: those that an interrupted release lacks, the immutable
    #: ones, ``latest``.
    unfinished: Mapping[Place, str]
    immutable: Mapping[Place, str]
    rolling: Mapping[Place, str]
    #: Whether the run moves ``latest``.
    moves_latest: bool

    @property
    def is_done(self) -> bool:
        """Whether the registry has it already."""
        return not (self.is_new or self.unfinished or self.immutable or self.rolling)

    @property
    def wanted(self) -> dict[Place, str]:
        """The tags that the release has at the end of the run: without ``latest`` if the run does not move it."""
        return self.release.tags() if self.moves_latest else self.release.immutable_tags()

    @property
    def moves(self) -> dict[Place, str]:
        """All tags to move, in their order."""
        return {**self.unfinished, **self.immutable, **self.rolling}


def target(family: Family, plans: Sequence[Plan], origin: Origin, today: datetime.date, rules: Rules) -> Target:
    """Decide which release a run ends with.

    Args:
        family: What the registry has.
        plans: The images of the run; all are in the registry.
        origin: The run.
        today: The day (UTC).
        rules: What a person allows.

    Returns:
        The last release itself where it has all images of the run; it may have to be finished. Otherwise a new one,
        without the images that the registry does not have any more.
    """
    former = without(family.release, family.gone) if family.release else None
    published = _released(former, plans, origin)
    rolling = {plan.item.repository: str(plan.digest) for plan in plans if plan.item.rolling} if rules.latest else {}
    images, latest = succeed(former, published, rolling)
    release = Release(
        number=next_number(today, family.numbers),
        run=origin.run,
        host=origin.host,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        commit=origin.commit,
        images=images,
        latest=latest,
    )
    missing = {(each.repository, each.tag): each.wanted for each in family.differences if not each.is_conflict}
    cannot_be_finished = family.gone or any(each.is_conflict for each in family.differences)
    if former is None or cannot_be_finished or not same_images(images, former.images):
        unfinished = {place: digest for place, digest in missing.items() if former and place in former.immutable_tags()}
        return _new(release, unfinished, family, rules)
    if dict(former.latest) == latest:
        return Target(
            release=former,
            is_new=False,
            unfinished={},
            immutable={place: digest for place, digest in missing.items() if place in former.immutable_tags()},
            rolling={place: digest for place, digest in missing.items() if place in former.rolling_tags()}
            if rules.latest
            else {},
            moves_latest=rules.latest,
        )
    if missing:  # not finished: nobody relies on its record yet, and so it keeps its number
        release = replace(release, number=former.number)
        return replace(_new(release, {}, family, rules), replaces=family.digest)
    return _new(release, {}, family, rules)


def _released(former: Release | None, plans: Sequence[Plan], origin: Origin) -> list[ReleasedImage]:
    """The images of the run in a release. The commit of an unchanged image never becomes an older one."""
    is_older_than = functools.cache(lambda commit: not origin.commit.hash or is_older(origin, commit))
    images = []
    for plan in plans:
        image = plan.released(origin.commit)
        known = former.image(image.key) if former else None
        if known is not None and known.digest == image.digest and is_older_than(known.commit):
            image = replace(image, commit=known.commit)
        images.append(image)
    return images


def _new(release: Release, unfinished: Mapping[Place, str], family: Family, rules: Rules) -> Target:
    def moving(tags: Mapping[Place, str]) -> dict[Place, str]:
        return {place: digest for place, digest in tags.items() if family.tags.get(place) != digest}

    return Target(
        release=release,
        is_new=True,
        unfinished=unfinished,
        immutable=moving(release.immutable_tags()),
        rolling=moving(release.rolling_tags()) if rules.latest else {},
        moves_latest=rules.latest,
    )


def with_next_number(made: Target) -> Target:
    """The same release with the next number, where a tag of the number exists already."""
    release = replace(made.release, number=following(made.release.number))
    return replace(made, release=release, replaces=None, immutable=release.immutable_tags())


def check_age(family: Family, plans: Sequence[Plan], origin: Origin, registry: str) -> None:
    """Check that no image of the run replaces one of a newer commit.

    Args:
        family: What the registry has.
        plans: The images of the run.
        origin: The run.
        registry: The registry, for the message.

    Raises:
        RegistryError: One does.
    """
    if family.release is None:
        return
    images = {(plan.item.name, plan.item.stand_in or ""): plan.digest for plan in plans}
    if newer := newer_images(family.release, images, origin):
        raise older_checkout(family.release, newer, origin, registry)


def newer_images(
    release: Release, images: Mapping[tuple[str, str], str | None], origin: Origin
) -> tuple[ReleasedImage, ...]:
    """Return the images of a release that a run would replace, although they are of a newer commit than the run's.

    Args:
        release: The last release.
        images: The key of each image of the run → its digest; None if it is not in the registry yet.
        origin: The run.
    """
    is_newer = functools.cache(lambda commit: is_older(origin, commit))
    published = ((key, digest, release.image(key)) for key, digest in images.items())
    return tuple(image for _, digest, image in published if image and image.digest != digest and is_newer(image.commit))


def older_checkout(release: Release, newer: Sequence[ReleasedImage], origin: Origin, registry: str) -> RegistryError:
    """Return the failure of a run that would replace newer images.

    Args:
        release: The last release.
        newer: Those images (`newer_images`), at least one.
        origin: The run.
        registry: The registry.
    """
    return RegistryError(
        f"the registry has newer images: release {release.number} is of {newer[0].commit}, "
        f"this checkout is at {origin.commit}",
        where=registry,
        fix="git pull; or publish the older images all the same: --allow-older",
        details="newer: " + ", ".join(image.name for image in newer),
    )
