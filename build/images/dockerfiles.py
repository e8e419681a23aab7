"""Rendering: Dockerfiles, layer files and the bake file, as text, from variants and their locks.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from build import requirements
from build.images import file_names, layers, patches
from build.images.layers import Layer
from build.locks.lock import Lock
from build.matrix.model import Matrix, Patch, Project
from build.matrix.origins import CudaImage, DebianPackages
from build.packages import wheel_sources
from build.system.templates import load_templates
from build.variants.cuda_base_images import CudaBaseImage
from build.variants.variant import Variant

#: The prefix of the project's own labels, beside the OCI annotation keys.
LABEL = "inference-images"
#: The label of an image that is built on a base that stands in for its own, with that base's name.
STAND_IN = f"{LABEL}.stand-in"


@dataclass(frozen=True, kw_only=True)
class Image:
    """One variant with its lock, grouped into layers: what a Dockerfile is rendered from."""

    variant: Variant
    lock: Lock
    layers: tuple[Layer, ...]

    @property
    def target(self) -> str:
        """The bake target: the image name, with ``_`` where bake allows no ``.``."""
        return target(self.variant.name)

    @property
    def cuda_links(self) -> str | None:
        """The stage that makes the loader's links to CUDA's libraries, where there are any in wheels."""
        return layers.links_name(self.layers)

    @property
    def wheel_sources(self) -> tuple[str, ...]:
        return tuple(sorted({name for layer in self.layers for name in layer.wheel_sources}))

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The edits of its packages."""
        return tuple(patch for layer in self.layers for patch in layer.patches)

    @property
    def needs_compiler(self) -> bool:
        """Whether a package of it must be built from source."""
        return any(layer.source_only for layer in self.layers)


def target(name: str) -> str:
    """The bake target of an image, of ``base-<base>`` and so on; bake's are letters, digits, ``-`` and ``_``."""
    return name.replace(".", "_")


def image(
    variant: Variant,
    lock: Lock,
    server: Lock,
    *,
    layer_order: Sequence[str] = (),
    patches: Sequence[Patch] = (),
) -> Image:
    """Group a variant's lock into layers.

    Args:
        variant: The variant.
        lock: Its lock.
        server: The server's lock of the same base.
        layer_order: Distributions whose layers come first.
        patches: The matrix's edits of distributions.
    """
    sources = wheel_sources.locked(variant, lock.versions())
    return Image(
        variant=variant,
        lock=lock,
        layers=layers.group(
            lock,
            server,
            own=variant.own_contract,
            order=layer_order,
            wheel_sources=sources,
            patches=patches,
        ),
    )


def labels(image: Image, project: Project) -> dict[str, str]:
    """The labels that follow from the matrix and the lock; the build adds those of the moment.

    Args:
        image: The image.
        project: The matrix's part on what all images share.

    Keys: the OCI image specification's annotations (``org.opencontainers.image.*``) and the project's own.
    """
    variant = image.variant
    result = {
        "org.opencontainers.image.title": title(variant) + " inference",
        "org.opencontainers.image.version": framework_version(image),
        "org.opencontainers.image.vendor": project.vendor,
        f"{LABEL}.image": variant.name,
        f"{LABEL}.framework": variant.framework,
        f"{LABEL}.python": variant.base.python,
        f"{LABEL}.device": variant.device,
    }
    if project.source:
        result["org.opencontainers.image.source"] = project.source
    if variant.cuda_absent:
        result |= {f"{LABEL}.cuda": "absent", f"{LABEL}.cudnn": "absent"}
    elif variant.cuda:
        result[f"{LABEL}.cuda"] = variant.cuda.version
        if variant.cuda.cudnn:
            result[f"{LABEL}.cudnn"] = variant.cuda.cudnn
    if variant.stand_in:
        result[STAND_IN] = variant.stand_in
    patched = [f"{name}=={version}" for name, version in patches.distributions(image.patches)]
    if patched:
        result[f"{LABEL}.patches"] = ",".join(patched)
    life = variant.lifecycle
    for key, date in (("released", life.released), ("deprecated", life.deprecated), ("end-of-life", life.end_of_life)):
        if date:
            result[f"{LABEL}.{key}"] = date.isoformat()
    return result


def framework_version(image: Image) -> str:
    """The installed version of the framework (the server's, where there is none): ``1.9.1``."""
    own = image.variant.own_contract or image.variant.contract
    return image.lock.versions()[requirements.distribution_name(own[0])]


def title(variant: Variant) -> str:
    """For people: ``scikit-learn 1.9``."""
    return " ".join(filter(None, (variant.framework_title, variant.version)))


def device_title(variant: Variant) -> str:
    """For people: ``CPU``, ``CUDA 13.0.3 with cuDNN 9.12.0.46``."""
    if variant.cuda is None:
        return "CPU"
    cudnn = f" with cuDNN {variant.cuda.cudnn}" if variant.cuda.cudnn else ""
    return f"CUDA {variant.cuda.version}{cudnn}"


