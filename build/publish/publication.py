"""An image to publish, and what became of it.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from build.images.recipe import recipe_tag
from build.verify.reports import Report

Status = Literal["published", "already published", "moved"]


@dataclass(frozen=True, kw_only=True)
class Publication:
    """An image to publish."""

    #: The image name.
    name: str
    #: As the matrix names it: ``azureml/sklearn-…``.
    repository: str
    #: The image in the engine: a tag or an id.
    local_reference: str
    #: The recipe: at least 16 hexadecimal digits.
    recipe: str
    #: The base that stands in for its own: a part of its immutable tag.
    stand_in: str | None = None
    #: Whether ``latest`` moves to it.
    rolling: bool = True
    #: What was asserted of it; attached to the image before a tag moves.
    report: Report | None = None

    @property
    def recipe_tag(self) -> str:
        return recipe_tag(self.recipe)


@dataclass(frozen=True, kw_only=True)
class Published:
    """What became of one image."""

    #: The image name.
    name: str
    #: The recipe's tag, the run's immutable one (if it put one), latest (not of a stand-in):
    #: ``host/repository:tag@sha256:…``.
    references: tuple[str, ...]
    #: Of these the one to give to others: the immutable one, else latest, else the recipe's.
    pull: str
    #: Of the image's manifest, ``sha256:…``.
    digest: str
    #: Bytes of layers and configuration that went over the wire; manifests, some 1 kB each, are not counted.
    bytes_sent: int
    #: ``published``: sent in this run; ``moved``: was there, and tags now point to it; ``already published``:
    #: nothing was to do.
    status: Status
    #: What its push took; 0.0 where there was none.
    seconds: float
