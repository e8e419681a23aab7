"""The page of one image, as data.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from build.catalogue.changes import Change, Changes
from build.catalogue.record import RecordedImage
from build.images import assets
from build.images.labels import LABEL, STAND_IN
from build.variants.variant import Variant
from build.verify.reports import Package, Report

if TYPE_CHECKING:
    from build.catalogue.remote import Published


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A pin of the contract, and the version installed for it."""

    pin: str
    #: None where the pin is exact, or the installed packages are not known.
    installed: str | None


@dataclass(frozen=True, kw_only=True)
class PageLayer:
    """A layer of an image: published, or planned from the lock."""

    title: str
    #: ``base`` or ``packages``.
    kind: str
    #: In the registry; None for a planned layer.
    digest: str | None
    #: Bytes, compressed; of a planned layer the bytes of its wheels, None where the index does not give them.
    size: int | None
    #: Each as ``numpy 2.4.6``.
    packages: tuple[str, ...]
    #: The image whose layer this is.
    image: str
    #: All images that have it; their layers share the list.
    images: Sequence[str] = field(repr=False)

    @property
    def shared_with(self) -> tuple[str, ...]:
        """The other images that have it."""
        return tuple(name for name in self.images if name != self.image)

    @property
    def anchor(self) -> str:
        """The fragment of its address on the page of all layers."""
        return re.sub(r"[^A-Za-z0-9]+", "-", (self.digest or self.title).removeprefix("sha256:"))[:24]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The page of one image."""

    variant: Variant
    #: For people: ``scikit-learn 1.9``.
    title: str
    #: For people: ``CPU``, ``CUDA 13.0.3 with cuDNN 9.12.0.46``.
    device_title: str
    #: Its stage in its lifecycle: ``ended``, ``ending``, ``deprecated``, ``announced``, ``lts``, ``supported``.
    stage: str
    #: The same for people, with dates.
    stage_text: str
    #: The guarantees of the version and its framework, then those of the server.
    promises: tuple[Promise, ...]
    server_promises: tuple[Promise, ...]
    python_packages: tuple[Package, ...]
    debian_packages: tuple[Package, ...]
    #: Whether the packages were read from the published image; else they are those of the lock.
    packages_are_read: bool
    layers: tuple[PageLayer, ...]
    published: Published | None
    #: The record of an earlier run, where no registry was asked in this one.
    recorded: RecordedImage | None
    #: The changes since the previous dated tag.
    changes: Changes | None
    #: The changes of Python packages that the next build brings.
    ahead: tuple[Change, ...]
    #: Whether this checkout gives another recipe than the published image has.
    is_ahead: bool

    @property
    def name(self) -> str:
        return self.variant.name

    @property
    def environment(self) -> str:
        return f"{assets.PREFIX}{self.name}"

    @property
    def report(self) -> Report | None:
        return self.published.current.report if self.published else None

    @property
    def stand_in(self) -> str | None:
        """The base that the published image uses instead of its own."""
        if self.published:
            return self.published.current.labels.get(STAND_IN)
        return self.recorded.stand_in if self.recorded else None

    @property
    def cuda_is_absent(self) -> bool:
        """Whether the published image lacks CUDA although its name has it: its stand-in base has none."""
        return self.published is not None and self.published.current.labels.get(f"{LABEL}.cuda") == "absent"

    @property
    def size(self) -> int | None:
        """Bytes of a first pull."""
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
        """The tag to pull: ``latest``, or the dated one where the image has no ``latest``."""
        latest = self.published.is_latest if self.published else self.recorded is None or self.recorded.is_latest
        return "latest" if latest or self.tag is None else self.tag
