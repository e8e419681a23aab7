"""The manifest and the configuration of an image as the facts that are compared.  Pure.

Images may come from any registry and any tool: what is read is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from build.diff.facts import Blobs, ImageFacts, Layer
from build.platforms import Platform
from build.registry.manifests import Manifest, is_digest

#: The types of an image's configuration; other artifacts have others.
_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
#: Keys of ``config`` in an image's configuration (OCI image specification 1.1, "Image Configuration"; Docker adds
#: Healthcheck, Shell and OnBuild) → what they are called.
_SETTINGS = {
    "User": "user",
    "Entrypoint": "entrypoint",
    "Cmd": "command",
    "WorkingDir": "working directory",
    "ExposedPorts": "ports",
    "Volumes": "volumes",
    "StopSignal": "stop signal",
    "Healthcheck": "health check",
    "Shell": "shell",
    "OnBuild": "build triggers",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Descriptor(_Part):
    """How a manifest names a content."""

    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    size: int = Field(ge=0)
    mediaType: str = ""


class ImageManifest(_Part):
    """The manifest of one image."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


class _History(_Part):
    created_by: str = ""
    empty_layer: bool = False


class _RootFs(_Part):
    diff_ids: tuple[str, ...] = ()


class _Configuration(_Part):
    os: str = ""
    architecture: str = ""
    variant: str = ""
    config: Mapping[str, Any] | None = None
    rootfs: _RootFs = _RootFs()
    history: tuple[_History, ...] | None = None


class NotAnImageError(ValueError):
    """A manifest that is not one of an image; the message says what it is."""


def read_manifest(manifest: Manifest) -> ImageManifest:
    """Read the manifest of one image.

    Raises:
        NotAnImageError: It is something else.
    """
    document = manifest.document
    try:
        found = ImageManifest.model_validate(document)
    except ValidationError as failure:
        raise NotAnImageError(f"its manifest is not one of an image ({_first(failure)})") from None
    if found.config.mediaType not in _CONFIGS:
        kind = document.get("artifactType") or found.config.mediaType
        raise NotAnImageError(f"it is an artifact of the type {kind}")
    return found


def choose(manifest: Manifest, platform: Platform) -> str:
    """Return the digest of the image for a platform that an index names.

    Raises:
        NotAnImageError: It names none.
    """
    entries = manifest.document.get("manifests")
    there: list[str] = []
    for entry in entries if isinstance(entries, list) else ():
        described = (entry.get("platform") or {}) if isinstance(entry, dict) else {}
        name = f"{described.get('os')}/{described.get('architecture')}" if isinstance(described, dict) else ""
        if name == platform.oci and is_digest(str(entry.get("digest"))):
            return str(entry["digest"])
        there.append(name)
    raise NotAnImageError(f"it has no image for {platform.oci}, but for {', '.join(sorted(set(there))) or 'none'}")


def blobs_of(manifest: ImageManifest) -> Blobs:
    """Return what a manifest names."""
    return Blobs(
        config={manifest.config.digest: manifest.config.size},
        layers={layer.digest: layer.size for layer in manifest.layers},
    )


def to_facts(reference: str, digest: str, manifest: ImageManifest, content: bytes) -> ImageFacts:
    """Put together what the manifest and the configuration say.

    Args:
        reference: The image, as a person names it.
        digest: Of the manifest.
        manifest: The manifest.
        content: The configuration.

    Raises:
        NotAnImageError: It is not the configuration of an image.
    """
    try:
        configuration = _Configuration.model_validate_json(content)
    except ValidationError as failure:
        raise NotAnImageError(f"its configuration cannot be read ({_first(failure)})") from None
    config = configuration.config or {}
    platform = "/".join(part for part in (configuration.os, configuration.architecture, configuration.variant) if part)
    settings = {name: _text(config[key]) for key, name in _SETTINGS.items() if config.get(key)}
    return ImageFacts(
        reference=reference,
        digest=digest,
        config_digest=manifest.config.digest,
        config_size=manifest.config.size,
        layers=_layers(manifest.layers, configuration),
        environment=_environment(config.get("Env")),
        labels=_labels(config.get("Labels")),
        settings=settings | ({"platform": platform} if platform else {}),
    )


def _layers(descriptors: Sequence[Descriptor], configuration: _Configuration) -> tuple[Layer, ...]:
    commands = [each.created_by for each in configuration.history or () if not each.empty_layer]
    diff_ids = list(configuration.rootfs.diff_ids)
    count = len(descriptors)
    return tuple(
        Layer(digest=each.digest, size=each.size, media_type=each.mediaType, diff_id=diff_id, created_by=command)
        for each, diff_id, command in zip(
            descriptors,
            diff_ids if len(diff_ids) == count else [""] * count,
            commands if len(commands) == count else [""] * count,
            strict=True,
        )
    )


def _environment(entries: Any) -> dict[str, str]:
    pairs = (str(entry).partition("=") for entry in entries) if isinstance(entries, list) else ()
    return {name: value for name, _, value in pairs}


def _labels(entries: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in entries.items()} if isinstance(entries, Mapping) else {}


def _text(value: Any) -> str:
    """A value on one line: a set of names as these, a command as JSON, as a Dockerfile writes it."""
    if isinstance(value, Mapping) and not any(value.values()):
        return " ".join(sorted(map(str, value)))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _first(failure: ValidationError) -> str:
    error = failure.errors(include_url=False)[0]
    return ": ".join(part for part in (".".join(map(str, error["loc"])), error["msg"]) if part)
