"""What several pipeline tests do: edit a matrix, find an image in the engine, remove a registry."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import yaml

from build.builder import image_recipes
from build.checkout.project import open_project
from build.engine import embedded_registry
from build.engine.images import LocalImage, find
from tests.conftest import Checkout


@contextlib.contextmanager
def edited_matrix(checkout: Checkout) -> Iterator[dict[str, Any]]:
    """Give a checkout's matrix as plain data, and write back what the block made of it."""
    file = checkout.paths.matrix
    matrix: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    yield matrix
    file.write_text(yaml.safe_dump(matrix, sort_keys=False), encoding="utf-8")


def change_recipes(checkout: Checkout) -> None:
    """Give all images of a checkout recipes that no engine and no registry has."""
    line = "FROM base\n"
    checkout.edit("image/templates/image.Dockerfile.j2", line, f"{line}ENV TEST={uuid.uuid4().hex}\n")
    assert checkout.run("generate").code == 0


def reference(checkout: Checkout, name: str) -> str:
    """Return the reference, with the recipe's tag, of an image as a checkout builds it."""
    project = open_project(checkout.paths)
    variant = project.variant(name)
    recipes = image_recipes.of(project, project.images([variant])).known
    return f"{variant.repository}:{recipes[name].tag}"


def local_image(client: docker.DockerClient, checkout: Checkout, name: str) -> LocalImage:
    """Return an image of a checkout as it is in the engine."""
    image = find(client, reference(checkout, name))
    assert image is not None, f"{name} is not in the engine"
    return image


def remove_registry(client: docker.DockerClient, port: int) -> None:
    """Remove the embedded registry at a port, with its volume; nothing happens where it was never started."""
    name = embedded_registry.name(port)
    with contextlib.suppress(docker.errors.NotFound):
        client.containers.get(name).remove(force=True, v=True)
    with contextlib.suppress(docker.errors.NotFound):
        client.volumes.get(name).remove(force=True)
