"""Writes the record of a release: from then on it says what the family is."""

from __future__ import annotations

import contextlib

from build.errors import PipelineError, RegistryError
from build.publish import release as releases
from build.publish.lock import Guard, NoGuard
from build.publish.tag_moves import add_details
from build.publish.targets import Target
from build.publish.writes import UnansweredInterrupt, Writes
from build.registry.client import Client
from build.registry.manifests import EMPTY_CONTENT, Manifest
from build.system import console


def write_record(remote: Client, repository: str, target: Target, writes: Writes, guard: Guard) -> None:
    """Write the record of a new release, and read it back.

    Args:
        remote: The registry.
        repository: The repository of the records.
        target: The release.
        writes: Writes it.
        guard: Checked before.

    Raises:
        RegistryError: It could not be written, or another run wrote one with the same number; the details say what is
            known.
    """
    number = target.release.number
    manifest, content = releases.artifact(target.release)
    is_sent = False
    try:
        guard.check()
        if (found := remote.digest(repository, number)) != target.replaces:
            raise _taken(remote, repository, number, found)
        is_sent = True
        writes.put(repository, number, manifest, [EMPTY_CONTENT, content])
        if isinstance(guard, NoGuard):  # the record itself keeps two runs apart
            writes.sleep(writes.settled_after, "making sure that no other run publishes")
        if (found := remote.digest(repository, number)) != manifest.digest:
            raise _taken(remote, repository, number, found)
    except PipelineError as error:
        maybe_done = is_sent and isinstance(error, RegistryError) and error.maybe_done
        add_details(error, _state(remote, repository, number, manifest, maybe_done=maybe_done))
        raise
    except KeyboardInterrupt as interrupt:
        maybe_done = isinstance(interrupt, UnansweredInterrupt)
        console.warn(_state(remote, repository, number, manifest, maybe_done=maybe_done))
        raise


def _taken(remote: Client, repository: str, number: str, digest: str | None) -> RegistryError:
    return RegistryError(
        f"another run recorded the release {number} in the meantime"
        if digest
        else f"the record of the release {number} is not in the registry any more",
        where=remote.registry.reference(repository, number),
        fix="publish again",
    )


def _state(remote: Client, repository: str, number: str, manifest: Manifest, *, maybe_done: bool) -> str:
    """What is known after a failure."""
    with contextlib.suppress(RegistryError):
        if remote.digest(repository, number) == manifest.digest:
            return f"release {number} is recorded, and no 'latest' was moved; publish again to finish it"
        if not maybe_done:
            return f"no 'latest' was moved; release {number} is not recorded"
    return f"no 'latest' was moved; it is unknown whether release {number} was recorded"
