"""Decide which images fail with a failed step, and say why.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from build.bases import bootstrap_failure
from build.builder import only_here
from build.builder.buildx_log import Failure
from build.builder.network import NO_NETWORK, BuildNetwork
from build.checkout.project import Project
from build.errors import BuildError, NetworkError, PipelineError
from build.images import layers
from build.images.image import Image, bake_target
from build.matrix.origins import DebianPackages, FromImage
from build.packages import uv_failures
from build.system.http_failures import host_of


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
    project: Project, image: Image, failure: Failure, log: Path, network: BuildNetwork = NO_NETWORK
) -> PipelineError:
    """Return why an image failed: its build, or the network.

    Args:
        project: The checkout.
        image: The image.
        failure: From the log.
        log: The file with the log.
        network: How the build reached package indexes and archives.
    """
    what = reason(project, image, failure)
    of_uv = uv_failures.explain(failure.lines, network.indexes, locked=True, in_build=True)
    if of_uv is None:
        return _of_archive(what, failure, log, network) or BuildError(what, where=str(log), details=failure.lines)
    kind = NetworkError if of_uv.is_network else BuildError
    fix = (of_uv.host and only_here.fix_of_failure(of_uv.host, network.only_here)) or of_uv.fix
    return kind(f"{what}: {of_uv.what}", where=str(log), fix=fix, details=failure.lines)


def _of_archive(what: str, failure: Failure, log: Path, network: BuildNetwork) -> NetworkError | None:
    """Return why apt failed, if an archive, its mirror or a proxy refuses, or a mirror is not reached from a build."""
    found = bootstrap_failure.refusal(failure.lines)
    if found is None and (mirror := bootstrap_failure.not_reached(failure.lines)):
        fix = only_here.fix_of_failure(host_of(mirror), network.only_here)
        found = (f"the mirror {mirror} cannot be reached from the build", fix) if fix else None
    if found is None:
        return None
    return NetworkError(f"{what}: {found[0]}", where=str(log), fix=found[1], details=failure.lines)


def base_failure(
    project: Project, name: str, failure: Failure, log: Path, network: BuildNetwork = NO_NETWORK
) -> PipelineError:
    """Return why a base image failed: its build, or the archive of its packages refuses.

    Args:
        project: The checkout.
        name: The base image.
        failure: From the log.
        log: The file with the log.
        network: How the build reached package indexes and archives.
    """
    what = f"its base {name} failed to build"
    return _of_archive(what, failure, log, network) or BuildError(
        what, where=str(log), fix=base_fix(project, [name]), details=failure.lines
    )


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
