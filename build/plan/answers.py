"""What the registry has of each image.  Reads the registry and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from build.errors import RegistryError
from build.images.labels import LABEL
from build.plan.question import Question
from build.publish import records
from build.publish import release as releases
from build.publish.documents import verified_digest
from build.publish.release import Difference, Release, ReleasedImage
from build.registry.client import Client
from build.registry.known_layers import KnownLayers
from build.registry.manifests import Manifest
from build.registry.tags import LATEST
from build.system.parallel import run_parallel


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the registry has of one image."""

    #: The image of this name in the last release.
    released: ReleasedImage | None
    #: Under its immutable tag, where the last release has the image with this recipe; else under the recipe's tag.
    manifest: Manifest | None
    #: The whole recipe of that image: the record's, or that of its label.
    recipe: str | None
    #: The digest that the immutable tag of the last release points to; None if the tag does not exist or is not asked.
    immutable: str | None
    #: The digest of ``latest``; None if the tag does not exist or is not asked.
    latest: str | None
    #: The digest of the image that the report of today's tests is about; None if there is no report.
    verified: str | None
    #: The layers of the image that the repository does not have.
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What the registry has of all images that were asked for."""

    #: The last release.
    release: Release | None
    #: Image name → answer, or why there is none.
    answers: dict[str, Answer | RegistryError]
    #: The tags of the release's other images that are not what its record says.
    differences: tuple[Difference, ...] = ()


def ask(remote: Client, namespace: str, questions: Sequence[Question], *, without: Collection[str] = ()) -> Registered:
    """Ask the registry about images: three requests for each that is up to date, and one for each different layer.

    Args:
        remote: The registry.
        namespace: The namespace of the matrix.
        questions: The images.
        without: Numbers of records that are passed over if they cannot be read.

    Raises:
        RegistryError: The record of the last release cannot be read.
    """
    release = records.last_release(remote, releases.repository_of(namespace), without=without)
    layers = KnownLayers(remote)

    def answer(question: Question) -> Answer | RegistryError:
        try:
            return _answer(remote, question, release, layers)
        except RegistryError as failure:
            return failure

    found = run_parallel(answer, questions)
    return Registered(
        release=release,
        answers={question.name: each for question, each in zip(questions, found, strict=True)},
        differences=_differences(remote, release, {question.repository for question in questions}) if release else (),
    )


def _differences(remote: Client, release: Release, asked: Collection[str]) -> tuple[Difference, ...]:
    others = {place: digest for place, digest in release.tags().items() if place[0] not in asked}
    tags = records.read_tags(remote, others)
    return tuple(each for each in releases.differences(release, {**release.tags(), **tags}))


def _answer(remote: Client, question: Question, release: Release | None, layers: KnownLayers) -> Answer:
    repository = question.repository
    released = release.image(question.key) if release else None
    immutable: str | None = None
    recipe: str | None = None
    manifest: Manifest | None = None
    if release and released and released.recipe == question.recipe:
        manifest = remote.find_manifest(repository, released.tag(release.number))
        immutable = manifest.digest if manifest else None
        if immutable != released.digest:  # the publish was interrupted, or another program moved the tag
            manifest = remote.find_manifest(repository, released.digest)
        recipe = released.recipe
    if manifest is None:
        manifest = remote.find_manifest(repository, question.recipe_tag)
        recipe = _recipe_label(remote, repository, manifest) if manifest else None
    return Answer(
        released=released,
        manifest=manifest,
        recipe=recipe,
        immutable=immutable,
        latest=remote.digest(repository, LATEST) if question.rolling else None,
        verified=verified_digest(remote, repository, question.recipe, question.suite) if manifest else None,
        missing=layers.missing(repository, manifest) if manifest else (),
    )


def _recipe_label(remote: Client, repository: str, manifest: Manifest) -> str | None:
    """Return the whole recipe that an image says it is of."""
    config = manifest.document.get("config")
    if not isinstance(config, dict):
        return None
    try:
        content = json.loads(remote.read_blob(repository, str(config.get("digest"))))
        labels = content["config"]["Labels"]
        return str(labels[f"{LABEL}.recipe"])
    except (ValueError, KeyError, TypeError):
        return None
