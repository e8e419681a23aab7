"""The progress of a build as a person sees it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from build.builder.buildx_log import EXPORT, Kind, Step
from build.images.layers import COMPILER

#: ``image``, ``base image``: their exports; ``layer``: a package layer; ``compiler``: that of a base; ``setup``: other
#: steps of bases.
Part = Literal["image", "base image", "layer", "compiler", "setup"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """The begin or the end of a part of the build."""

    kind: Kind
    part: Part
    #: The image's, the base's or the layer's.
    name: str
    #: The bake target: tells parts with the same name apart.
    target: str
    #: Its duration, for ``done``.
    seconds: float | None = None


def event(step: Step, images: Mapping[str, str], base_images: Mapping[str, str]) -> Event:
    """Return the event of a step of buildx.

    Args:
        step: From buildx's output.
        images: Bake target → image name, for every image that is built.
        base_images: Bake target → the name to show, for every base image that is built.
    """
    part: Part = "setup"
    name = step.stage
    if step.stage == EXPORT:
        part = "image" if step.target in images else "base image"
        name = images.get(step.target) or base_images.get(step.target) or step.target
    elif step.stage == COMPILER:
        part = "compiler"
    elif step.target in images and not step.stage.startswith("stage-"):  # buildx numbers stages without a name
        part = "layer"
    return Event(kind=step.kind, part=part, name=name, target=step.target, seconds=step.seconds)
