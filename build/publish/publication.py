"""An image to publish, and the result.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from build.engine.built import BuiltImage
from build.images.recipe import recipe_tag
from build.verify.reports import Report

Status = Literal["published", "already published", "moved"]


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An image that the engine pushes under one tag."""

    #: As messages name it.
    name: str
    #: As the matrix names it: ``azureml/sklearn-…``.
    repository: str
    #: The image in the engine: a tag or an id.
    local_reference: str
    tag: str


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
    #: The digest under which the registry was given it already, without a tag, by the builder; else empty.
    pushed: str = ""
    #: Whether ``latest`` moves to it.
    rolling: bool = True
    #: The report of its tests; attached to the image before a tag moves.
    report: Report | None = None
    #: The document whose SHA-256 is the recipe; attached too.
    inputs: bytes | None = None

    @classmethod
    def of(cls, built: BuiltImage, *, latest_for_stand_ins: bool = False, report: Report | None = None) -> Publication:
        """Return the publication of a built image.

        Args:
            built: The image; it is pushed by its ID, wherever its tags point by then.
            latest_for_stand_ins: Move ``latest`` to it on a stand-in base, too.
            report: The report of its tests.
        """
        variant = built.image.variant
        return cls(
            name=variant.name,
            repository=variant.repository,
            local_reference=built.local.id,
            recipe=built.recipe.digest,
            stand_in=variant.stand_in,
            pushed=built.pushed,
            rolling=variant.stand_in is None or latest_for_stand_ins,
            report=report,
            inputs=built.recipe.document,
        )

    @property
    def recipe_tag(self) -> str:
        return recipe_tag(self.recipe)

    @property
    def upload(self) -> Upload:
        """Its push, under the recipe's tag."""
        return Upload(
            name=self.name,
            repository=self.repository,
            local_reference=self.local_reference,
            tag=self.recipe_tag,
        )


@dataclass(frozen=True, kw_only=True)
class Published:
    """The result for one image."""

    #: The image name.
    name: str
    #: ``host/repository``.
    repository: str
    #: The number of the release that it is in: ``20261126.v1``.
    release: str
    #: The tags that pointed to it when they were read last: the recipe's, the immutable one, ``latest``.
    tags: tuple[str, ...]
    #: Of these the one to give to others: the immutable one.
    pull_tag: str
    #: Of the image's manifest, ``sha256:…``.
    digest: str
    #: Bytes of its layers and configuration in the registry, compressed.
    size: int
    #: Bytes of layers and configuration that went over the wire; manifests, some 1 kB each, are not counted.
    bytes_sent: int
    #: ``published``: sent in this run; ``moved``: the registry had it, and its tags moved to it; ``already
    #: published``: its tags pointed to it before.
    status: Status
    #: Seconds of its push; 0.0 where it was not pushed.
    seconds: float

    @property
    def pull(self) -> str:
        """The reference to give to others: ``host/repository:tag@sha256:…``."""
        return f"{self.repository}:{self.pull_tag}@{self.digest}"

    @property
    def references(self) -> tuple[str, ...]:
        """A reference for each tag."""
        return tuple(f"{self.repository}:{tag}@{self.digest}" for tag in self.tags)
