"""The lock of a registry: one run at a time moves tags.

The lock is the tag ``lock`` in the repository of the records. A registry has no conditional PUT: after writing the
lock, a run waits longer than another run's write may take, and reads it again. If the lock is another run's by then,
that run has it. A lock that its run did not release is free after `EXPIRY`; another run in the same clone takes it at
once.

A run releases the lock by overwriting it with a manifest that says so: many registries, and many logins, cannot delete.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from build.errors import PipelineError, RegistryError
from build.publish.origin import Origin
from build.publish.writes import Writes
from build.registry.client import Client
from build.registry.manifests import EMPTY, EMPTY_CONTENT, MANIFEST, Manifest, descriptor, to_manifest
from build.system import console

TAG = "lock"
#: Seconds after which a lock that is not renewed is free.
EXPIRY = 600.0
#: Seconds between two questions whether the lock is free, and between two lines about the wait.
_POLL = 1.0
_SAY_AGAIN = 60.0

#: How often the lock is written if it is not there afterwards.
_ROUNDS = 3

_TYPE = "application/vnd.inference-images.lock.v1+json"
_PREFIX = "inference-images.lock."


class Guard(Protocol):
    """What must hold before each write of a run."""

    def check(self) -> None:
        """Check that this run may write.

        Raises:
            LostLockError: Another run took the lock.
        """


class LostLockError(RegistryError):
    """Another run took the lock: it decides about the tags now."""


class NoGuard:
    """No lock: for a registry in which a tag, and so the lock, cannot be moved."""

    def check(self) -> None:
        """Nothing to check: a tag that exists there cannot be overwritten."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The run that holds a lock."""

    run: str
    host: str
    commit: str
    clone: str
    #: When the lock was written, by the registry's clock.
    time: datetime.datetime

    def __str__(self) -> str:
        return f"run {self.run} on {self.host} ({self.commit}, since {self.time:%H:%M:%S} UTC)"


def holder_of(manifest: Manifest | None) -> Holder | None:
    """Read a lock; None if nobody holds it, or if it is not a lock of this project."""
    annotations = manifest.document.get("annotations") if manifest else None
    if not isinstance(annotations, dict) or f"{_PREFIX}run" not in annotations:
        return None
    values = {name: str(annotations.get(_PREFIX + name, "")) for name in ("run", "host", "commit", "clone", "time")}
    try:
        moment = datetime.datetime.fromisoformat(values.pop("time"))
    except ValueError:
        return None
    return Holder(**values, time=moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC))


