"""The outcome of a build for one image: a type for each.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from build.engine.built import BuiltImage
from build.errors import LeftOut, PipelineError


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
    name: str
    #: With the lines of the log that explain it.
    why: PipelineError


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """The build of the image did not begin: its base, its Python or one of its wheels cannot be had."""

    status: ClassVar[str] = "left out"
    name: str
    why: PipelineError


Outcome = UpToDate | Built | Failed | Skipped


def left_out(outcomes: Iterable[Outcome]) -> tuple[LeftOut, ...]:
    """Return the images that do not exist after a build, and why."""
    return tuple(
        LeftOut(name=outcome.name, why=outcome.why) for outcome in outcomes if isinstance(outcome, Failed | Skipped)
    )


def built_images(outcomes: Iterable[Outcome]) -> list[BuiltImage]:
    """Return the images that exist after a build."""
    return [outcome.built for outcome in outcomes if isinstance(outcome, UpToDate | Built)]
