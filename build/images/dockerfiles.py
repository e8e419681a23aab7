"""Dockerfiles, layer files and the bake file, as text, from images and the matrix.

In: images with their layers, bases, and what is locked for them.  Out: path → text.  Reads the templates; nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import Environment
from packaging.version import Version

from build.images import file_names, patches
from build.images.image import Image, bake_target
from build.images.labels import image_labels
from build.images.layers import Layer
from build.images.titles import device_title, title
from build.locks.lock import Lock
from build.matrix.model import Matrix
from build.matrix.origins import CudaImage, DebianPackages
from build.platforms import LINUX_AMD64, Platform
from build.system.templates import load_templates
from build.variants.cuda_base_images import CudaBaseImage
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Files:
    """The generated files under the project's root, but for locks, schema, assets and docs."""

    #: All images of the matrix.
    images: Sequence[Image]
    matrix: Matrix
    #: Group name → image names.
    groups: Mapping[str, Sequence[str]]
    #: Base name → what its source-only packages are built with, of the bases that have such packages.
    build_locks: Mapping[str, Lock]
    #: The base images with CUDA by name, each with its Debian packages (``name=version``).
    cuda_base_images: Mapping[str, tuple[CudaBaseImage, Sequence[str]]]
    #: The folder of the Jinja2 templates.
    templates: Path
    platform: Platform = LINUX_AMD64

    def render(self) -> dict[str, str]:
        """All files: path from the root, with ``/`` → text."""
        return dict(
            [
                *self._bases(),
                *self._cuda_base_images(),
                *self._images(),
                *self._layers(),
                *self._build_requirements(),
                ("docker-bake.hcl", self._bake_file()),
            ]
        )

    @cached_property
    def _environment(self) -> Environment:
        environment = load_templates(self.templates)
        environment.filters["target"] = bake_target
        return environment

    @cached_property
    def _compilers(self) -> tuple[str, ...]:
        return compiler_bases(self.matrix, self.build_locks)

    def _render(self, template: str, **values: object) -> str:
        return self._environment.get_template(template).render(**values)

    def _bases(self) -> Iterator[tuple[str, str]]:
        for name, base in self.matrix.bases.items():
            values = {"base_name": name, "base": base, "origin": base.origin}
            yield file_names.base_dockerfile(name), self._render("base.Dockerfile.j2", **values, cuda=None)
            yield file_names.builder_dockerfile(name), self._render("builder.Dockerfile.j2", **values)
            if name in self._compilers:
                yield file_names.compiler_dockerfile(name), self._render("compiler.Dockerfile.j2", **values)

    def _cuda_base_images(self) -> Iterator[tuple[str, str]]:
        for name, (image, pins) in self.cuda_base_images.items():
            match image.origin:
                case CudaImage():
                    text = self._render(
                        "base.Dockerfile.j2",
                        base_name=name,
                        base=image.base,
                        origin=image.image_origin,
                        cuda=image.cuda,
                    )
                case DebianPackages():
                    text = self._render("cuda-base.Dockerfile.j2", cuda_base_image=image, pins=pins)
            yield file_names.base_dockerfile(name), text

    def _images(self) -> Iterator[tuple[str, str]]:
        for image in self.images:
            variant = image.variant
            text = self._render(
                "image.Dockerfile.j2",
                variant=variant,
                layers=image.layers,
                cuda_links=image.cuda_links,
                environment=[f"{key}={quoted(value)}" for key, value in cuda_environment(variant).items()],
                needs_compiler=image.needs_compiler,
                labels=[f"{key}={quoted(value)}" for key, value in image_labels(image, self.matrix.project).items()],
                title=title(variant),
                device_title=device_title(variant),
                lock_file=f"locks/{variant.base_name}/{variant.name}.txt",
            )
            yield file_names.image_dockerfile(variant.name), text

    def _layers(self) -> Iterator[tuple[str, str]]:
        rendered: set[str] = set()
        for image in self.images:
            for layer in image.layers:
                path = file_names.layer_file(image.variant.base_name, layer)
                if path in rendered:
                    continue
                rendered.add(path)
                yield path, layer.text
                if layer.patches:
                    yield file_names.patches_file(image.variant.base_name, layer), patches.to_text(layer.patches)

    def _build_requirements(self) -> Iterator[tuple[str, str]]:
        for base_name, lock in self.build_locks.items():
            yield file_names.build_file(base_name), Layer(name=lock.title, packages=lock.packages).text

    def _bake_file(self) -> str:
        names = [image.variant.name for image in self.images]
        # bake refuses a group with a member that has no target, such as an image that was left out
        groups = {name: [each for each in members if each in names] for name, members in self.groups.items()}
        groups["all"] = names
        return self._render(
            "docker-bake.hcl.j2",
            images=self.images,
            bases=self.matrix.bases,
            cuda_base_images=[image for image, _ in self.cuda_base_images.values()],
            compilers=self._compilers,
            registry_base=registry_base(self.matrix),
            namespace=self.matrix.project.namespace,
            groups={name: [bake_target(member) for member in members] for name, members in groups.items()},
            platform=self.platform,
        )


def cuda_environment(variant: Variant) -> dict[str, str]:
    """The variables that make NVIDIA's container runtime give a GPU image its driver; empty for a CPU image.

    With a driver that is too old for CUDA's major version, the container does not start, and the runtime says why;
    without these variables the framework would silently use the CPU. Within a major version, older drivers work
    (https://docs.nvidia.com/deploy/cuda-compatibility/). The variables are described in
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html.
    """
    if variant.cuda is None:
        return {}
    return {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": f"cuda>={Version(variant.cuda.version).major}.0",
    }


def registry_base(matrix: Matrix) -> str:
    """The base of the embedded registry: the first of the axis."""
    return matrix.axes.base[0]


def compiler_bases(matrix: Matrix, build_locks: Mapping[str, Lock]) -> tuple[str, ...]:
    """The bases with a stage that builds source-only packages.

    These are the bases whose images have such packages, and those with the same Python, which can stand in for them.
    """
    pythons = {matrix.bases[name].python for name in build_locks}
    return tuple(name for name, base in matrix.bases.items() if base.python in pythons)


def quoted(text: str) -> str:
    """``text`` as a double-quoted word of a Dockerfile, with nothing in it expanded."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