def current_holder(remote: Client, repository: str) -> Holder | None:
    """Return the run that holds the lock of a registry now.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    holder = holder_of(remote.find_manifest(repository, TAG))
    return holder if holder and not _is_expired(holder, remote.now()) else None


@contextlib.contextmanager
def locked(remote: Client, repository: str, origin: Origin, writes: Writes) -> Iterator[Guard]:
    """Hold the lock of a registry; waits for another run.

    Args:
        remote: The registry.
        repository: The repository of the records.
        origin: This run.
        writes: Writes the lock.

    Raises:
        RegistryError: Another run took the lock at the same time, or the registry is not there, refuses, or fails.
    """
    lock = _Lock(remote, repository, origin, writes)
    try:
        lock.acquire()
        yield lock
    finally:
        lock.release()


class _Lock:
    def __init__(self, remote: Client, repository: str, origin: Origin, writes: Writes) -> None:
        self._remote = remote
        self._repository = repository
        self._origin = origin
        self._writes = writes
        #: The digests of the locks that this run wrote, or may have written.
        self._own: set[str] = set()
        self._written = 0.0

    def acquire(self) -> None:
        for _ in range(_ROUNDS):
            read = self._wait_until_free()
            self._write()
            # While a slow write was on its way, another run may have found its own lock, and have begun to work. The
            # longer wait gives it the time to notice that the lock is not its own any more.
            pause = max(self._writes.settled_after, 2 * (time.monotonic() - read))
            self._writes.sleep(pause, "making sure that no other run publishes")
            manifest = self._remote.find_manifest(self._repository, TAG)
            if manifest is not None and manifest.digest in self._own:
                return
            holder = holder_of(manifest)
            if holder is not None and not self._is_ours(holder):  # else a killed run's write came late
                raise LostLockError(
                    f"another run publishes to this registry: {holder}",
                    where=self._remote.registry.reference(self._repository, TAG),
                    fix="run it again when it is done",
                )
        raise RegistryError(
            f"the registry {self._remote.registry.host} accepted the lock, but does not have it",
            where=self._remote.registry.reference(self._repository, TAG),
            fix="look at the registry's own log, and at caches and proxies in front of it",
        )

    def _is_ours(self, holder: Holder) -> bool:
        """Return whether a lock is that of an earlier run of this clone, which has ended: a clone has one at a time."""
        return bool(holder.clone) and holder.clone == self._origin.clone

    def check(self) -> None:
        if self._remote.digest(self._repository, TAG) not in self._own:
            holder = holder_of(self._remote.find_manifest(self._repository, TAG))
            raise LostLockError(
                f"another run took the lock of the registry: {holder}"
                if holder
                else "another run took the lock of the registry, and has released it since",
                where=self._remote.registry.reference(self._repository, TAG),
                fix="run it again when it is done",
            )
        if time.monotonic() - self._written > EXPIRY / 3:
            self._write()

    def release(self) -> None:
        """Free the lock if this run still has it; a failure is a warning, since the lock expires."""
        if not self._own:
            return
        try:
            if self._remote.digest(self._repository, TAG) in self._own:
                self._writes.put(self._repository, TAG, _FREE, [EMPTY_CONTENT])
        except PipelineError as failure:
            console.warn(
                f"the lock of the registry could not be released ({failure.what}); it expires in "
                f"{console.seconds(EXPIRY)}, and a publish from this clone does not wait for it"
            )

    def _write(self) -> None:
        lock = _lock(self._origin, self._remote.now())
        self._own.add(lock.digest)
        self._writes.put(self._repository, TAG, lock, [EMPTY_CONTENT])
        self._written = time.monotonic()

    def _wait_until_free(self) -> float:
        """Wait; returns when the request began whose answer was that the lock is free (`time.monotonic`)."""
        began = said = time.monotonic()
        seen = ""
        with console.err.status("waiting") as status:
            while True:
                read = time.monotonic()
                manifest = self._remote.find_manifest(self._repository, TAG)
                if manifest is None:
                    # Where tags cannot be moved, this is noticed before anything else is written: the lock itself
                    # is the second PUT.
                    self._writes.put(self._repository, TAG, _FREE, [EMPTY_CONTENT])
                    return read
                holder = holder_of(manifest)
                now = time.monotonic()
                if holder is None or _is_expired(holder, self._remote.now()):
                    return read
                if self._is_ours(holder):
                    console.info(f"an earlier publish of this clone was interrupted: {holder}")
                    return read
                if manifest.digest != seen:  # clocks may be wrong: a lock that stays the same this long is free, too
                    seen, began = manifest.digest, now
                    said = now - _SAY_AGAIN
                if now - began > EXPIRY:
                    return read
                left = EXPIRY - max(now - began, (self._remote.now() - holder.time).total_seconds())
                text = f"waiting for another publish: {holder}; at most {console.seconds(left)} more"
                status.update(text)
                if now - said >= _SAY_AGAIN:
                    console.info(text)
                    said = now
                time.sleep(_POLL)


def _is_expired(holder: Holder, now: datetime.datetime) -> bool:
    return (now - holder.time).total_seconds() > EXPIRY


def _lock(origin: Origin, now: datetime.datetime) -> Manifest:
    values = {
        "run": origin.run,
        "host": origin.host,
        "commit": str(origin.commit),
        "clone": origin.clone,
        "time": now.isoformat(timespec="milliseconds"),
    }
    return _artifact({_PREFIX + name: value for name, value in values.items()})


def _artifact(annotations: dict[str, str]) -> Manifest:
    empty = descriptor(EMPTY, EMPTY_CONTENT)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": _TYPE,
        "config": empty,
        "layers": [empty],
        "annotations": annotations,
    }
    return to_manifest(document, MANIFEST)


_FREE = _artifact({_PREFIX + "state": "free"})
