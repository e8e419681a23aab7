"""Promoting: blobs, manifests and attachments get to the target; when all is there, its tags move, ``latest`` last.

Whatever ends a run before, the next one finds what was sent, and sends the rest.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from build.errors import PipelineError
from build.promote import documents, transfer
from build.promote.base_tags import missing_base_tags
from build.promote.decision import Decision, check_tags, decide, read_known
from build.promote.documents import Refused
from build.promote.found import Found, find
from build.promote.layout_target import LayoutTarget
from build.promote.registry_tags import RegistryTags
from build.promote.source_record import find_record
from build.promote.stores import Source
from build.promote.transfer import Missing, Progress, Transfer
from build.publish import release as releases
from build.publish.origin import Origin
from build.publish.records import Record
from build.publish.release import Place
from build.publish.tag_moves import add_details
from build.publish.targets import Rules
from build.registry.manifests import EMPTY_CONTENT, digest_of, type_of
from build.registry.transfer import TransferClient
from build.system import console
from build.system.parallel import run_parallel

#: Bytes that a folder needs besides the blobs: manifests, and the index twice.
_SLACK = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Job:
    """A release to promote."""

    source: Source
    #: As messages name it.
    source_name: str
    target: TransferClient | LayoutTarget
    target_name: str
    #: The namespace of the matrix, and its bases.
    namespace: str
    base_names: Iterable[str]
    origin: Origin
    rules: Rules

    @property
    def repository(self) -> str:
        """The repository of the records."""
        return releases.repository_of(self.namespace)


@dataclass(frozen=True, kw_only=True)
class RefusedAttachment:
    """An attachment or a signature that the target does not accept."""

    #: As it is named in the source.
    reference: str
    #: Its type, for example that of a test report.
    type: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Promoted:
    """The result."""

    #: The number of the release that was promoted.
    release: str
    #: The number of the target's last release if that has the same images, and the number of the release else.
    number: str
    #: The reference of each image in the target, with its immutable tag and its digest.
    images: tuple[str, ...]
    #: Whether ``latest`` is on them.
    latest: bool
    #: The attachments and signatures that were sent, that the target had before, and that it refused.
    attachments_sent: int
    attachments_there: int
    attachments_refused: tuple[RefusedAttachment, ...]
    blobs_sent: int
    bytes_sent: int
    blobs_mounted: int
    #: What the target had before.
    blobs_there: int
    bytes_there: int
    #: Whether it had everything.
    was_there: bool
    seconds: float


def promote(name: str, job: Job, progress: Progress | None = None) -> Promoted:
    """Copy a release, and move the tags of the target.

    Args:
        name: ``YYYYMMDD.vN``, or ``latest`` for the last one.
        job: From where to where.
        progress: Called while blobs are sent.

    Raises:
        UsageError: The name is not that of a release.
        RegistryError: Source or target is not there, refuses, or fails; the source does not have the release, or not
            all of it; or the target has a newer one, or another one of that number.
        PipelineError: A folder cannot be written.
    """
    began = time.monotonic()
    record = find_record(job.source, job.source_name, job.namespace, name)
    release = record.release
    console.step(f"promote: release {release.number} from {job.source_name} to {job.target_name}")
    # What the target refuses anyway is refused before the source is read.
    decision = _decide(job, record)
    found = find(job.source, record, job.namespace, job.base_names)
    if not decision.keeps_record:
        found = _without_documents_of_record(job, record, found)
    refused: tuple[Refused, ...] = ()
    with _writing(job.target):
        found = documents.without_other_signatures(found, job.target)
        has_tags = _has_tags(job, found, decision)
        missing = transfer.compare(found, job.target)
        tags = documents.missing_tags(found, job.target)
        was_there = has_tags and not (missing.manifests or missing.documents or missing.blobs or tags)
        _print_work(found, missing)
        sender = Transfer(job.source, job.target, progress)
        if not was_there:
            transfer.check_source(job.source, missing)
            _check_target(job, missing, tags)
            with _kept():
                sender.run(missing.blobs)
                refused = documents.write(found, missing, tags, job.target)
                _print_refused(job, found, refused)
                decision = _move_tags(job, record, found)
    lacking = {each.place for each in missing.documents} | {each.stored.place for each in refused}
    return Promoted(
        release=release.number,
        number=decision.release.number,
        images=tuple(
            f"{job.target.reference(image.repository, image.tag(decision.release.number))}@{image.digest}"
            for image in release.images
        ),
        latest=bool(decision.rolling),
        attachments_sent=len(lacking) - len(refused),
        attachments_there=len(found.documents) - len(lacking),
        attachments_refused=tuple(
            RefusedAttachment(
                reference=job.source.reference(*each.stored.place),
                type=type_of(each.stored.manifest) or each.stored.manifest.media_type,
                reason=each.reason,
            )
            for each in refused
        ),
        blobs_sent=sender.blobs_sent,
        bytes_sent=sender.bytes_sent,
        blobs_mounted=sender.blobs_mounted,
        blobs_there=missing.blobs_there,
        bytes_there=missing.bytes_there,
        was_there=was_there,
        seconds=time.monotonic() - began,
    )


def _without_documents_of_record(job: Job, record: Record, found: Found) -> Found:
    """Leave out what belongs to a record of which the target has another version, with another digest."""
    smaller = found.without_documents_in(job.repository)
    if smaller != found:
        console.warn(
            f"what is attached to the record of release {record.release.number} is not copied: the target has a record "
            "of its own, since 'latest' differs there"
        )
    return smaller


def _decide(job: Job, record: Record) -> Decision:
    known = read_known(job.target, job.repository, record.release.number)
    return decide(record, known, job.origin, _today(job.target), job.rules, job.target_name)


def _today(target: TransferClient | LayoutTarget) -> datetime.date:
    """The day by the clock of a registry, which all runs share."""
    now = target.now() if isinstance(target, TransferClient) else datetime.datetime.now(datetime.UTC)
    return now.date()


def _has_tags(job: Job, found: Found, decision: Decision) -> bool:
    """Tell whether the target has the records and tags; raise if it has others under immutable tags."""
    tags = _tags(job.target, decision)
    check_tags(decision, tags, job.target)
    bases = missing_base_tags(found.bases, job.target)
    return not decision.records and not bases and tags == decision.tags


def _tags(target: TransferClient | LayoutTarget, decision: Decision) -> dict[Place, str | None]:
    places = list(decision.tags)
    return dict(zip(places, run_parallel(lambda place: target.digest(*place), places), strict=True))


def _check_target(job: Job, missing: Missing, tags: Iterable[Place]) -> None:
    """Check that the target may be written, before anything is sent."""
    target = job.target
    if isinstance(target, LayoutTarget):
        free = target.free_bytes()
        if missing.bytes + _SLACK > free:
            raise PipelineError(
                f"the disk has too little space: {console.size(missing.bytes)} are to be written, and "
                f"{console.size(free)} are free",
                where=job.target_name,
                fix="free space there, or name another folder",
            )
        return
    repositories = {job.repository, *(repository for repository, _ in tags)}
    repositories |= {each.repository for each in (*missing.manifests, *missing.documents)}
    run_parallel(target.check_push, sorted(repositories))


def _move_tags(job: Job, record: Record, found: Found) -> Decision:
    if isinstance(job.target, LayoutTarget):
        return _name_all(job, job.target, record, found)
    tags = RegistryTags(remote=job.target, repository=job.repository, origin=job.origin, rules=job.rules)
    return tags.move(found, lambda: _decide(job, record))


def _name_all(job: Job, target: LayoutTarget, record: Record, found: Found) -> Decision:
    """Write the records and all tags of a folder: its index has them from one moment on."""
    decision = _decide(job, record)
    check_tags(decision, _tags(target, decision), target)
    manifests = found.manifests()
    for (repository, tag), digest in {**missing_base_tags(found.bases, target), **decision.tags}.items():
        target.put_tag(repository, tag, manifests[repository, digest])
    for new in decision.records:
        for content in (EMPTY_CONTENT, new.content):
            target.upload(job.repository, digest_of(content), len(content), [content])
        target.put_manifest(job.repository, new.manifest)
        target.put_tag(job.repository, new.number, new.manifest)
    target.write_index()
    return decision


@contextlib.contextmanager
def _writing(target: TransferClient | LayoutTarget) -> Iterator[None]:
    """Hold a folder; the lock of a registry is held only while tags move."""
    if isinstance(target, LayoutTarget):
        with target.writing():
            yield
    else:
        yield


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Add to a failure that the next run sends the rest."""
    kept = "what was sent is kept; the same command sends the rest"
    try:
        yield
    except PipelineError as error:
        add_details(error, kept)
        raise
    except KeyboardInterrupt:
        console.warn(kept)
        raise


def _print_refused(job: Job, found: Found, refused: tuple[Refused, ...]) -> None:
    if len(refused) == len(found.documents) > 0:
        console.warn(
            f"{job.target_name} does not accept attachments: it has neither the recipes nor the test reports of the "
            "images"
        )
    elif refused:
        console.warn(
            f"{job.target_name} does not accept {len(refused)} of {console.count(len(found.documents), 'attachment')}"
        )


def _print_work(found: Found, missing: Missing) -> None:
    count, sent = console.count, missing.to_send
    total = missing.blobs_there + len(sent)
    amounts = {
        "image": len(found.images) - len(found.bases),
        "base": len(found.bases),
        "attachment": len(found.documents),
    }
    console.info(f"{', '.join(count(each, noun) for noun, each in amounts.items() if each)}: {count(total, 'blob')}")
    if missing.blobs_there and sent:
        console.info(
            f"{missing.blobs_there} of {count(total, 'blob')} ({console.size(missing.bytes_there)}) are there already; "
            f"{len(sent)} ({console.size(missing.bytes)}) are to be sent"
        )
    elif sent:
        console.info(f"{console.size(missing.bytes)} are to be sent")
