"""Decide which images fail with a failed step, and say why.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from build.bases import bootstrap_failure
from build.builder.buildx_log import Failure
from build.checkout.project import Project
from build.errors import BuildError, NetworkError, PipelineError
from build.images import layers
from build.images.image import Image, bake_target
from build.matrix.origins import DebianPackages, FromImage
from build.packages import uv_failures


def failed_targets(failure: Failure, remaining: Mapping[str, Image]) -> list[str]:
    """Return the targets that fail with a step: the one that buildx names, and those that share its stage.

    Args:
        failure: From the log.
        remaining: Bake target → image, for all that were to be built.
    """
    compiler = re.fullmatch(r"compiler-(.+)", failure.target or "")
    if compiler:
        base = compiler[1]
        return [
            target
            for target, image in remaining.items()
            if image.needs_compiler and bake_target(image.variant.build_base_name) == base
        ]
    named = remaining.get(failure.target) if failure.target else None
    if failure.target is None and len(remaining) == 1:  # buildx leaves the name out where it builds only one
        named = next(iter(remaining.values()))
    if named is None:
        return []
    return [
        target
        for target, image in remaining.items()
        if _bases(image) == _bases(named) and failure.stage in own_stages(image)
    ] or [named.target]


def own_stages(image: Image) -> set[str]:
    """Return the stages whose failure is the image's: its layers, those in which they are installed, CUDA's links."""
    stages = {name for layer in image.layers for name in (layer.name, layer.stage)}
    return stages | {image.cuda_links} if image.cuda_links else stages


def _bases(image: Image) -> tuple[str, str]:
    """Return what two images must have in common to share the stages of one name."""
    return image.variant.base_name, image.variant.build_base_name


def reason(project: Project, image: Image, failure: Failure) -> str:
    """Say which part of an image failed, and where a patch is in the matrix that did not fit."""
    if failure.stage is None:
        return "its build failed"
    if failure.stage == layers.COMPILER:
        return f"the compiler of its base {image.variant.build_base_name} could not be installed"
    patches = [patch for layer in image.layers if layer.name == failure.stage for patch in layer.patches]
    places = [
        project.loaded.where("patches", index)
        for index, patch in enumerate(project.matrix.patches)
        if patch in patches and f"the patch of {patch.distribution} does not fit: " in failure.lines
    ]
    return f"its layer {failure.stage} failed" + (f": {', '.join(places)}" if places else "")


def failure_of(
    project: Project, image: Image, failure: Failure, log: Path, indexes: Sequence[str] = ()
) -> PipelineError:
    """Return why an image failed: its build, or the network.

    Args:
        project: The checkout.
        image: The image.
        failure: From the log.
        log: The file with the log.
        indexes: The package indexes that the build used, possibly with user and password.
    """
    what = reason(project, image, failure)
    of_uv = uv_failures.explain(failure.lines, indexes, locked=True, in_build=True)
    if of_uv is None and (refused := bootstrap_failure.refusal(failure.lines)):
        return NetworkError(f"{what}: {refused[0]}", where=str(log), fix=refused[1], details=failure.lines)
    if of_uv is None:
        return BuildError(what, where=str(log), details=failure.lines)
    kind = NetworkError if of_uv.is_network else BuildError
    return kind(f"{what}: {of_uv.what}", where=str(log), fix=of_uv.fix, details=failure.lines)


def base_failure(project: Project, name: str, failure: Failure, log: Path) -> PipelineError:
    """Return why a base image failed: its build, or the archive of its packages refuses.

    Args:
        project: The checkout.
        name: The base image.
        failure: From the log.
        log: The file with the log.
    """
    what = f"its base {name} failed to build"
    if refused := bootstrap_failure.refusal(failure.lines):
        return NetworkError(f"{what}: {refused[0]}", where=str(log), fix=refused[1], details=failure.lines)
    return BuildError(what, where=str(log), fix=base_fix(project, [name]), details=failure.lines)


def base_fix(project: Project, base_names: Sequence[str]) -> str | None:
    """Return the fix for base images whose source may be unreachable: an image, or pinned Debian packages."""
    replacements = []
    for name in base_names:
        cuda_base_image = project.cuda_base_images.get(name)
        if cuda_base_image and isinstance(cuda_base_image.origin, DebianPackages):
            return "where Debian's archive has newer packages by now, record them: nox -s lock -- --bases"
        base = cuda_base_image.base if cuda_base_image else project.matrix.bases[name]
        if cuda_base_image or isinstance(base.origin, FromImage):
            own_name = cuda_base_image.base_name if cuda_base_image else name
            replacements.append(f"--base {own_name}=<a base with Python {base.python}>")
    options = " ".join(dict.fromkeys(replacements))
    return f"if its image cannot be reached, build on another base: {options}" if options else None
