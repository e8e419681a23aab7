"""What the checks are about: the selected images, the registry, the environment.  Reads Docker's contexts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from build.bases.local import LocalBase, local_base
from build.checkout.project import Project
from build.engine.buildx_builder import engine_environment
from build.registry.address import Registry
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A machine is checked for some images of a project and for a registry."""

    project: Project
    #: The selected images, at least one.
    variants: tuple[Variant, ...]
    registry: Registry
    #: The environment variables.
    environ: Mapping[str, str]

    @property
    def engine_environ(self) -> dict[str, str]:
        """The variables with which the engine is found.

        Raises:
            EngineError: The builder is a Docker context that cannot be read.
        """
        return engine_environment(self.environ)

    @functools.cached_property
    def base_names(self) -> tuple[str, ...]:
        """The bases that the selected images are built on."""
        return self.project.build_base_names(self.variants)

    @property
    def needed_bases(self) -> tuple[LocalBase, ...]:
        """These bases, and where this clone keeps them."""
        return tuple(local_base(self.project, name) for name in self.base_names)

    @property
    def has_gpu_images(self) -> bool:
        """Whether a selected image contains gigabytes of CUDA: that of CUDA's runtime alone does not."""
        return any(variant.cuda is not None and variant.cuda.cudnn is not None for variant in self.variants)
