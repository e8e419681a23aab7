"""The record that goes from build through verify to publish: an image, its recipe, and where the result is.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from build.engine.images import LocalImage
from build.errors import UsageError
from build.images.image import Image
from build.images.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class RegistryImage:
    """A result that is in a registry and in no engine: that of a builder without an image store."""

    #: ``registry.example/azureml/sklearn-…``
    repository: str
    #: The manifest's, ``sha256:…``.
    digest: str

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image that exists in the form that its recipe describes."""

    image: Image
    recipe: Recipe
    result: LocalImage | RegistryImage

    @property
    def name(self) -> str:
        return self.image.variant.name

    @property
    def local(self) -> LocalImage:
        """The image in the engine.

        Raises:
            UsageError: It is in a registry only.
        """
        if isinstance(self.result, RegistryImage):
            raise UsageError(
                f"{self.name} is in a registry, but not in the engine",
                where=self.result.reference,
                fix=f"docker pull {self.result.reference}",
            )
        return self.result
