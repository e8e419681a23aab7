"""What a registry has of each image: its tags' history, manifests, configurations, and what was asserted of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from build.registry import attachments
from build.registry.client import Client
from build.registry.manifests import Manifest
from build.registry.tags import LATEST, dated
from build.verify import reports
from build.verify.reports import Report

#: Images asked for at a time.
_AT_ONCE = 16
#: Of an image's dated tags the newest so many are looked at; the rest are counted.
HISTORY = 8


@dataclass(frozen=True, kw_only=True)
class StoredLayer:
    """A layer as the registry has it."""

    digest: str
    #: Bytes, compressed: what a pull takes.
    size: int
    #: The command of the Dockerfile that made it; empty where the configuration does not say.
    created_by: str


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One published state of an image."""

    #: Of the manifest: ``sha256:…``.
    digest: str
    layers: tuple[StoredLayer, ...]
    #: The bytes of its configuration: pulled too.
    config_size: int
    #: The configuration's ``config``: Env, Cmd, User, Labels and so on.
    config: Mapping[str, Any]
    #: What was asserted of it; None where nothing is attached to it.
    report: Report | None

    @property
    def size(self) -> int:
        """Bytes to pull where nothing of it is there yet."""
        return self.config_size + sum({layer.digest: layer.size for layer in self.layers}.values())

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.get("Labels") or {}


@dataclass(frozen=True, kw_only=True)
class DatedTag:
    """An immutable tag of a run, ``20261125.v1``, and what it points to."""

    tag: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """An image in the registry."""

    current: Stored
    #: Whether ``latest`` points to the current state; else there is none (a stand-in), and it is the newest tag's.
    is_latest: bool
    #: Newest first, `HISTORY` of them.
    history: tuple[DatedTag, ...]
    #: How many dated tags there are in all.
    tags: int
    #: The state before the current one, where a dated tag has another.
    previous: Stored | None
    #: That one's tag.
    previous_tag: str | None = None

    @property
    def tag(self) -> DatedTag | None:
        """The newest dated tag of the current state."""
        return next((tag for tag in self.history if tag.digest == self.current.digest), None)


def ask(client: Client, repositories: Sequence[str]) -> dict[str, Published]:
    """What the registry has of these repositories; those that it does not have are left out.

    Args:
        client: The registry's.
        repositories: As the matrix names them: ``azureml/sklearn-…``.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda repository: _published(client, repository), repositories)
        return {name: found for name, found in zip(repositories, answers, strict=True) if found is not None}


def _published(client: Client, repository: str) -> Published | None:
    tags = client.tags(repository)
    runs = dated(tags)
    manifests = {run.tag: client.manifest(repository, run.tag) for run in runs[:HISTORY]}
    latest = client.manifest(repository, LATEST) if LATEST in tags else None
    current = latest or next(iter(manifests.values()), None)
    if current is None:
        return None
    history = tuple(DatedTag(tag=tag, digest=manifest.digest) for tag, manifest in manifests.items())
    places = [place for place, tag in enumerate(history) if tag.digest == current.digest]
    older = history[places[0] if places else 0 :]
    previous = next((tag.tag for tag in older if tag.digest != current.digest), None)
    return Published(
        current=_stored(client, repository, current),
        is_latest=latest is not None,
        history=history,
        tags=len(runs),
        previous=_stored(client, repository, manifests[previous]) if previous else None,
        previous_tag=previous,
    )


def _stored(client: Client, repository: str, manifest: Manifest) -> Stored:
    document = manifest.document
    if "manifests" in document:  # an index (a registry's own, or made by another tool): its image for this platform
        entries = document["manifests"]
        fitting = [entry for entry in entries if (entry.get("platform") or {}).get("architecture") == "amd64"]
        document = client.manifest(repository, (fitting or entries)[0]["digest"]).document
    config = json.loads(client.read_blob(repository, document["config"]["digest"]))
    commands = [
        str(entry.get("created_by", "")) for entry in config.get("history") or () if not entry.get("empty_layer")
    ]
    descriptors = document["layers"]
    if len(commands) != len(descriptors):
        commands = [""] * len(descriptors)
    return Stored(
        digest=manifest.digest,
        layers=tuple(
            StoredLayer(digest=layer["digest"], size=layer["size"], created_by=command)
            for layer, command in zip(descriptors, commands, strict=True)
        ),
        config_size=document["config"]["size"],
        config=config.get("config") or {},
        report=_report(client, repository, manifest.digest),
    )


def _report(client: Client, repository: str, digest: str) -> Report | None:
    """The newest report attached to an image that this program can read."""
    for entry in attachments.attached(client, repository, digest, reports.MEDIA_TYPE):
        report = reports.parse(attachments.read(client, repository, entry))
        if report is not None:
            return report
    return None
