"""The index of an OCI image layout: which manifests it has, and under which tags.  Pure.

OCI image specification, "Image Layout": ``index.json`` has a descriptor for each tag, with the tag in the annotation
``org.opencontainers.image.ref.name``. Here the annotation has the repository too: ``azureml/sklearn-…:20261126.v1``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from build.registry.manifests import INDEX, Manifest

#: The annotation with the name of a manifest.
REF_NAME = "org.opencontainers.image.ref.name"

#: How an index names a manifest (OCI image specification, "Content Descriptors").
Descriptor = Mapping[str, Any]


def name_of(repository: str, tag: str) -> str:
    """The name of a tag: ``azureml/sklearn-…:20261126.v1``."""
    return f"{repository}:{tag}"


def read(content: bytes) -> list[Descriptor]:
    """Read ``index.json``.

    Raises:
        ValueError: It is not an index.
    """
    try:
        document = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    entries = document.get("manifests") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it has no list of manifests")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
            raise ValueError("an entry has no digest")
        if not isinstance(entry.get("annotations") or {}, dict):
            raise ValueError("the annotations of an entry are not an object")
    return entries


def names(entries: Collection[Descriptor]) -> dict[str, Descriptor]:
    """The entries that have a name, by their names."""
    named = {(entry.get("annotations") or {}).get(REF_NAME): entry for entry in entries}
    return {name: entry for name, entry in named.items() if isinstance(name, str)}


def merged(
    entries: Collection[Descriptor], tags: Mapping[str, Manifest], others: Collection[Manifest]
) -> list[Descriptor]:
    """Move tags of an index, and add manifests that have none.

    Args:
        entries: The index. Entries of other names stay as they are.
        tags: Name → the manifest that it is to point to.
        others: Manifests that are found by what they refer to.

    Returns:
        The new index; the same content in the same order if nothing changes.
    """
    before = names(entries)
    moved = {name: each for name, each in tags.items() if before.get(name, {}).get("digest") != each.digest}
    kept = [entry for entry in entries if (entry.get("annotations") or {}).get(REF_NAME) not in moved]
    added = [_descriptor(each) | {"annotations": {REF_NAME: name}} for name, each in sorted(moved.items())]
    known = {entry["digest"] for entry in (*kept, *added)}
    return [*kept, *added, *(_descriptor(each) for each in others if each.digest not in known)]


def to_json(entries: Collection[Descriptor]) -> str:
    """Write ``index.json``."""
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}
    return json.dumps(document, indent=2) + "\n"


def _descriptor(manifest: Manifest) -> dict[str, Any]:
    document = manifest.document
    found = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.content)}
    kind = document.get("artifactType")
    return found | ({"artifactType": kind} if isinstance(kind, str) else {})
