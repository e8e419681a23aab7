"""The record of the release that is promoted.  Reads the source and changes nothing."""

from __future__ import annotations

import re

from build.errors import RegistryError, UsageError
from build.publish import release as releases
from build.publish.records import Record, UnreadableRecordError, read_record
from build.publish.release import Release
from build.registry.address import is_repository
from build.registry.contents import Contents
from build.registry.tags import LATEST

#: A tag (OCI distribution specification, "Pulling manifests").
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_SHOWN = 4


def find_record(source: Contents, source_name: str, namespace: str, name: str) -> Record:
    """Find the record of a release.

    Args:
        source: Where it is.
        source_name: As messages name it.
        namespace: The namespace of the matrix.
        name: ``YYYYMMDD.vN``, or ``latest`` for the last one.

    Raises:
        UsageError: The name is not that of a release.
        RegistryError: The source does not have it, or its record cannot be used; or the source is not there, refuses,
            or fails.
    """
    if name != LATEST and not releases.numbers([name]):
        raise UsageError(f"'{name}' is not the number of a release", fix="write it as YYYYMMDD.vN, or write latest")
    repository = releases.repository_of(namespace)
    numbers = [each.tag for each in releases.numbers(source.tags(repository))]
    if not numbers:
        raise RegistryError(
            f"{source_name} has no release",
            where=source.reference(repository, name),
            fix="publish one, or name another source: --from",
        )
    number = numbers[0] if name == LATEST else name
    if number not in numbers:
        more = f", and {len(numbers) - _SHOWN} older ones" if len(numbers) > _SHOWN else ""
        raise RegistryError(
            f"{source_name} has no release {number}",
            where=source.reference(repository, number),
            fix=f"name one that it has: {', '.join(numbers[:_SHOWN])}{more}",
        )
    try:
        record = read_record(source, repository, number)
    except UnreadableRecordError as failure:
        failure.fix = "restore it in the source, or promote another release"
        raise
    _check_places(record.release, namespace, source.reference(repository, number))
    return record


def _check_places(release: Release, namespace: str, where: str) -> None:
    """Check that a record names only repositories of its namespace: the login may write to others, too."""
    places = [*release.immutable_tags(), *release.rolling_tags()]
    for repository, tag in places:
        is_own = repository.startswith(f"{namespace}/") and is_repository(repository)
        is_own = is_own and repository != releases.repository_of(namespace)
        if not is_own or not _TAG.fullmatch(tag):
            raise RegistryError(
                f"the record of release {release.number} names {repository}:{tag}, which is not in {namespace}/",
                where=where,
                fix="restore the record in the source; this project writes no such record",
            )
