"""The recipes of images and of the bases below them, from committed files and what this clone has bootstrapped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from build.bases import bases
from build.bases.prefix import PrefixNotFoundError
from build.checkout.project import Project
from build.images import dockerfiles as render
from build.images import recipe
from build.images.dockerfiles import Image, layer_file
from build.images.recipe import Recipe
from build.locks import debian
from build.locks.lock import Lock
from build.variants.variant import Variant


def base_repository(project: Project, base_name: str) -> str:
    """The repository of a base in the engine."""
    return f"{project.matrix.project.namespace}/base-{base_name}"


def recipe_of(project: Project, image: Image, packages: Sequence[str], tools: Lock) -> Recipe:
    """The recipe of an image, on a base with these Debian packages."""
    paths, variant = project.paths, image.variant
    return recipe.image(
        dockerfile=(paths.dockerfiles / variant.name / "Dockerfile").read_text(encoding="utf-8"),
        layers={
            layer.name: (paths.root / layer_file(variant.base_name, layer)).read_text(encoding="utf-8")
            for layer in image.layers
        },
        base=base_recipe(project, variant.base_image, packages),
        builder=bases.builder_recipe(project.tool, paths, variant.builder_base, variant.built_on, packages, tools),
        compiler=bases.compiler_recipe(
            project.tool,
            paths,
            variant.builder_base,
            (paths.root / render.build_file(variant.base_name)).read_text(encoding="utf-8"),
        )
        if image.needs_compiler
        else None,
        scripts={
            name: (project.tool.scripts / name).read_text(encoding="utf-8")
            for name in ([bases.CUDA_SCRIPT] if image.cuda_links else [])
        },
    )


def of(project: Project, images: Iterable[Image]) -> dict[str, Recipe]:
    """Image name → recipe, from committed files and what this clone has bootstrapped.

    A base counts with the Debian packages that it has here, and with those of its lock where there is none yet.
    An image whose base has its Python from a prefix that is not on this machine is left out: it has none here.
    """
    tools = project.locks.tools()
    found: dict[str, Recipe] = {}
    packages: dict[str, Sequence[str]] = {}
    not_found = find_prefixes(project, [image.variant for image in images])
    for image in images:
        name = image.variant.builder_base
        if name in not_found:
            continue
        if name not in packages:
            packages[name] = _packages(project, name)
        found[image.variant.name] = recipe_of(project, image, packages[name], tools)
    return found


def find_prefixes(project: Project, variants: Sequence[Variant]) -> dict[str, PrefixNotFoundError]:
    """Make the prefixes of these variants' bases ready.

    Returns:
        Base name → why its Python is not there, for those on which nothing can be built.

    Raises:
        PrefixError: A prefix lies where it was looked for, and is not what the matrix asks for.
    """
    not_found: dict[str, PrefixNotFoundError] = {}
    for name in project.used_bases(variants):
        try:
            bases.prefix(project.paths, name, project.matrix.bases[name])
        except PrefixNotFoundError as failure:
            not_found[name] = failure
    return not_found


def base_reference(project: Project, base_name: str) -> str:
    """The local reference of a base under its recipe."""
    return f"{base_repository(project, base_name)}:{base_recipe(project, base_name).tag}"


def base_recipe(project: Project, base_name: str, packages: Sequence[str] | None = None) -> Recipe:
    """The recipe of a base, or of a base with CUDA; with these Debian packages in it, or those that it has here."""
    cuda_base = project.cuda_bases.get(base_name)
    below = cuda_base.base_name if cuda_base else base_name
    if cuda_base and cuda_base.image:
        return bases.recipe_of(project.tool, project.paths, base_name, cuda_base.base, ())
    if packages is None:
        packages = _packages(project, below)
    its = bases.recipe_of(project.tool, project.paths, below, project.matrix.bases[below], packages)
    if cuda_base is None:
        return its
    return recipe.cuda_base(
        dockerfile=(project.paths.dockerfiles / "bases" / base_name / "Dockerfile").read_text(encoding="utf-8"),
        scripts={name: (project.tool.scripts / name).read_text(encoding="utf-8") for name in bases.APT_SCRIPTS},
        base=its,
    )


def _packages(project: Project, base_name: str) -> tuple[str, ...]:
    """The Debian packages of a base: those it has here, else those of its lock; none for an ``image`` base."""
    base = project.matrix.bases[base_name]
    if base.bootstrap is None:
        return ()  # its digest says what is in it
    rootfs = bases.present(project.paths, base_name, base)
    return rootfs.packages if rootfs else debian.recorded(project.paths, base_name) or ()
