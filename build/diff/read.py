"""Read what a registry knows of an image: manifest, configuration, and the packages in the attached documents."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name

from build.catalogue.page_layers import layer_titles
from build.diff.facts import ImageFacts, Packages
from build.diff.manifests import NotAnImageError, choose, read_manifest, to_facts
from build.diff.references import ImageReference
from build.errors import RegistryError, UsageError
from build.images.labels import LABEL
from build.platforms import LINUX_AMD64
from build.publish.documents import read_inputs
from build.registry import attachments
from build.registry.client import Client
from build.registry.manifests import INDEXES, Manifest, layers_of
from build.verify import reports

#: A whole recipe; a label may be anything.
_RECIPE = re.compile(r"[0-9a-f]{64}")


def read_image(remote: Client, reference: ImageReference) -> ImageFacts:
    """Read an image.

    Args:
        remote: The client of its registry.
        reference: The image. Of an index, the image for linux/amd64 is read.

    Raises:
        UsageError: The registry does not have it, or it is not an image.
        RegistryError: The registry is not there, refuses, or fails.
    """
    repository = reference.repository
    manifest = _find(remote, reference, reference.reference)
    try:
        if manifest.media_type in INDEXES or "manifests" in manifest.document:
            manifest = _find(remote, reference, choose(manifest, LINUX_AMD64))
        described = read_manifest(manifest)
        content = remote.find_blob(repository, described.config.digest)
        if content is None:
            raise RegistryError(
                f"the configuration of {reference} is not in the registry",
                where=str(reference),
                fix="the image cannot be pulled either: publish it again",
            )
        facts = to_facts(str(reference), manifest.digest, described, content)
    except NotAnImageError as failure:
        raise UsageError(
            f"{reference} is not an image that can be compared: {failure}",
            where=str(reference),
            fix="name a tag or a digest of an image",
        ) from None
    report = _report(remote, repository, manifest.digest)
    titles = layer_titles([layer.created_by for layer in facts.layers], report)
    return dataclasses.replace(
        facts,
        layers=tuple(
            dataclasses.replace(layer, title=title) for layer, (title, _) in zip(facts.layers, titles, strict=True)
        ),
        packages=_packages(remote, repository, facts, report),
    )


def _find(remote: Client, image: ImageReference, reference: str) -> Manifest:
    manifest = remote.find_manifest(image.repository, reference)
    if manifest is None:
        raise UsageError(
            f"{image} is not in the registry",
            where=remote.registry.reference(image.repository, reference),
            fix="check the name and the tag; nox -s plan shows what is published",
        )
    return manifest


def _packages(remote: Client, repository: str, image: ImageFacts, report: reports.Report | None) -> Packages:
    """Return what the attached documents say: the newest test report, else the inputs of the recipe."""
    if report is not None and (report.python_packages or report.debian_packages):
        return Packages(
            python={canonicalize_name(each.name): each.version for each in report.python_packages},
            debian={each.name: each.version for each in report.debian_packages},
            source="test report",
        )
    recipe = image.labels.get(f"{LABEL}.recipe")
    inputs = read_inputs(remote, repository, recipe) if recipe and _RECIPE.fullmatch(recipe) else None
    debian = _debian_of(inputs) if inputs is not None else None
    return Packages(debian=debian, source="recipe") if debian else Packages()


def _report(remote: Client, repository: str, digest: str) -> reports.Report | None:
    """Read the newest attached report that is complete in the registry and that this program understands."""
    for entry in attachments.attached(remote, repository, digest, reports.MEDIA_TYPE):
        manifest = remote.find_manifest(repository, str(entry["digest"]))
        documents = layers_of(manifest) if manifest else ()
        content = remote.find_blob(repository, documents[0]) if documents else None
        report = reports.parse(content) if content is not None else None
        if report is not None:
            return report
    return None


def _debian_of(inputs: Mapping[str, object]) -> dict[str, str] | None:
    """The Debian packages of the base in a recipe; None where the base has others in addition (CUDA, an image)."""
    base = inputs.get("base")
    within = base.get("inputs") if isinstance(base, Mapping) else None
    packages = within.get("debian") if isinstance(within, Mapping) else None
    if not isinstance(packages, list) or not packages:
        return None
    pairs = (str(entry).partition("=") for entry in packages)
    return {name: version for name, _, version in pairs}
