"""The content of a registry for each image: its tags, manifests, configurations and test reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.platforms import LINUX_AMD64
from build.registry import attachments
from build.registry.client import Client
from build.registry.manifests import Manifest
from build.registry.tags import LATEST, dated
from build.system.parallel import run_parallel
from build.verify import reports
from build.verify.reports import Report

#: The number of dated tags of an image that are read, the newest first; the rest are counted.
HISTORY = 8


@dataclass(frozen=True, kw_only=True)
class StoredLayer:
    """A layer as the registry has it."""

    digest: str
    #: Bytes, compressed.
    size: int
    #: The command of the Dockerfile that made it; empty where the configuration does not name it.
    created_by: str


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One published state of an image."""

    #: The digest of the manifest: ``sha256:…``.
    digest: str
    layers: tuple[StoredLayer, ...]
    #: Bytes of its configuration, which is pulled too.
    config_size: int
    #: The configuration's ``config``: Env, Cmd, User, Labels and so on.
    config: Mapping[str, Any]
    #: Its test report; None where none is attached.
    report: Report | None

    @property
    def size(self) -> int:
        """Bytes of a first pull."""
        return self.config_size + sum({layer.digest: layer.size for layer in self.layers}.values())

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.get("Labels") or {}


@dataclass(frozen=True, kw_only=True)
class DatedTag:
    """An immutable tag of a run, ``20261125.v1``, and the digest that it points to."""

    tag: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """An image in the registry."""

    current: Stored
    #: Whether ``latest`` points to the current state. An image of a stand-in base has no ``latest``: its newest dated
    #: tag is the current state.
    is_latest: bool
    #: Newest first, `HISTORY` of them.
    history: tuple[DatedTag, ...]
    #: The number of all dated tags.
    tags: int
    #: The state before the current one, where a dated tag points to another.
    previous: Stored | None
    #: The tag of the previous state.
    previous_tag: str | None = None

    @property
    def tag(self) -> DatedTag | None:
        """The newest dated tag of the current state."""
        return next((tag for tag in self.history if tag.digest == self.current.digest), None)


def ask(client: Client, repositories: Sequence[str]) -> dict[str, Published]:
    """Ask a registry about repositories; those that it does not have are left out.

    Args:
        client: The client of the registry.
        repositories: As the matrix names them: ``azureml/sklearn-…``.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    answers = run_parallel(lambda repository: _published(client, repository), repositories)
    return {name: answer for name, answer in zip(repositories, answers, strict=True) if answer is not None}


def _published(client: Client, repository: str) -> Published | None:
    tags = client.tags(repository)
    runs = dated(tags)
    manifests = {run.tag: client.manifest(repository, run.tag) for run in runs[:HISTORY]}
    latest = client.manifest(repository, LATEST) if LATEST in tags else None
    current = latest or next(iter(manifests.values()), None)
    if current is None:
        return None
    history = tuple(DatedTag(tag=tag, digest=manifest.digest) for tag, manifest in manifests.items())
    positions = [position for position, tag in enumerate(history) if tag.digest == current.digest]
    older = history[positions[0] if positions else 0 :]
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
    if "manifests" in document:  # an index, from another tool or the registry itself: take the image for this platform
        entries = document["manifests"]
        fitting = [entry for entry in entries if (entry.get("platform") or {}).get("architecture") == LINUX_AMD64.go]
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
    """Read the newest attached report that this program understands."""
    for entry in attachments.attached(client, repository, digest, reports.MEDIA_TYPE):
        report = reports.parse(attachments.read(client, repository, entry))
        if report is not None:
            return report
    return None
