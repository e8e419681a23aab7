"""Writes the record of a release: from then on it says what the family is."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from build.errors import PipelineError, RegistryError
from build.publish import release as releases
from build.publish.lock import Guard, NoGuard
from build.publish.release import Release
from build.publish.tag_moves import add_details
from build.publish.writes import UnansweredInterrupt, Writes
from build.registry.client import Client
from build.registry.manifests import EMPTY_CONTENT, Manifest
from build.system import console


@dataclass(frozen=True, kw_only=True)
class NewRecord:
    """A record to be written."""

    number: str
    manifest: Manifest
    #: The blob that its manifest names besides the empty one.
    content: bytes
    #: The digest of the record that has its number already; None if none has.
    replaces: str | None = None

    @classmethod
    def of(cls, release: Release, replaces: str | None = None) -> NewRecord:
        """Return the record of a release."""
        manifest, content = releases.artifact(release)
        return cls(number=release.number, manifest=manifest, content=content, replaces=replaces)


def write_record(
    remote: Client, repository: str, record: NewRecord, writes: Writes, guard: Guard, command: str = "publish"
) -> None:
    """Write the record of a new release, and read it back.

    Args:
        remote: The registry.
        repository: The repository of the records.
        record: The record.
        writes: Writes it.
        guard: Checked before.
        command: The command to run again after a failure.

    Raises:
        RegistryError: It could not be written, or another run wrote one with the same number; the details say what is
            known.
    """
    number, manifest = record.number, record.manifest
    is_sent = False
    try:
        guard.check()
        if (found := remote.digest(repository, number)) != record.replaces:
            raise _taken(remote, repository, number, found)
        is_sent = True
        writes.put(repository, number, manifest, [EMPTY_CONTENT, record.content])
        if isinstance(guard, NoGuard):  # the record itself keeps two runs apart
            writes.sleep(writes.settled_after, "making sure that no other run publishes")
        if (found := remote.digest(repository, number)) != manifest.digest:
            raise _taken(remote, repository, number, found)
    except PipelineError as error:
        maybe_done = is_sent and isinstance(error, RegistryError) and error.maybe_done
        add_details(error, _state(remote, repository, record, command, maybe_done=maybe_done))
        raise
    except KeyboardInterrupt as interrupt:
        maybe_done = isinstance(interrupt, UnansweredInterrupt)
        console.warn(_state(remote, repository, record, command, maybe_done=maybe_done))
        raise


def _taken(remote: Client, repository: str, number: str, digest: str | None) -> RegistryError:
    return RegistryError(
        f"another run recorded the release {number} in the meantime"
        if digest
        else f"the record of the release {number} is not in the registry any more",
        where=remote.registry.reference(repository, number),
        fix="run it again",
    )


def _state(remote: Client, repository: str, record: NewRecord, command: str, *, maybe_done: bool) -> str:
    """What is known after a failure."""
    number = record.number
    with contextlib.suppress(RegistryError):
        if remote.digest(repository, number) == record.manifest.digest:
            return f"release {number} is recorded, and no 'latest' was moved; {command} again to finish it"
        if not maybe_done:
            return f"no 'latest' was moved; release {number} is not recorded"
    return f"no 'latest' was moved; it is unknown whether release {number} was recorded"
