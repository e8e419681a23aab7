"""The outcome of a build for one image: a type for each.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from build.engine.built import BuiltImage
from build.images.image import Image


@dataclass(frozen=True, kw_only=True)
class UpToDate:
    """The engine had the image already."""

    status: ClassVar[str] = "up to date"
    built: BuiltImage

    @property
    def name(self) -> str:
        return self.built.name


@dataclass(frozen=True, kw_only=True)
class Built:
    """The image was built."""

    status: ClassVar[str] = "built"
    built: BuiltImage
    #: From the start of its batch until it was complete.
    seconds: float

    @property
    def name(self) -> str:
        return self.built.name


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The image failed to build."""

    status: ClassVar[str] = "failed"
    image: Image
    reason: str
    #: The lines of the log that explain it.
    details: str

    @property
    def name(self) -> str:
        return self.image.variant.name


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """The image cannot be built on this machine: its Python or one of its wheels cannot be had."""

    status: ClassVar[str] = "skipped"
    image: Image
    reason: str
    fix: str | None

    @property
    def name(self) -> str:
        return self.image.variant.name


Outcome = UpToDate | Built | Failed | Skipped


def built_images(outcomes: Iterable[Outcome]) -> list[BuiltImage]:
    """Return the images that exist after a build."""
    return [outcome.built for outcome in outcomes if isinstance(outcome, UpToDate | Built)]
