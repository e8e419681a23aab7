"""Everything that recipes are computed from, read into values: the only place that reads for them.

In come the project and some images; out come the texts of the committed Dockerfiles, layer files, scripts and start
files, and the facts of the bases.  Reading changes nothing, and starts no process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from build.bases import facts
from build.bases.facts import BaseFacts, UnknownBase
from build.bases.published_note import PublishedBases
from build.checkout.project import Project
from build.errors import DriftError
from build.images import file_names
from build.images.image import Image
from build.matrix.origins import CudaImage
from build.matrix.sources import Base
from build.paths import ToolPaths
from build.platforms import Platform
from build.variants.cuda_base_images import CudaBaseImage

#: The scripts that complete a base.
BASE_SCRIPTS = ("setup-base", "install-packages")
#: The script that adds packages of the distribution to a base.
APT_SCRIPTS = ("install-packages",)
#: The scripts that run where packages are installed.
BUILDER_SCRIPTS = (
    "install-layer",
    "contested-files",
    "patch-layer",
    "remove-vendored-sboms",
    "server-constraints",
    "compile-bytecode",
)
#: The scripts that make the stage that builds source-only packages.
COMPILER_SCRIPTS = ("setup-compiler", "install-packages", "strict-gcc")
#: The script that links CUDA's libraries to where the loader looks, in a stage of GPU images.
CUDA_SCRIPT = "link-cuda"
_SCRIPTS = (*BASE_SCRIPTS, *BUILDER_SCRIPTS, *COMPILER_SCRIPTS, CUDA_SCRIPT)

#: The programs of the start layer and what it adds to Python's library; the modules of ``server_start`` come with them.
_START_PROGRAMS = ("start-server", "runsvdir", "entry_module.py", "standard_library/ensurepip.py")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The values that recipes are computed from."""

    #: Generated files as they are committed: path from the project's root → text.
    generated: Mapping[str, str]
    #: The scripts that run while images are built: name → text.
    scripts: Mapping[str, str]
    #: The files that start the server: path below ``image/start`` → text.
    start: Mapping[str, str]
    #: SHA-256 of the wheel of the uv that installs packages.
    uv: str
    #: The bases of the matrix by name.
    bases: Mapping[str, Base]
    #: What is in them, by name; only of the bases that were asked for.
    facts: Mapping[str, BaseFacts | UnknownBase]
    #: The base images with CUDA by name.
    cuda_base_images: Mapping[str, CudaBaseImage]
    platform: Platform


def read(project: Project, images: Iterable[Image], published: PublishedBases | None = None) -> Sources:
    """Read what the recipes of these images are computed from.

    Args:
        project: The checkout.
        images: The images.
        published: The bases in the registry; see ``build.bases.facts.read``.

    Raises:
        LockError: A lock is missing or not readable.
        PipelineError: A base has another Python than the matrix says.
        DriftError: A generated file is missing.
    """
    images = tuple(images)
    names = {image.variant.base_image_name for image in images} | {image.variant.build_base_name for image in images}
    paths = {file_names.image_dockerfile(image.variant.name) for image in images}
    for image in images:
        variant = image.variant
        paths |= {file_names.layer_file(variant.base_name, layer) for layer in image.layers}
        paths.add(file_names.builder_dockerfile(variant.build_base_name))
        if image.needs_compiler:
            paths |= {file_names.build_file(variant.base_name), file_names.compiler_dockerfile(variant.build_base_name)}
    return _read(project, names, paths, published)


def read_base_images(project: Project, names: Iterable[str]) -> Sources:
    """Read what the recipes of these base images are computed from; raises as ``read`` does."""
    return _read(project, set(names), set(), None)


def _read(project: Project, names: set[str], paths: set[str], published: PublishedBases | None) -> Sources:
    cuda_base_images = project.cuda_base_images
    below = {cuda_base_images[name].base_name if name in cuda_base_images else name for name in names}
    on_top = {
        name for name in names if name in cuda_base_images and not isinstance(cuda_base_images[name].origin, CudaImage)
    }
    dockerfiles = {
        file_names.base_dockerfile(name) for name in names | {cuda_base_images[name].base_name for name in on_top}
    }
    return Sources(
        generated={path: _generated(project.paths.root, path) for path in sorted(paths | dockerfiles)},
        scripts={name: _text(project.tool.scripts / name) for name in dict.fromkeys(_SCRIPTS)},
        start=start_files(project.tool),
        uv=project.locks.tools().packages[0].sha256,
        bases=project.matrix.bases,
        facts=facts.read_all(project, sorted(below), published),
        cuda_base_images=cuda_base_images,
        platform=project.platform,
    )


def start_files(tool: ToolPaths) -> dict[str, str]:
    """The files of the start layer: path below ``image/start`` → text."""
    files = sorted((*(tool.start / name for name in _START_PROGRAMS), *tool.start.glob("server_start/*.py")))
    return {str(file.relative_to(tool.start)): _text(file) for file in files}


def _generated(root: Path, path: str) -> str:
    try:
        return _text(root / path)
    except FileNotFoundError:
        raise DriftError("a generated file does not exist", where=path, fix="nox -s generate") from None


def _text(file: Path) -> str:
    # Not read_text, which turns CRLF into LF: images would differ under one recipe.
    return file.read_bytes().decode()
