"""Documents attached to an image in a registry, so that whoever finds the image finds them too.

An attachment is a manifest of its own whose ``subject`` is the image's (OCI image specification 1.1, artifacts;
distribution specification 1.1, referrers). Registries without the referrers API keep the list in a tag made of the
subject's digest, as the specification says. ``oras discover`` and ``oras pull`` read both.
"""

from __future__ import annotations

from typing import Any

from build.registry.client import Client
from build.registry.manifests import INDEX, MANIFEST, Manifest, descriptor, to_manifest

_EMPTY = "application/vnd.oci.empty.v1+json"
_EMPTY_CONTENT = b"{}"
#: The annotation with the time, ISO 8601 in UTC: the newest of several attachments is the one that counts.
_CREATED = "org.opencontainers.image.created"


def attach(
    client: Client,
    repository: str,
    subject: Manifest,
    content: bytes,
    *,
    media_type: str,
    title: str,
    created: str,
    annotations: dict[str, str] | None = None,
) -> bool:
    """Attach a document to an image.

    Args:
        client: The registry's.
        repository: As the matrix names it.
        subject: The image's manifest, which the repository has.
        content: The document.
        media_type: Its type, which is the attachment's too.
        title: The file's name for those who pull it.
        created: ISO 8601, UTC.
        annotations: More words about it, in the list of attachments too.

    Returns:
        Whether the registry takes such manifests; where it does not, nothing is changed.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    notes = {_CREATED: created, **(annotations or {})}
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": media_type,
        "config": descriptor(_EMPTY, _EMPTY_CONTENT),
        "layers": [descriptor(media_type, content) | {"annotations": {"org.opencontainers.image.title": title}}],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": len(subject.content)},
        "annotations": notes,
    }
    manifest = to_manifest(document, MANIFEST)
    listed = client.put_artifact(repository, manifest, [_EMPTY_CONTENT, content])
    if listed is None:
        return False
    if not listed:
        entry = descriptor(MANIFEST, manifest.content) | {"artifactType": media_type, "annotations": notes}
        others = [each for each in _in_tag(client, repository, subject.digest) if each["digest"] != entry["digest"]]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, entry]}
        client.put_tag(repository, _tag(subject.digest), to_manifest(index, INDEX))
    return True


def attached(client: Client, repository: str, digest: str, media_type: str) -> list[dict[str, Any]]:
    """The descriptors of an image's attachments of one type, the newest first.

    Args:
        client: The registry's.
        repository: As the matrix names it.
        digest: Of the image's manifest.
        media_type: The attachments' type.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    found = client.referrers(repository, digest)
    if not found:  # no such API, or attached before the registry had it
        found = _in_tag(client, repository, digest)
    mine = [each for each in found if each.get("artifactType") == media_type]
    return sorted(mine, key=lambda each: str((each.get("annotations") or {}).get(_CREATED, "")), reverse=True)


def read(client: Client, repository: str, attachment: dict[str, Any]) -> bytes:
    """The document of an attachment that `attached` found.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    manifest = client.manifest(repository, str(attachment["digest"]))
    return client.read_blob(repository, str(manifest.document["layers"][0]["digest"]))


def _in_tag(client: Client, repository: str, digest: str) -> list[dict[str, Any]]:
    if client.digest(repository, _tag(digest)) is None:
        return []
    found = client.manifest(repository, _tag(digest)).document.get("manifests")
    return list(found) if isinstance(found, list) else []


def _tag(digest: str) -> str:
    """The referrers tag of a digest: ``sha256-…``."""
    return digest.replace(":", "-")
