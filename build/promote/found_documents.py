"""What belongs to a manifest: its attachments, and what cosign's tags name.  Reads the source and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from build.promote.stores import Source
from build.publish.release import Place
from build.registry.manifests import Manifest, is_digest, named_blobs, subject_of
from build.registry.signature_tags import tags_of
from build.system import console
from build.system.parallel import WORKERS, run_parallel


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A manifest in a repository."""

    repository: str
    manifest: Manifest

    @property
    def place(self) -> Place:
        return self.repository, self.manifest.digest

    @property
    def blobs(self) -> dict[str, int]:
        """What it names: digest → bytes; none for an index."""
        return named_blobs(self.manifest) or {}


@dataclass(frozen=True, kw_only=True)
class Documents:
    """What belongs to some manifests of a repository."""

    #: What is attached to them, and to other attachments; after what it refers to.
    attachments: tuple[Stored, ...]
    #: What cosign's tags name of the manifests and of their attachments.
    signatures: tuple[Stored, ...]
    #: The tags that name an attachment or a signature, with their digests.
    tags: Mapping[Place, str]


def find_documents(
    source: Source,
    repository: str,
    digests: Collection[str],
    tags: Collection[str],
    document_tags: Iterable[str],
    *,
    workers: int = WORKERS,
) -> Documents:
    """Find what belongs to some manifests.

    Args:
        source: Where they are.
        repository: Their repository.
        digests: The digests of the manifests; what an index names comes before the index.
        tags: All tags of the repository.
        document_tags: The tags that name attachments. Those of other manifests are left out.
        workers: The number of these tags that are read at a time.

    Raises:
        RegistryError: The source is not there, refuses, or fails.
    """
    attachments = {
        each.place: each for digest in digests for each in _attached(source, repository, digest, frozenset({digest}))
    }
    named: dict[Place, str] = {}
    wanted = sorted(document_tags)
    read = run_parallel(lambda tag: source.find_manifest(repository, tag), wanted, workers=workers)
    for tag, document in zip(wanted, read, strict=True):
        if document is None or subject_of(document) not in digests:
            continue  # gone in the meantime, or about another manifest: another image of the same recipe
        stored = Stored(repository=repository, manifest=document)
        attachments.setdefault(stored.place, stored)
        named[repository, tag] = document.digest
    signed = [*digests, *(each.manifest.digest for each in attachments.values())]
    signatures = _signatures(source, repository, signed, tags)
    return Documents(
        attachments=tuple(attachments.values()),
        signatures=tuple(signatures.values()),
        tags=named | {place: each.manifest.digest for place, each in signatures.items()},
    )


def _attached(source: Source, repository: str, digest: str, above: frozenset[str]) -> list[Stored]:
    """What is attached to a manifest, and to that in turn."""
    found: list[Stored] = []
    for each in source.attachments(repository, digest):
        if each in above or not is_digest(each):
            continue
        manifest = source.find_manifest(repository, each)
        if manifest is None:
            console.warn(f"{source.reference(repository, each)} is listed as an attachment, but does not exist")
            continue
        if subject_of(manifest) != digest:  # anyone who may push can write the list
            console.warn(f"{source.reference(repository, each)} is listed as an attachment of another manifest")
            continue
        found.append(Stored(repository=repository, manifest=manifest))
        found += _attached(source, repository, manifest.digest, above | {manifest.digest})
    return found


def _signatures(source: Source, repository: str, digests: Iterable[str], tags: Collection[str]) -> dict[Place, Stored]:
    """What the tags of signatures name of some manifests, and of that in turn."""
    found: dict[Place, Stored] = {}
    pending = list(dict.fromkeys(digests))
    for digest in pending:  # which grows: a signature may be signed, too
        for tag in (tag for tag in tags_of(digest) if tag in tags):
            manifest = source.find_manifest(repository, tag)
            if manifest is None:
                continue  # gone in the meantime
            if named_blobs(manifest) is None:
                console.warn(f"{source.reference(repository, tag)} is not in cosign's form, and is left out")
                continue
            found[repository, tag] = Stored(repository=repository, manifest=manifest)
            if manifest.digest not in pending:  # anyone who may push can make a circle of tags
                pending.append(manifest.digest)
    return found
