"""The right to push: asked for before minutes of work that would be lost without it."""

from __future__ import annotations

from collections.abc import Sequence

from build.bases import rootfs_image
from build.checkout.project import Project
from build.publish.release import repository_of
from build.registry.client import Client
from build.system.parallel import run_parallel
from build.variants.variant import Variant


def check_rights(client: Client, project: Project, variants: Sequence[Variant]) -> int:
    """Check that the login may push to all repositories that a publish of these images writes to.

    Args:
        client: The registry.
        project: The checkout.
        variants: The images.

    Returns:
        The number of repositories: those of the images, of their bases, and of the records of releases.

    Raises:
        RegistryError: It may not, or the registry fails.
    """
    namespace = project.matrix.project.namespace
    bases = {rootfs_image.repository_of(namespace, name) for name in project.build_base_names(variants)}
    repositories = sorted({*(variant.repository for variant in variants), *bases, repository_of(namespace)})
    run_parallel(client.check_push, repositories)
    return len(repositories)
