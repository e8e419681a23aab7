"""The documents that a registry has of an image: manifests, and the blobs that they name.  Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
#: The configuration of a manifest that is not an image (OCI image specification 1.1, "Guidance for an Empty
#: Descriptor").
EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY_CONTENT = b"{}"

#: The types of a manifest that names further manifests.
INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
#: The types that are asked for.
MANIFESTS = (*INDEXES, MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest or an index, byte for byte."""

    digest: str
    media_type: str
    content: bytes

    @property
    def document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.content)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        if not isinstance(document, dict):
            raise ValueError("a manifest is a JSON object")
        return document


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A layer or a configuration of an image in the registry."""

    digest: str
    #: Bytes, as stored (compressed).
    size: int
    #: A layer's digest uncompressed: what the engine knows it by. None for a configuration.
    diff_id: str | None


def digest_of(content: bytes) -> str:
    """The digest under which a registry stores a content: ``sha256:…``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def is_digest(text: str) -> bool:
    """Tell whether a text is a digest, and not a tag.

    https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
    """
    return _DIGEST.fullmatch(text) is not None


def subject_of(manifest: Manifest) -> str | None:
    """Return the digest of the manifest that a manifest is attached to; None if it is attached to none."""
    try:
        return str(manifest.document["subject"]["digest"])
    except (ValueError, LookupError, TypeError):
        return None


def type_of(manifest: Manifest) -> str:
    """Return the type of the artifact that a manifest describes, else of its configuration; empty if none is named."""
    document = manifest.document
    config = document.get("config")
    kind = document.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else None)
    return str(kind or "")


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    """How a manifest names a content."""
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def to_manifest(document: dict[str, Any], media_type: str) -> Manifest:
    """Write a document as a manifest."""
    content = json.dumps(document, separators=(",", ":")).encode()
    return Manifest(digest=digest_of(content), media_type=media_type, content=content)


def named_blobs(manifest: Manifest) -> dict[str, int] | None:
    """The blobs that the manifest of one image names: digest → bytes as stored, the configuration first.

    Returns:
        None where it is not the manifest of one image: an index, or a document that is not as specified.
    """
    try:
        document = manifest.document
        entries = [document["config"], *document["layers"]]
        return {str(each["digest"]): int(each["size"]) for each in entries}
    except (ValueError, KeyError, TypeError):
        return None


def config_of(manifest: Manifest) -> str | None:
    """The digest of the configuration that an image's manifest names; None for what is not one."""
    return next(iter(named_blobs(manifest) or ()), None)


def layers_of(manifest: Manifest) -> tuple[str, ...]:
    """The digests of the layers that an image's manifest names; none for what is not one."""
    return tuple(named_blobs(manifest) or ())[1:]


def compression_of(manifest: Manifest) -> str:
    """How the layers of an image are compressed: ``gzip``, ``zstd``, ``gzip and zstd``; empty if that is not known."""
    try:
        types = [str(layer["mediaType"]) for layer in manifest.document["layers"]]
    except (ValueError, LookupError, TypeError):
        return ""
    # Docker's own types write `.tar.gzip`, those of OCI `.tar+gzip`.
    return " and ".join(name for name in ("gzip", "zstd") if any(each.endswith(name) for each in types))


def size_of(manifest: Manifest) -> int:
    """The bytes of the layers and the configuration that an image's manifest names, as stored."""
    return sum((named_blobs(manifest) or {}).values())


def blobs_of(manifest: Manifest, config: bytes) -> dict[str, Blob]:
    """The blobs of an image, by digest.

    Args:
        manifest: The image's manifest, not an index.
        config: The image's configuration, which has the layers' uncompressed digests.
    """
    document = manifest.document
    named = document["config"]
    blobs = {named["digest"]: Blob(digest=named["digest"], size=named["size"], diff_id=None)}
    diff_ids = json.loads(config).get("rootfs", {}).get("diff_ids", [])
    for number, layer in enumerate(document["layers"]):
        diff_id = diff_ids[number] if number < len(diff_ids) else None
        blobs[layer["digest"]] = Blob(digest=layer["digest"], size=layer["size"], diff_id=diff_id)
    return blobs
