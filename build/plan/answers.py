"""What the registry has of each image.  Reads the registry and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from build.errors import RegistryError
from build.plan.question import Question
from build.publish import records
from build.publish import release as releases
from build.publish import stored as stored_images
from build.publish.documents import verified_digest
from build.publish.release import Difference, Release, ReleasedImage
from build.publish.stored import StoredImage
from build.registry.client import Client
from build.registry.known_blobs import KnownBlobs
from build.registry.tags import LATEST
from build.system import console
from build.system.parallel import run_parallel


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the registry has of one image."""

    #: The image of this name in the last release.
    released: ReleasedImage | None
    #: Under its immutable tag, where the last release has the image with this recipe; else under the recipe's tag.
    stored: StoredImage | None
    #: The digest that the immutable tag of the last release points to; None if the tag does not exist or is not asked.
    immutable: str | None
    #: The digest of ``latest``; None if the tag does not exist or is not asked.
    latest: str | None
    #: The digest of the image that the report of today's tests is about; None if there is no report.
    verified: str | None


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What the registry has of all images that were asked for."""

    #: The last release.
    release: Release | None
    #: Image name → answer, or the failure of its requests.
    answers: dict[str, Answer | RegistryError]
    #: The tags of the release's other images that are not what its record says.
    differences: tuple[Difference, ...] = ()


def ask(remote: Client, namespace: str, questions: Sequence[Question], *, without: Collection[str] = ()) -> Registered:
    """Ask the registry about images: three requests for each that is up to date, and one for each different blob.

    Args:
        remote: The registry.
        namespace: The namespace of the matrix.
        questions: The images.
        without: Numbers of records that are passed over if they cannot be read.

    Raises:
        RegistryError: The record of the last release cannot be read.
    """
    release = records.last_release(remote, releases.repository_of(namespace), without=without)
    known = {image.key: image for image in release.images} if release else {}
    blobs = KnownBlobs(remote)

    def answer(question: Question) -> Answer | RegistryError:
        try:
            return _answer(remote, question, release, known.get(question.key), blobs)
        except RegistryError as failure:
            return failure

    found = run_parallel(answer, questions)
    return Registered(
        release=release,
        answers={question.name: each for question, each in zip(questions, found, strict=True)},
        differences=_differences(remote, release, {question.key for question in questions}) if release else (),
    )


def _differences(remote: Client, release: Release, asked: Collection[tuple[str, str]]) -> tuple[Difference, ...]:
    """Return the tags of the images that were not asked for which differ; nothing where the registry does not say."""
    repositories = {image.repository for image in release.images if image.key in asked}
    own = {(image.repository, image.tag(release.number)) for image in release.images if image.key in asked}
    others = {
        place: digest
        for place, digest in release.tags().items()
        if place not in own and not (place[1] == LATEST and place[0] in repositories)
    }
    try:
        tags = records.read_tags(remote, others)
    except RegistryError as failure:
        console.warn(f"it is unknown whether the other images of release {release.number} are complete: {failure.what}")
        return ()
    return releases.differences(release, {**release.tags(), **tags})


def _answer(
    remote: Client, question: Question, release: Release | None, released: ReleasedImage | None, blobs: KnownBlobs
) -> Answer:
    repository = question.repository
    immutable: str | None = None
    stored: StoredImage | None = None
    if release and released and released.recipe == question.recipe:
        stored = stored_images.find(remote, repository, released.tag(release.number), blobs, released)
        immutable = stored.manifest.digest if stored else None
        if immutable != released.digest:  # the publish was interrupted, or another program moved the tag
            stored = stored_images.find(remote, repository, released.digest, blobs, released)
    if stored is None:
        stored = stored_images.find(remote, repository, question.recipe_tag, blobs)
    return Answer(
        released=released,
        stored=stored,
        immutable=immutable,
        latest=remote.digest(repository, LATEST) if question.rolling else None,
        verified=verified_digest(remote, repository, question.recipe, question.suite) if stored else None,
    )
