"""Reports tags that are not what the last release says.  Reads the registry."""

from __future__ import annotations

from collections.abc import Collection

from build.errors import RegistryError
from build.publish import lock, records
from build.publish import release as releases
from build.publish.lock import Holder
from build.publish.records import Family
from build.registry.client import Client
from build.system import console


def warn_if_interrupted(remote: Client, family: Family, clone: str = "", *, without: Collection[str] = ()) -> None:
    """Print a warning if the tags of a registry are not those of its last release.

    Args:
        remote: The registry.
        family: What it has.
        clone: This run's clone, if the run holds it: then no other run of the clone is alive.
        without: Numbers of records that are passed over if they cannot be read.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    if not family.differences:
        return
    holder = lock.current_holder(remote, family.repository)
    if holder is None:  # a run may have ended since the tags were read
        family = records.read(remote, family.repository, without=without)
        if not family.differences:
            return
    console.warn(_words(family, None if holder and clone and holder.clone == clone else holder))


def warn(remote: Client, namespace: str) -> None:
    """The same, for a command that has other work to do: a failure is a warning.

    Args:
        remote: The registry.
        namespace: The namespace of the matrix.
    """
    try:
        warn_if_interrupted(remote, records.read(remote, releases.repository_of(namespace)))
    except RegistryError as failure:
        console.warn(f"it is unknown whether a publish was interrupted: {failure.what}")


def _words(family: Family, holder: Holder | None) -> str:
    release, differences = family.release, family.differences
    assert release is not None
    some = f"{len(differences)} of the {len(release.tags())} tags of release {release.number}"
    verb = "is" if len(differences) == 1 else "are"
    if holder and holder.run == release.run:
        return f"another run publishes: {holder}; {some} {verb} not yet what its record says"
    names = console.some([f"{each.repository}:{each.tag}" for each in differences])
    return (
        f"{some} (run {release.run} on {release.host}, {release.created}, {release.commit}) {verb} not what its record "
        f"says ({names}): the publish was interrupted, or another program moved or deleted tags; "
        + (f"another run publishes now: {holder}" if holder else "the next publish corrects that: nox -s publish")
    )
