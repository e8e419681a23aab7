"""What is known of a published image: the facts that are compared.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer as the registry has it."""

    digest: str
    #: Bytes, compressed.
    size: int
    media_type: str = ""
    #: The digest of its content, uncompressed; empty where the configuration does not name it.
    diff_id: str = ""
    #: The command that made it; empty where the configuration does not name it.
    created_by: str = ""
    #: What it is: ``numpy 2.5.4`` where a report names its packages, else the command in short; empty if it is unknown.
    title: str = ""

    @property
    def content(self) -> str:
        """The same for the same content, however it is compressed."""
        return self.diff_id or self.digest


@dataclass(frozen=True, kw_only=True)
class Blobs:
    """What a first pull of an image fetches besides the manifest: digest → bytes, compressed."""

    config: Mapping[str, int]
    layers: Mapping[str, int]

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum({**self.config, **self.layers}.values())


@dataclass(frozen=True, kw_only=True)
class Packages:
    """The packages of an image, name → version; None where they are not known."""

    python: Mapping[str, str] | None = None
    debian: Mapping[str, str] | None = None
    #: Where they were read: ``test report``, ``recipe``, ``layers``; empty if nothing is known.
    source: str = ""

    @property
    def are_known(self) -> bool:
        return self.python is not None and self.debian is not None


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """A published image."""

    #: As a person names it: ``registry.example/azureml/sklearn-…:20261126.v1``.
    reference: str
    #: Of the image's manifest, also where the reference names an index.
    digest: str
    config_digest: str
    #: Bytes.
    config_size: int
    layers: tuple[Layer, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The rest of the configuration that people rely on: ``user``, ``command``, ``ports``, …
    settings: Mapping[str, str] = field(default_factory=dict)
    packages: Packages = Packages()

    @property
    def blobs(self) -> Blobs:
        """What a first pull fetches."""
        layers = {layer.digest: layer.size for layer in self.layers}
        return Blobs(config={self.config_digest: self.config_size}, layers=layers)

    @property
    def size(self) -> int:
        """Bytes of a first pull."""
        return self.blobs.size
