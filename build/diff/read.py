"""Read what a registry or a folder knows of an image: manifest, configuration, packages in the attached documents."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping

from packaging.utils import canonicalize_name

from build.catalogue.page_layers import layer_titles
from build.diff.facts import Blobs, ImageFacts, Packages
from build.diff.manifests import ImageManifest, NotAnImageError, blobs_of, choose, read_manifest, to_facts
from build.diff.references import ImageReference
from build.diff.sources import Source
from build.errors import RegistryError, UsageError
from build.images.labels import LABEL
from build.platforms import LINUX_AMD64
from build.publish.documents import read_inputs
from build.registry import places
from build.registry.address import is_repository
from build.registry.manifests import INDEXES, Manifest, layers_of
from build.verify import reports

#: A whole recipe; a label may be anything.
_RECIPE = re.compile(r"[0-9a-f]{64}")


def read_image(remote: Source, reference: ImageReference) -> ImageFacts:
    """Read an image.

    Args:
        remote: Where it is.
        reference: The image. Of an index, the image for linux/amd64 is read.

    Raises:
        UsageError: It does not exist, or it is not an image.
        RegistryError: The registry is not there, refuses, or fails; or the folder is damaged.
        PipelineError: The folder cannot be read.
    """
    repository = reference.repository
    with _explaining(reference):
        manifest, described = _manifest(remote, reference)
        content = remote.find_blob(repository, described.config.digest)
        if content is None:
            raise RegistryError(
                f"the configuration of {reference} is not in the {places.noun(reference.location)}",
                where=str(reference),
                fix="the image cannot be pulled either: publish it again",
            )
        facts = to_facts(str(reference), manifest.digest, described, content)
    report = _report(remote, repository, manifest.digest)
    titles = layer_titles([layer.created_by for layer in facts.layers], report)
    return dataclasses.replace(
        facts,
        layers=tuple(
            dataclasses.replace(layer, title=title if layer.created_by else "")
            for layer, (title, _) in zip(facts.layers, titles, strict=True)
        ),
        packages=_packages(remote, repository, facts, report),
    )


def read_blobs(remote: Source, reference: ImageReference) -> Blobs:
    """Read what a pull of an image fetches, from its manifest alone.  Arguments and failures as of `read_image`."""
    with _explaining(reference):
        return blobs_of(_manifest(remote, reference)[1])


@contextlib.contextmanager
def _explaining(reference: ImageReference) -> Iterator[None]:
    try:
        yield
    except NotAnImageError as failure:
        raise UsageError(
            f"{reference} is not an image that can be compared: {failure}",
            where=str(reference),
            fix="name a tag or a digest of an image",
        ) from None


def _manifest(remote: Source, reference: ImageReference) -> tuple[Manifest, ImageManifest]:
    """Read the manifest of an image; that for linux/amd64 of an index."""
    manifest = _find(remote, reference, reference.reference)
    if manifest.media_type in INDEXES or "manifests" in manifest.document:
        manifest = _find(remote, reference, choose(manifest, LINUX_AMD64))
    return manifest, read_manifest(manifest)


def _find(remote: Source, image: ImageReference, reference: str) -> Manifest:
    # A record or an index may come from anywhere, and name anything.
    manifest = remote.find_manifest(image.repository, reference) if is_repository(image.repository) else None
    if manifest is None:
        noun = places.noun(image.location)
        raise UsageError(
            f"{image} is not in the {noun}",
            where=remote.reference(image.repository, reference),
            fix="check the name and the tag; "
            + ("nox -s plan shows what is published" if noun == "registry" else "index.json lists what it has"),
        )
    return manifest


def _packages(remote: Source, repository: str, image: ImageFacts, report: reports.Report | None) -> Packages:
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


def _report(remote: Source, repository: str, digest: str) -> reports.Report | None:
    """Read the newest attached report that is complete and that this program understands."""
    for attached in remote.attached(repository, digest, reports.MEDIA_TYPE):
        manifest = remote.find_manifest(repository, attached)
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
