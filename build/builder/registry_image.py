"""Build the image of the embedded registry."""

from __future__ import annotations

from pathlib import Path

from build.bases import prepare
from build.bases.engine_rootfs import RootfsStore
from build.builder import network
from build.builder.bake import Baker, Request
from build.builder.places import EngineStore
from build.checkout.project import Project
from build.engine.connect import Connection
from build.engine.images import find, reference_of
from build.errors import PipelineError
from build.images import dockerfiles, recipe
from build.images.recipe import Recipe
from build.platforms import LINUX_AMD64
from build.registry import address
from build.system import console


def build_registry(project: Project, *, connection: Connection, log: Path) -> str:
    """Build the embedded registry's image on one of our bases, unless the engine has it.

    It is built again when its own files change and not when its base does: a registry that holds images is not
    replaced without a reason.

    Args:
        project: The checkout.
        connection: The engine.
        log: The file for the output.

    Returns:
        The image's reference in the engine.

    Raises:
        PipelineError: It does not build.
    """
    reference = reference_of(f"{project.matrix.project.namespace}/registry", _recipe(project.tool.registry))
    if find(connection.client, reference) is not None:
        return reference
    console.info("building the embedded registry's image (once)")
    store = RootfsStore.of(project, connection.client, address.from_environment())
    prepare.prepare(project, [dockerfiles.registry_base(project.matrix)], locked=False, refresh=False, store=store)
    place = EngineStore(connection=connection)  # it runs in the engine, whatever builds the images
    baker = Baker(
        paths=project.paths,
        buildx=connection.buildx,
        environment=place.environment,
        network=network.of_machine(),
        log=log,
    )
    result = baker.run(
        Request(targets=["registry"], overrides={"registry": place.export_base(reference)}),
        on_step=lambda step: None,
    )
    if result.returncode != 0:
        cause = result.cause
        raise place.explain(result.log, has_another_cause=cause.stage is not None) or PipelineError(
            "the embedded registry's image failed to build", where=str(log), details=cause.lines
        )
    return reference


def _recipe(folder: Path) -> Recipe:
    return Recipe(
        inputs={
            "platform": LINUX_AMD64.oci,
            "dockerfile": recipe.content((folder / "Dockerfile").read_text(encoding="utf-8")),
            "config": recipe.exact((folder / "config.yml").read_text(encoding="utf-8")),
        }
    )
