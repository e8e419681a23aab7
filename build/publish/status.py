"""Reports a publish that was interrupted, or that goes on.  Reads the registry."""

from __future__ import annotations

from build.errors import RegistryError
from build.publish import lock, records
from build.publish import release as releases
from build.publish.records import Family
from build.registry.client import Client
from build.system import console

#: The number of tags that are named.
_NAMED = 4


def warn_if_interrupted(remote: Client, family: Family, clone: str = "") -> None:
    """Print a warning if the tags of a registry are not those of its last release.

    Args:
        remote: The registry.
        family: What it has.
        clone: This run's clone, if the run holds it: then no other run of the clone is alive.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    if not family.differences:
        return
    holder = lock.current_holder(remote, family.repository)
    console.warn(_words(family, "" if holder is None or (clone and holder.clone == clone) else str(holder)))


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


def _words(family: Family, holder: str) -> str:
    release, differences = family.release, family.differences
    assert release is not None
    names = [f"{each.repository}:{each.tag}" for each in differences[:_NAMED]]
    if len(differences) > _NAMED:
        names.append(f"{len(differences) - _NAMED} more")
    which = f"{len(differences)} of its {len(release.tags())} tags are not what it says"
    if holder:
        return f"another run publishes release {release.number}: {holder}; {which} yet"
    return (
        f"the publish of release {release.number} was interrupted (run {release.run} on {release.host}, "
        f"{release.created}, {release.commit}): {which} ({', '.join(names)}); finish it: nox -s publish"
    )
