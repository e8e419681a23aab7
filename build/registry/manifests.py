"""What a registry has of an image: manifests and blobs.  Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest or an index, byte for byte."""

    digest: str
    media_type: str
    content: bytes

    @property
    def document(self) -> dict[str, Any]:
        document = json.loads(self.content)
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
