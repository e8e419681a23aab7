"""Everything that belongs to a release.  Reads the source and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from build.errors import RegistryError
from build.images.recipe import inputs_tag, recipe_tag
from build.promote.found_bases import BuiltOn, FoundBase, base_of, find_bases
from build.promote.found_documents import Documents, Stored, find_documents
from build.promote.stores import Source
from build.publish import release as releases
from build.publish.records import Record
from build.publish.release import Place, Release
from build.publish.stored import recipe_of
from build.registry.manifests import INDEXES, Manifest, is_digest
from build.system.parallel import run_parallel
from build.verify.reports import is_foundation_tag, verified_tag


@dataclass(frozen=True, kw_only=True)
class Found:
    """A release with everything that belongs to it."""

    #: The images and the bases that they were built on; those that an index names come before it.
    images: tuple[Stored, ...]
    #: What is attached to them, to the record and to other attachments; after what it refers to.
    attachments: tuple[Stored, ...]
    #: What cosign's tags name of all these: signatures, attestations, lists of packages.
    signatures: tuple[Stored, ...]
    #: The tags that name a recipe, an attachment or a signature, with their digests. Nobody relies on them for what the
    #: family is.
    tags: Mapping[Place, str]
    #: The bases, which ``images`` has too.
    bases: tuple[FoundBase, ...]

    @property
    def documents(self) -> tuple[Stored, ...]:
        """What belongs to images, bases and the record, and can be left out."""
        return (*self.attachments, *self.signatures)

    @property
    def stored(self) -> tuple[Stored, ...]:
        return (*self.images, *self.documents)

    def without_documents_in(self, repository: str) -> Found:
        """Return it without the attachments and signatures in one repository, and without their tags."""
        return replace(
            self,
            attachments=tuple(each for each in self.attachments if each.repository != repository),
            signatures=tuple(each for each in self.signatures if each.repository != repository),
            tags={place: digest for place, digest in self.tags.items() if place[0] != repository},
        )

    def manifests(self) -> dict[Place, Manifest]:
        """Repository and digest → manifest."""
        return {each.place: each.manifest for each in self.stored}


@dataclass(frozen=True, kw_only=True)
class _OfImage:
    """What belongs to one image."""

    images: tuple[Stored, ...]
    documents: Documents
    #: The tag of its recipe, if it names the image.
    recipe_tags: Mapping[Place, str]
    built_on: BuiltOn | None


def find(source: Source, record: Record, namespace: str, base_names: Iterable[str]) -> Found:
    """Find everything that belongs to a release.

    Args:
        source: Where the release is.
        record: The record of the release.
        namespace: The namespace of the matrix.
        base_names: The bases of the matrix.

    Raises:
        RegistryError: An image of the release is not there any more; or the source is not there, refuses, or fails.
    """
    release = record.release
    recipes: dict[Place, str | None] = {(image.repository, image.digest): image.recipe for image in release.images}
    # ``latest`` may be on an image of an earlier release.
    recipes = dict.fromkeys(release.latest.items()) | recipes
    repositories = sorted({repository for repository, _ in recipes})
    tags = dict(zip(repositories, map(frozenset, run_parallel(source.tags, repositories)), strict=True))

    def of_image(place: Place) -> _OfImage:
        return _of_image(source, release, place, recipes[place], tags[place[0]])

    parts = run_parallel(of_image, sorted(recipes))
    wanted = {part.built_on for part in parts if part.built_on}
    bases = find_bases(source, wanted, namespace, base_names)
    images = [each for part in parts for each in part.images]
    images += [Stored(repository=base.repository, manifest=base.manifest) for base in bases]
    known = {each.place: each for each in images}
    documents = [part.documents for part in parts] + _of_bases(source, bases) + [_of_record(source, record, namespace)]
    attachments = {each.place: each for part in documents for each in part.attachments}
    signatures = {each.place: each for part in documents for each in part.signatures}
    others = attachments | known | {(releases.repository_of(namespace), record.manifest.digest): None}
    return Found(
        images=tuple(known.values()),
        attachments=tuple(attachments.values()),
        signatures=tuple(each for place, each in signatures.items() if place not in others),
        tags={place: digest for part in parts for place, digest in part.recipe_tags.items()}
        | {place: digest for part in documents for place, digest in part.tags.items()},
        bases=tuple(bases),
    )


def _of_bases(source: Source, bases: Sequence[FoundBase]) -> list[Documents]:
    """What belongs to bases: mostly the results of the tests that images have in common with all others on them."""
    repositories = sorted({base.repository for base in bases})
    tags = dict(zip(repositories, map(frozenset, run_parallel(source.tags, repositories)), strict=True))
    return [
        find_documents(
            source,
            repository,
            [base.manifest.digest for base in bases if base.repository == repository],
            tags[repository],
            [tag for tag in tags[repository] if is_foundation_tag(tag)],
        )
        for repository in repositories
    ]


def _of_record(source: Source, record: Record, namespace: str) -> Documents:
    """What belongs to the record of the release, for example its signature."""
    repository = releases.repository_of(namespace)
    return find_documents(source, repository, [record.manifest.digest], frozenset(source.tags(repository)), [])


def _of_image(source: Source, release: Release, place: Place, recipe: str | None, tags: Collection[str]) -> _OfImage:
    repository, digest = place
    manifest = source.find_manifest(repository, digest)
    if manifest is None:
        raise _gone(source, release, place)
    images = [Stored(repository=repository, manifest=each) for each in _tree(source, release, repository, manifest)]
    recipe = recipe or recipe_of(source, repository, manifest)
    recipe_tags: dict[Place, str] = {}
    document_tags: list[str] = []
    if recipe is not None:
        if recipe_tag(recipe) in tags:
            recipe_tags[repository, recipe_tag(recipe)] = digest
        document_tags = [tag for tag in tags if tag == inputs_tag(recipe) or tag.startswith(verified_tag(recipe, ""))]
    digests = [each.manifest.digest for each in images]
    # Images are read side by side already.
    documents = find_documents(source, repository, digests, tags, document_tags, workers=1)
    manifests = {each.manifest.digest: each.manifest for each in documents.attachments}
    inputs = manifests.get(documents.tags.get((repository, inputs_tag(recipe)), "")) if recipe is not None else None
    return _OfImage(
        images=tuple(images),
        documents=documents,
        recipe_tags=recipe_tags,
        built_on=base_of(source, repository, manifest, inputs),
    )


def _tree(source: Source, release: Release, repository: str, manifest: Manifest) -> list[Manifest]:
    """The manifests of an image, those that an index names first."""
    children: list[Manifest] = []
    if manifest.media_type in INDEXES:
        for entry in _entries(manifest):
            if not is_digest(str(entry.get("digest"))):
                raise RegistryError(
                    "an index names an image without its digest",
                    where=source.reference(repository, manifest.digest),
                    fix="promote another release; this project writes no such index",
                )
            child = source.find_manifest(repository, str(entry.get("digest")))
            if child is None:
                raise _gone(source, release, (repository, str(entry.get("digest"))))
            children += _tree(source, release, repository, child)
    return [*children, manifest]


def _entries(index: Manifest) -> Sequence[Mapping[str, Any]]:
    entries = index.document.get("manifests")
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _gone(source: Source, release: Release, place: Place) -> RegistryError:
    return RegistryError(
        f"an image of release {release.number} is not there any more",
        where=source.reference(*place),
        fix="promote a later release, or publish this one's images again",
    )
