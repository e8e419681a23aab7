"""The recipes of images and base images.

``Recipes`` computes them from values and has no effects; ``of`` and ``of_base_images`` first read these values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from build.bases import rootfs
from build.bases.facts import BaseFacts, UnknownBase, without_digest
from build.bases.published_note import PublishedBases
from build.builder import recipe_sources
from build.builder.recipe_sources import Sources
from build.checkout.project import Project
from build.errors import PipelineError
from build.images import file_names, recipe
from build.images.image import Image
from build.images.recipe import Recipe
from build.matrix.origins import (
    BaseOrigin,
    Bootstrapped,
    CudaImage,
    DebianPackages,
    FromImage,
    PrefixPython,
    has_digest,
)


@dataclass(frozen=True, kw_only=True)
class ImageRecipes:
    """The recipes of some images."""

    #: Image name → recipe.
    known: Mapping[str, Recipe]
    #: Image name → why it has no recipe here.
    unknown: Mapping[str, UnknownBase]


def of(project: Project, images: Iterable[Image], published: PublishedBases | None = None) -> ImageRecipes:
    """The recipes of images, from the committed files and the facts of their bases.

    A base has the Debian packages that the registry has for its lock, else those that this clone has prepared, else
    those of the lock; and the Python that this clone has prepared, else that of the lock.

    Args:
        project: The checkout.
        images: The images.
        published: The bases in the registry; see ``build.bases.facts.read``.

    Raises:
        LockError: A lock is missing or not readable.
        DriftError: A generated file is missing.
        PipelineError: A base has another Python than the matrix says.
    """
    images = tuple(images)
    return compute(recipe_sources.read(project, images, published), images)


def of_base_images(project: Project, names: Iterable[str]) -> dict[str, Recipe]:
    """The recipes of base images by name.

    Raises:
        PipelineError: The facts of a base are not known.
    """
    names = tuple(names)
    recipes = _Recipes(recipe_sources.read_base_images(project, names))
    found = {}
    for name in names:
        match recipes.base_image(name):
            case UnknownBase() as unknown:
                raise PipelineError(unknown.why, fix=unknown.fix)
            case Recipe() as computed:
                found[name] = computed
    return found


def compute(sources: Sources, images: Iterable[Image]) -> ImageRecipes:
    """The recipes of images, from values alone."""
    recipes = _Recipes(sources)
    known: dict[str, Recipe] = {}
    unknown: dict[str, UnknownBase] = {}
    for image in images:
        match recipes.image(image):
            case Recipe() as computed:
                known[image.variant.name] = computed
            case UnknownBase() as reason:
                unknown[image.variant.name] = reason
    return ImageRecipes(known=known, unknown=unknown)


class _Recipes:
    """The recipes that follow from some sources; those that images share are computed once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.base_image = cache(self._base_image)
        self._builder = cache(self._compute_builder)
        self._compiler = cache(self._compute_compiler)

    def image(self, image: Image) -> Recipe | UnknownBase:
        variant, sources = image.variant, self._sources
        base = self.base_image(variant.base_image_name)
        builder = self._builder(variant.build_base_name)
        if isinstance(base, UnknownBase):
            return base
        if isinstance(builder, UnknownBase):
            return builder
        return recipe.image(
            platform=sources.platform,
            dockerfile=sources.generated[file_names.image_dockerfile(variant.name)],
            layers={
                layer.name: sources.generated[file_names.layer_file(variant.base_name, layer)] for layer in image.layers
            },
            base=base,
            builder=builder,
            compiler=self._compiler(variant.build_base_name, variant.base_name) if image.needs_compiler else None,
            scripts=self._scripts([recipe_sources.CUDA_SCRIPT]) if image.cuda_links else None,
        )

    def _base_image(self, name: str) -> Recipe | UnknownBase:
        cuda_base_image = self._sources.cuda_base_images.get(name)
        match cuda_base_image and cuda_base_image.origin:
            case CudaImage(reference=reference) if cuda_base_image and not has_digest(reference):
                return without_digest(
                    name,
                    f"the CUDA version {cuda_base_image.device}",
                    reference,
                    more="; or build on another base: "
                    f"--base {cuda_base_image.base_name}=<a base with the same Python>",
                )
            case CudaImage() if cuda_base_image:
                return self._made(name, cuda_base_image.image_origin, packages=(), prefix=None)
            case DebianPackages() if cuda_base_image:
                below = self.base_image(cuda_base_image.base_name)
                if isinstance(below, UnknownBase):
                    return below
                return recipe.cuda_base_image(
                    platform=self._sources.platform,
                    dockerfile=self._sources.generated[file_names.base_dockerfile(name)],
                    scripts=self._scripts(recipe_sources.APT_SCRIPTS),
                    base=below,
                )
        known = self._sources.facts[name]
        if isinstance(known, UnknownBase):
            return known
        origin = self._sources.bases[name].origin
        prefix = known.python if isinstance(origin.python, PrefixPython) else None
        return self._made(name, origin, packages=known.debian, prefix=prefix)

    def _made(self, name: str, origin: BaseOrigin, *, packages: tuple[str, ...], prefix: str | None) -> Recipe:
        match origin:
            case Bootstrapped():
                bootstrap = rootfs.arguments(origin)
            case FromImage():
                bootstrap = []
        return recipe.base_image(
            platform=self._sources.platform,
            dockerfile=self._sources.generated[file_names.base_dockerfile(name)],
            scripts=self._scripts(recipe_sources.BASE_SCRIPTS),
            start=self._sources.start,
            bootstrap=bootstrap,
            packages=packages,
            prefix=prefix,
        )

    def _compute_builder(self, base_name: str) -> Recipe | UnknownBase:
        known = self._sources.facts[base_name]
        if not isinstance(known, BaseFacts):
            return known
        return recipe.builder(
            platform=self._sources.platform,
            dockerfile=self._sources.generated[file_names.builder_dockerfile(base_name)],
            scripts=self._scripts(recipe_sources.BUILDER_SCRIPTS),
            uv=self._sources.uv,
            python=known.python,
        )

    def _compute_compiler(self, base_name: str, lock_base_name: str) -> Recipe:
        """The compiler of a base, with the build requirements of the base that it stands in for, or of its own."""
        return recipe.compiler(
            platform=self._sources.platform,
            dockerfile=self._sources.generated[file_names.compiler_dockerfile(base_name)],
            scripts=self._scripts(recipe_sources.COMPILER_SCRIPTS),
            build_requirements=self._sources.generated[file_names.build_file(lock_base_name)],
        )

    def _scripts(self, names: Iterable[str]) -> dict[str, str]:
        return {name: self._sources.scripts[name] for name in names}
