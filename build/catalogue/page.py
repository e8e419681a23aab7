"""All that the catalogue says of one image.  Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from build.catalogue.changes import Change, Changes
from build.catalogue.record import RecordedImage
from build.catalogue.remote import Published
from build.images import environments
from build.images.dockerfiles import LABEL, STAND_IN
from build.variants.variant import Variant
from build.verify.reports import Package, Report


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A pin of the contract, and what is installed for it."""

    pin: str
    #: The installed version; None where the pin names it already, or nothing installed is known.
    installed: str | None


@dataclass(frozen=True, kw_only=True)
class PageLayer:
    """A layer of an image: published, or planned from the lock."""

    title: str
    #: ``base`` or ``packages``.
    kind: str
    #: In the registry; None where it is only planned.
    digest: str | None
    #: Bytes to pull; of a planned layer the bytes of its wheels, None where the index does not tell.
    size: int | None
    #: ``numpy 2.4.6``, each.
    packages: tuple[str, ...]
    #: The other images that have it.
    shared_with: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """Its place on the page of all layers."""
        return re.sub(r"[^A-Za-z0-9]+", "-", (self.digest or self.title).removeprefix("sha256:"))[:24]


@dataclass(frozen=True, kw_only=True)
class Page:
    """All that the catalogue says of one image."""

    variant: Variant
    #: For people: ``scikit-learn 1.9``.
    title: str
    #: For people: ``CPU``, ``CUDA 13.0.3 with cuDNN 9.12.0.46``.
    device_title: str
    #: Where it stands in its lifecycle: ``ended``, ``ending``, ``deprecated``, ``announced``, ``supported``.
    stage: str
    #: The same for people, with dates.
    stage_text: str
    #: The version's own promises and the framework's; then those of the server.
    promises: tuple[Promise, ...]
    server_promises: tuple[Promise, ...]
    python_packages: tuple[Package, ...]
    debian_packages: tuple[Package, ...]
    #: Whether the packages were read in the published image; else they are the lock's.
    packages_are_read: bool
    layers: tuple[PageLayer, ...]
    published: Published | None
    #: What was recorded when a registry was last asked; for where none was asked now.
    recorded: RecordedImage | None
    #: What changed since the previous dated tag.
    changes: Changes | None
    #: What the next build changes against what is published, of Python packages.
    ahead: tuple[Change, ...]
    #: Whether the published image is of another recipe than this checkout gives.
    is_ahead: bool

    @property
    def name(self) -> str:
        return self.variant.name

    @property
    def environment(self) -> str:
        return f"{environments.PREFIX}{self.name}"

    @property
    def report(self) -> Report | None:
        return self.published.current.report if self.published else None

    @property
    def stand_in(self) -> str | None:
        """The base that the published image stands on instead of its own."""
        if self.published:
            return self.published.current.labels.get(STAND_IN)
        return self.recorded.stand_in if self.recorded else None

    @property
    def cuda_is_absent(self) -> bool:
        """Whether the published image lacks the CUDA that its name says: its stand-in base does not have it."""
        return self.published is not None and self.published.current.labels.get(f"{LABEL}.cuda") == "absent"

    @property
    def size(self) -> int | None:
        """Bytes to pull where nothing of it is there yet."""
        if self.published:
            return self.published.current.size
        return self.recorded.size if self.recorded else None

    @property
    def tag(self) -> str | None:
        """The immutable tag of the published state."""
        if self.published:
            return self.published.tag.tag if self.published.tag else None
        return self.recorded.tag if self.recorded else None

    @property
    def digest(self) -> str | None:
        if self.published:
            return self.published.current.digest
        return self.recorded.digest if self.recorded else None

    @property
    def pull_tag(self) -> str:
        """The tag to pull: ``latest``, or the dated one where the image takes no ``latest``."""
        latest = self.published.is_latest if self.published else self.recorded is None or self.recorded.is_latest
        return "latest" if latest or self.tag is None else self.tag
