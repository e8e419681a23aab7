"""The published image that a recipe is compared with: the inputs of its recipe, its packages, its commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from build.errors import RegistryError, UsageError
from build.publish import records
from build.publish import release as releases
from build.publish.documents import REVISION, read_inputs
from build.publish.stored import recipe_of
from build.registry import attachments
from build.registry.client import Client
from build.registry.tags import LATEST
from build.verify import reports


@dataclass(frozen=True, kw_only=True)
class PublishedRecipe:
    """A published image, as far as the registry knows it."""

    #: ``127.0.0.1:5000/azureml/sklearn-…:20261126.v1``.
    reference: str
    recipe: str
    #: The inputs of its recipe; None if they were not attached.
    inputs: Mapping[str, Any] | None
    #: Python package → version; empty without a report.
    packages: Mapping[str, str]
    #: The commit whose tests ran on it; empty if it is not known.
    commit: str


def read(
    remote: Client, namespace: str, repository: str, key: tuple[str, str], reference: str | None
) -> PublishedRecipe:
    """Read a published image.

    Args:
        remote: The registry.
        namespace: The namespace of the matrix.
        repository: The image's, as the matrix names it.
        key: Distinguishes it from the other images of a release.
        reference: A tag or a digest in the repository; by default the image of the last release.

    Raises:
        UsageError: The registry has no such image.
        RegistryError: The registry is not there, refuses, or fails.
    """
    named = reference or _released(remote, namespace, key) or LATEST
    manifest = remote.find_manifest(repository, named)
    where = remote.registry.reference(repository, named)
    if manifest is None:
        raise UsageError(
            f"{where} is not in the registry",
            where="REFERENCE" if reference else repository,
            fix="name a tag or a digest of the image; nox -s plan shows what is published",
        )
    recipe = recipe_of(remote, repository, manifest)
    if recipe is None:
        raise UsageError(f"{where} is not an image of this project", fix="name a tag of a published image")
    report, commit = _report(remote, repository, manifest.digest)
    return PublishedRecipe(
        reference=where,
        recipe=recipe,
        inputs=read_inputs(remote, repository, recipe),
        packages={each.name: each.version for each in report.python_packages} if report else {},
        commit=commit,
    )


def _released(remote: Client, namespace: str, key: tuple[str, str]) -> str | None:
    release = records.last_release(remote, releases.repository_of(namespace))
    image = release.image(key) if release else None
    return image.tag(release.number) if release and image else None


def _report(remote: Client, repository: str, digest: str) -> tuple[reports.Report | None, str]:
    for entry in attachments.attached(remote, repository, digest, reports.MEDIA_TYPE):
        try:
            report = reports.parse(attachments.read(remote, repository, entry))
        except RegistryError:  # one of several that is gone
            continue
        if report is not None:
            return report, str((entry.get("annotations") or {}).get(REVISION, ""))
    return None, ""
