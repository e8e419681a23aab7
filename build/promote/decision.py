"""Which records and tags a target gets, from a release and what the target has.  Pure, but for the time of a record."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from build.errors import RegistryError
from build.publish import release as releases
from build.publish.origin import Origin
from build.publish.record_write import NewRecord
from build.publish.records import Record, read_record
from build.publish.release import Place, Release, next_number, same_images
from build.publish.targets import Rules
from build.registry.contents import Contents
from build.registry.tags import DateTag


@dataclass(frozen=True, kw_only=True)
class Known:
    """The releases of a target."""

    #: The numbers of all records, the highest first.
    numbers: tuple[DateTag, ...]
    #: The record with the highest number; None before the first release.
    last: Record | None
    #: The record that has the number of the release; None if none has.
    same_number: Record | None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a target has at the end."""

    #: The release that the images have there as the last one.
    release: Release
    #: The records to write, in their order.
    records: tuple[NewRecord, ...]
    #: Whether the target then has the same record as the source, with the same digest.
    keeps_record: bool
    immutable: Mapping[Place, str]
    #: ``latest``; empty if the run does not move it.
    rolling: Mapping[Place, str]

    @property
    def tags(self) -> dict[Place, str]:
        """All tags of images."""
        return {**self.immutable, **self.rolling}


def read_known(target: Contents, repository: str, number: str) -> Known:
    """Read the releases of a target.

    Args:
        target: The registry or folder.
        repository: The repository of the records.
        number: The number of the release that is promoted.

    Raises:
        RegistryError: A record cannot be read; or the target is not there, refuses, or fails.
    """
    numbers = tuple(releases.numbers(target.tags(repository)))
    last = read_record(target, repository, numbers[0].tag) if numbers else None
    same = last if last and last.release.number == number else None
    if same is None and number in {each.tag for each in numbers}:
        same = read_record(target, repository, number)
    return Known(numbers=numbers, last=last, same_number=same)


def decide(record: Record, known: Known, origin: Origin, today: datetime.date, rules: Rules, target: str) -> Decision:
    """Decide which records and tags a target gets.

    The record is copied as it is. If the target's last release is newer, and ``latest`` is to move back, a further
    record with a higher number says so: the record with the highest number says what the family is. If it says the same
    as the release already, it stays the last one.

    Args:
        record: The release.
        known: The releases of the target.
        origin: This run.
        today: The day (UTC), for the number of a further record.
        rules: What a person allows.
        target: The target, for messages.

    Raises:
        RegistryError: The target's last release is newer, or it has another release of the same number.
    """
    release, last = record.release, known.last.release if known.last else None
    (number,) = releases.numbers([release.number])
    is_older = bool(known.numbers) and known.numbers[0] > number
    if is_older and last and rules.latest and _same_family(last, release):
        # An earlier run went back to the release, or both just have the same images: then its record may be missing.
        records = _copy(record, known.same_number, target, replaces=False)
        return _decision(last, records, record, known, rules)
    if is_older and last and not rules.allow_older:
        raise RegistryError(
            f"the target has a newer release: {last.number} of {last.created}, and {release.number} is older",
            where=target,
            fix="promote a newer release; or go back to this one: --allow-older",
        )
    is_last = not is_older
    copied = record
    if not rules.latest and is_last:
        former = dict(last.latest) if last else {}
        if former != dict(release.latest):  # the record says what 'latest' is there
            copied = _record(dataclasses.replace(release, latest=former))
    records = _copy(copied, known.same_number, target, replaces=rules.latest and is_last)
    if is_last or not rules.latest:
        return _decision(release, records, record, known, rules)
    again = dataclasses.replace(
        release,
        number=next_number(today, known.numbers),
        run=origin.run,
        host=origin.host,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return _decision(again, (*records, NewRecord.of(again)), record, known, rules)


def _decision(last: Release, records: tuple[NewRecord, ...], record: Record, known: Known, rules: Rules) -> Decision:
    same = known.same_number
    in_target = {new.number: new.manifest.digest for new in records}.get(
        record.release.number, same.manifest.digest if same else None
    )
    return Decision(
        release=last,
        records=records,
        keeps_record=in_target == record.manifest.digest,
        immutable={**record.release.immutable_tags(), **last.immutable_tags()},
        rolling=last.rolling_tags() if rules.latest else {},
    )


def _copy(record: Record, existing: Record | None, target: str, *, replaces: bool) -> tuple[NewRecord, ...]:
    """The record to write; none if the target has it, or one of the same images that need not be replaced."""
    new = NewRecord(number=record.release.number, manifest=record.manifest, content=record.content)
    if existing is None:
        return (new,)
    if existing.manifest.digest == record.manifest.digest:
        return ()
    if not same_images(existing.release.images, record.release.images):
        raise RegistryError(
            f"the target has another release of the number {record.release.number}, with other images: its immutable "
            "tags are not moved",
            where=target,
            fix="promote to another namespace of the registry, or publish the release again under a new number",
        )
    if not replaces or dict(existing.release.latest) == dict(record.release.latest):
        return ()
    return (dataclasses.replace(new, replaces=existing.manifest.digest),)


def _same_family(first: Release, second: Release) -> bool:
    return same_images(first.images, second.images) and dict(first.latest) == dict(second.latest)


def _record(release: Release) -> Record:
    manifest, content = releases.artifact(release)
    return Record(release=release, manifest=manifest, content=content)


def check_tags(decision: Decision, tags: Mapping[Place, str | None], target: Contents) -> None:
    """Check that no immutable tag would move.

    Args:
        decision: What the target is to have.
        tags: Repository and tag → the digest in the target.
        target: The target, for the message.

    Raises:
        RegistryError: One would.
    """
    others = [place for place, digest in decision.immutable.items() if tags.get(place) not in (None, digest)]
    if others:
        names = [f"{repository}:{tag}" for repository, tag in others]
        raise RegistryError(
            f"the target has other images under immutable tags of release {decision.release.number}",
            where=target.reference(*others[0]),
            fix="promote to another namespace of the registry",
            details="\n".join(sorted(names)),
        )
