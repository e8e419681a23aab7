"""The paths of generated files, from the project's root, with ``/``.  Pure."""

from __future__ import annotations

from build.images.layers import Layer
from build.locks.lock import BUILD


def image_dockerfile(image_name: str) -> str:
    """The Dockerfile of an image."""
    return f"dockerfiles/{image_name}/Dockerfile"


def base_dockerfile(name: str) -> str:
    """The Dockerfile of a base image, without or with CUDA."""
    return f"dockerfiles/bases/{name}/Dockerfile"


def builder_dockerfile(base_name: str) -> str:
    """The Dockerfile of the stage that installs packages."""
    return f"dockerfiles/bases/{base_name}/builder.Dockerfile"


def compiler_dockerfile(base_name: str) -> str:
    """The Dockerfile of the stage that builds source-only packages."""
    return f"dockerfiles/bases/{base_name}/compiler.Dockerfile"


def layer_file(base_name: str, layer: Layer) -> str:
    """The requirements of a layer."""
    return f"dockerfiles/layers/{base_name}/{layer.name}.txt"


def patches_file(base_name: str, layer: Layer) -> str:
    """The patches of a layer."""
    return f"dockerfiles/layers/{base_name}/{layer.name}.patches.json"


def build_file(base_name: str) -> str:
    """The requirements that source-only packages of a base are built with."""
    return f"dockerfiles/layers/{base_name}/{BUILD}.txt"