def cuda_environment(variant: Variant) -> dict[str, str]:
    """The variables by which NVIDIA's container runtime gives a GPU image its driver; empty for a CPU image.

    A driver that is too old for CUDA's major version is refused when the container starts, in the runtime's words,
    where the framework would silently fall back to the CPU; within a major version older drivers do
    (https://docs.nvidia.com/deploy/cuda-compatibility/).  The variables:
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    """
    if variant.cuda is None:
        return {}
    return {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": f"cuda>={variant.cuda.version.split('.')[0]}.0",
    }


def render(
    images: Sequence[Image],
    matrix: Matrix,
    groups: Mapping[str, Sequence[str]],
    *,
    build_locks: Mapping[str, Lock],
    cuda_base_images: Mapping[str, tuple[CudaBaseImage, Sequence[str]]],
    templates: Path,
) -> dict[str, str]:
    """Every generated file under the repository's root but locks and schema.

    Args:
        images: All images of the matrix.
        matrix: The matrix.
        groups: Group name → image names.
        build_locks: Base name → what its source-only packages are built with, of the bases that have such packages.
        cuda_base_images: The bases with CUDA, by name, each with its Debian packages (``name=version``).
        templates: The folder of the Jinja2 templates.

    Returns:
        Path from the root, with ``/`` → content.
    """
    environment = load_templates(templates)
    environment.filters["target"] = target
    files: dict[str, str] = {}
    compilers = compiler_bases(matrix, build_locks)
    for base_name, base in matrix.bases.items():
        names = ["Dockerfile", "builder.Dockerfile"]
        if base_name in compilers:
            names.append("compiler.Dockerfile")
        for name in names:
            template = environment.get_template("base.Dockerfile.j2" if name == "Dockerfile" else f"{name}.j2")
            files[f"dockerfiles/bases/{base_name}/{name}"] = template.render(
                base_name=base_name, base=base, origin=base.origin, cuda=None
            )
    for name, (cuda_base_image, pins) in cuda_base_images.items():
        match cuda_base_image.origin:
            case CudaImage():
                template = environment.get_template("base.Dockerfile.j2")
                text = template.render(
                    base_name=name,
                    base=cuda_base_image.base,
                    origin=cuda_base_image.image_origin,
                    cuda=cuda_base_image.cuda,
                )
            case DebianPackages():
                template = environment.get_template("cuda-base.Dockerfile.j2")
                text = template.render(cuda_base_image=cuda_base_image, pins=pins)
        files[f"dockerfiles/bases/{name}/Dockerfile"] = text
    template = environment.get_template("image.Dockerfile.j2")
    for item in images:
        variant = item.variant
        files[f"dockerfiles/{variant.name}/Dockerfile"] = template.render(
            variant=variant,
            layers=item.layers,
            cuda_links=item.cuda_links,
            environment=[f"{key}={quoted(value)}" for key, value in cuda_environment(variant).items()],
            needs_compiler=item.needs_compiler,
            labels=[f"{key}={quoted(value)}" for key, value in labels(item, matrix.project).items()],
            title=title(variant),
            device_title=device_title(variant),
            lock_file=f"locks/{variant.base_name}/{variant.name}.txt",
        )
        for layer in item.layers:
            files[file_names.layer_file(variant.base_name, layer)] = layer.text
            if layer.patches:
                files[file_names.patches_file(variant.base_name, layer)] = patches.to_text(layer.patches)
    for base_name, lock in build_locks.items():
        files[file_names.build_file(base_name)] = layers.Layer(name=lock.title, packages=lock.packages).text
    template = environment.get_template("docker-bake.hcl.j2")
    files["docker-bake.hcl"] = template.render(
        images=images,
        bases=matrix.bases,
        cuda_base_images=[cuda_base_image for cuda_base_image, _ in cuda_base_images.values()],
        compilers=compilers,
        registry_base=registry_base(matrix),
        namespace=matrix.project.namespace,
        groups={
            name: [target(image_name) for image_name in members]
            for name, members in {**groups, "all": [item.variant.name for item in images]}.items()
        },
    )
    return files


def registry_base(matrix: Matrix) -> str:
    """The base that the embedded registry stands on: the first of the axis."""
    return matrix.axes.base[0]


def compiler_bases(matrix: Matrix, build_locks: Mapping[str, Lock]) -> tuple[str, ...]:
    """The bases with a stage that builds source-only packages.

    Those whose images have such packages, and all of the same Python: they may stand in for them.
    """
    pythons = {matrix.bases[name].python for name in build_locks}
    return tuple(name for name, base in matrix.bases.items() if base.python in pythons)


def quoted(text: str) -> str:
    """``text`` as a double-quoted word of a Dockerfile, nothing in it expanded."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
