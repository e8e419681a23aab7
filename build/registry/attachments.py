"""Documents that are attached to an image in a registry.

An attachment is a manifest whose ``subject`` is the image (OCI image specification 1.1, artifacts;
distribution specification 1.1, referrers). Registries without the referrers API keep the list in a tag made of the
subject's digest, as the specification says. ``oras discover`` and ``oras pull`` read both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from build.errors import RegistryError
from build.registry.client import Client
from build.registry.failures import ImmutableTagError
from build.registry.manifests import (
    EMPTY,
    EMPTY_CONTENT,
    INDEX,
    MANIFEST,
    Manifest,
    descriptor,
    layers_of,
    to_manifest,
    type_of,
)
from build.system import console

#: The annotation with the time, ISO 8601 in UTC: the newest of several attachments is the one that counts.
_CREATED = "org.opencontainers.image.created"


def attach(
    client: Client,
    repository: str,
    subject: Manifest,
    content: bytes | None,
    *,
    media_type: str,
    title: str,
    created: str,
    annotations: dict[str, str] | None = None,
    tag: str | None = None,
) -> bool:
    """Attach a document to an image.

    Args:
        client: The client of the registry.
        repository: The repository in the matrix.
        subject: The manifest of the image, which the repository has.
        content: The document; None if the annotations say everything.
        media_type: Its media type, which is also the attachment's type.
        title: The file name for those who pull it.
        created: ISO 8601, UTC.
        annotations: Further annotations, which are shown in the list of attachments too.
        tag: A tag of the attachment, by which it is found with one request. It is written last.

    Returns:
        Whether the registry accepts such manifests; if it does not, nothing is changed.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    notes = {_CREATED: created, **(annotations or {})}
    # Without a document: https://github.com/opencontainers/image-spec/blob/main/manifest.md, artifact usage.
    layer = descriptor(EMPTY, EMPTY_CONTENT)
    if content is not None:
        layer = descriptor(media_type, content) | {"annotations": {"org.opencontainers.image.title": title}}
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": media_type,
        "config": descriptor(EMPTY, EMPTY_CONTENT),
        "layers": [layer],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": len(subject.content)},
        "annotations": notes,
    }
    manifest = to_manifest(document, MANIFEST)
    is_listed = client.put_artifact(
        repository, manifest, [EMPTY_CONTENT] if content is None else [EMPTY_CONTENT, content]
    )
    if is_listed is None:
        return False
    there = f"{title} of {client.registry.reference(repository, subject.digest)} is in the registry"
    if not is_listed:
        _add_to_tag(client, repository, subject.digest, [manifest], there)
    if tag is not None:
        _put_tag(client, repository, tag, manifest, f"{there}, but its tag {tag} is not on it: tags cannot be moved")
    return True


def ensure_listed(client: Client, repository: str, digest: str, attached_manifests: Sequence[Manifest]) -> None:
    """List attachments that the registry has in the tag of their subject, if it has no API that lists them.

    Args:
        client: The client of the registry.
        repository: The repository in the matrix.
        digest: The digest of their subject.
        attached_manifests: The attachments; those that are listed already stay as they are.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    listed = {each["digest"] for each in all_attached(client, repository, digest)}
    missing = [each for each in attached_manifests if each.digest not in listed]
    if missing:
        what = f"what is attached to {client.registry.reference(repository, digest)} is in the registry"
        _add_to_tag(client, repository, digest, missing, what)


def put_tag(client: Client, repository: str, tag: str, manifest: Manifest) -> None:
    """Write the tag of an attachment; a warning where the registry does not let it be moved."""
    there = f"{client.registry.reference(repository, manifest.digest)} is in the registry"
    _put_tag(client, repository, tag, manifest, f"{there}, but its tag {tag} is not on it: tags cannot be moved")


def _add_to_tag(client: Client, repository: str, digest: str, manifests: Sequence[Manifest], there: str) -> None:
    """Add attachments to the list that is a tag; ``there`` is what is said of them if the tag cannot be moved."""
    new = {each.digest: entry_of(each) for each in manifests}
    others = [each for each in _in_tag(client, repository, digest) if _is_entry(each) and each["digest"] not in new]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, *new.values()]}
    why = "is not listed: the list of attachments is a tag there, and tags cannot be moved"
    _put_tag(client, repository, _tag(digest), to_manifest(index, INDEX), f"{there}, but {why}")


def entry_of(manifest: Manifest) -> dict[str, Any]:
    """The descriptor of an attachment in the list, as the specification wants it ("Pushing Manifests with Subject")."""
    named = {"artifactType": type_of(manifest), "annotations": manifest.document.get("annotations")}
    return descriptor(manifest.media_type, manifest.content) | {key: value for key, value in named.items() if value}


def _put_tag(client: Client, repository: str, tag: str, manifest: Manifest, refused: str) -> None:
    """Write a tag. Where the registry does not let it be moved, that is a warning: the attachment itself is there."""
    try:
        client.put_tag(repository, tag, manifest)
    except ImmutableTagError:
        console.warn(refused)


def attached(client: Client, repository: str, digest: str, media_type: str) -> list[dict[str, Any]]:
    """List the descriptors of an image's attachments of one type, the newest first.

    Args:
        client: The client of the registry.
        repository: The repository in the matrix.
        digest: The digest of the image's manifest.
        media_type: The type of the attachments.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    return of_type(all_attached(client, repository, digest), media_type)


def of_type(entries: Sequence[dict[str, Any]], media_type: str) -> list[dict[str, Any]]:
    """Choose the descriptors of attachments of one type, the newest first."""
    wanted = [each for each in entries if each.get("artifactType") == media_type]
    return sorted(wanted, key=lambda each: str((each.get("annotations") or {}).get(_CREATED, "")), reverse=True)


def all_attached(client: Client, repository: str, digest: str) -> list[dict[str, Any]]:
    """List the descriptors of all attachments of a manifest, in the registry's order.  Arguments as of ``attached``."""
    entries = client.referrers(repository, digest)
    if not entries:  # no such API, or attached before the registry had it
        entries = _in_tag(client, repository, digest)
    return [each for each in entries if _is_entry(each)]


def _is_entry(entry: Any) -> bool:
    """Tell whether an entry of a list is a descriptor; others may come from anywhere."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("digest"), str)
        and isinstance(entry.get("annotations") or {}, dict)
    )


def read(client: Client, repository: str, attachment: dict[str, Any]) -> bytes:
    """Read the document of an attachment.

    Args:
        client: The client of the registry.
        repository: The repository in the matrix.
        attachment: The descriptor that `attached` returned.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    manifest = client.manifest(repository, str(attachment["digest"]))
    documents = layers_of(manifest)
    if not documents:
        where = client.registry.reference(repository, manifest.digest)
        raise RegistryError("an attachment has no document", where=where, fix="remove it from the registry")
    return client.read_blob(repository, documents[0])


def _in_tag(client: Client, repository: str, digest: str) -> list[dict[str, Any]]:
    if client.digest(repository, _tag(digest)) is None:
        return []
    entries = client.manifest(repository, _tag(digest)).document.get("manifests")
    return list(entries) if isinstance(entries, list) else []


def _tag(digest: str) -> str:
    """The referrers tag of a digest: ``sha256-…``."""
    return digest.replace(":", "-")
