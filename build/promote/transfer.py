"""Blobs and manifests on their way to a target: each blob once, piece by piece, with its digest checked."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from build.errors import RegistryError
from build.promote.found import Found
from build.promote.found_documents import Stored
from build.promote.stores import Source, Target
from build.publish.release import Place
from build.registry.checked import WrongContentError, checked
from build.system import console
from build.system.parallel import run_parallel
from build.system.retries import RetryPolicy

#: Blobs at a time: the network is the limit, and each further one takes memory for its pieces.
_WORKERS = 4
_POLICY = RetryPolicy()

#: Called while blobs are sent: the bytes sent so far, and in all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A blob that some repositories of the target lack."""

    digest: str
    size: int
    #: A repository of the source that has it.
    origin: str
    repositories: tuple[str, ...]
    #: A repository of the target that has it; None: it must be sent.
    there: str | None


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What a target lacks."""

    manifests: tuple[Stored, ...]
    #: Attachments and signatures.
    documents: tuple[Stored, ...]
    blobs: tuple[Blob, ...]
    #: The blobs that it has, and their bytes.
    blobs_there: int
    bytes_there: int

    @property
    def to_send(self) -> tuple[Blob, ...]:
        """The blobs that no repository of the target has."""
        return tuple(blob for blob in self.blobs if blob.there is None)

    @property
    def bytes(self) -> int:
        return sum(blob.size for blob in self.to_send)


def compare(found: Found, target: Target) -> Missing:
    """Ask a target what it lacks of a release.

    If a repository has a manifest, it has its blobs, unless the target has lost them: each of those is asked for once,
    whichever manifests name it.

    Raises:
        RegistryError: The target is not there, refuses, or fails.
    """
    stored = found.stored
    answers = run_parallel(lambda each: target.digest(*each.place) is not None, stored)
    present = {each.place for each, is_there in zip(stored, answers, strict=True) if is_there}
    sizes: dict[str, int] = {}
    asked: dict[Place, None] = {}
    #: Repository and digest of the blobs of the manifests that are there.
    trusted: dict[Place, None] = {}
    #: Digest → the repositories that name it.
    named: dict[str, dict[str, None]] = {}
    for each in sorted(stored, key=lambda each: each.place in present):
        for digest, size in each.blobs.items():
            is_known = digest in sizes
            if each.place in present:
                trusted[each.repository, digest] = None
            sizes[digest] = size
            named.setdefault(digest, {})[each.repository] = None
            if not is_known or (each.place not in present and not target.shares_blobs):
                asked[each.repository, digest] = None
    has = dict(zip(asked, run_parallel(lambda place: target.has_blob(*place), asked), strict=True))
    blobs = []
    for digest, repositories in named.items():
        lacking = tuple(each for each in repositories if has.get((each, digest)) is False)
        if lacking:
            is_lost = any((each, digest) in trusted for each in lacking)
            there = next(
                (each for each in repositories if has.get((each, digest), (each, digest) in trusted and not is_lost)),
                None,
            )
            origin = next(iter(repositories))
            blobs.append(Blob(digest=digest, size=sizes[digest], origin=origin, repositories=lacking, there=there))
    sent = {blob.digest for blob in blobs if blob.there is None}
    return Missing(
        manifests=tuple(each for each in found.images if each.place not in present),
        documents=tuple(each for each in found.documents if each.place not in present),
        blobs=tuple(blobs),
        blobs_there=len(sizes) - len(sent),
        bytes_there=sum(size for digest, size in sizes.items() if digest not in sent),
    )


def check_source(source: Source, missing: Missing) -> None:
    """Check that the source has the blobs that are to be sent, before any of them is.

    Raises:
        RegistryError: It lacks one; or it is not there, refuses, or fails.
    """
    blobs = missing.to_send
    has = run_parallel(lambda blob: source.has_blob(blob.origin, blob.digest), blobs)
    gone = [blob for blob, is_there in zip(blobs, has, strict=True) if not is_there]
    if gone:
        raise RegistryError(
            f"the source does not have {console.count(len(gone), 'blob')} of the release any more",
            where=source.reference(gone[0].origin, gone[0].digest),
            fix="publish the images again there: nox -s pipeline",
            details="\n".join(f"{blob.digest} of {blob.origin}" for blob in gone[:10]),
        )


class Transfer:
    """Sends blobs, several at a time.

    Args:
        source: Where they are read.
        target: Where they are written.
        progress: Called while they are sent.
    """

    def __init__(self, source: Source, target: Target, progress: Progress | None = None) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._lock = threading.Lock()
        self._on_the_way = 0
        self._total = 0
        #: A registry that does not mount, or not for this login, is not asked again.
        self._may_mount = True
        self.blobs_sent = 0
        self.bytes_sent = 0
        self.blobs_mounted = 0

    def run(self, blobs: Sequence[Blob]) -> None:
        """Send blobs to the repositories that lack them; what other repositories have is mounted from there.

        Raises:
            PipelineError: Source or target is not there, refuses, or fails; or a content is not what its digest says.
        """
        self._total = sum(blob.size for blob in blobs if blob.there is None)
        # The largest first: the last one alone on its way would leave the other connections unused.
        run_parallel(self._send, sorted(blobs, key=lambda blob: -blob.size), workers=_WORKERS)

    def _send(self, blob: Blob) -> None:
        there = blob.there
        for repository in blob.repositories:
            if there and self._may_mount:
                if self._target.mount(repository, blob.digest, there):
                    with self._lock:
                        self.blobs_mounted += 1
                    continue
                self._may_mount = False
            self._copy(blob, repository)
            there = repository

    def _copy(self, blob: Blob, repository: str) -> None:
        for attempt in itertools.count(1):
            try:
                with self._source.pieces(blob.origin, blob.digest) as pieces:
                    counted = self._counted(pieces)
                    self._target.upload(repository, blob.digest, blob.size, checked(counted, blob.digest, blob.size))
                break
            except WrongContentError as failure:
                raise RegistryError(
                    "the source has a damaged blob",
                    where=self._source.reference(blob.origin, blob.digest),
                    fix="publish the images again there: nox -s pipeline; look at the registry's own log",
                    details=str(failure),
                ) from failure
            except RegistryError as failure:
                pause = _POLICY.wait(attempt) if failure.may_pass else None
                if pause is None:
                    raise
                console.warn(
                    f"{failure.what}; trying again in {console.seconds(pause)} (attempt {attempt + 1} of "
                    f"{_POLICY.attempts})"
                )
                time.sleep(pause)
                if self._has(repository, blob.digest, failure):  # only the answer was lost
                    break
        with self._lock:
            self.blobs_sent += 1
            self.bytes_sent += blob.size

    def _has(self, repository: str, digest: str, failure: RegistryError) -> bool:
        """Tell whether a target has a blob after a failure; that is raised again if it does not answer this either."""
        try:
            return self._target.has_blob(repository, digest)
        except RegistryError:
            raise failure from None

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            with self._lock:
                self._on_the_way += len(piece)
                if self._progress:
                    self._progress(self._on_the_way, max(self._total, self._on_the_way))
            yield piece
