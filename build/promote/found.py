"""Everything that belongs to a release.  Reads the source and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.errors import RegistryError
from build.images.recipe import inputs_tag, recipe_tag
from build.promote.found_bases import BuiltOn, FoundBase, base_of, find_bases
from build.promote.stores import Source
from build.publish.release import Place, Release
from build.publish.stored import recipe_of
from build.registry.manifests import INDEXES, Manifest, is_digest, named_blobs, subject_of
from build.registry.signature_tags import tags_of
from build.system import console
from build.system.parallel import run_parallel
from build.verify.reports import verified_tag


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A manifest in a repository."""

    repository: str
    manifest: Manifest

    @property
    def place(self) -> Place:
        return self.repository, self.manifest.digest

    @property
    def blobs(self) -> dict[str, int]:
        """What it names: digest → bytes; none for an index."""
        return named_blobs(self.manifest) or {}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A release with everything that belongs to it."""

    #: The images and the bases that they were built on; those that an index names come before it.
    images: tuple[Stored, ...]
    #: What is attached to them, and to other attachments; after what it refers to.
    attachments: tuple[Stored, ...]
    #: What cosign's tags name of images and attachments: signatures, attestations, lists of packages.
    signatures: tuple[Stored, ...]
    #: The tags that name a recipe, an attachment or a signature, with their digests. Nobody relies on them for what the
    #: family is.
    tags: Mapping[Place, str]
    #: The bases, which ``images`` has too.
    bases: tuple[FoundBase, ...]

    @property
    def documents(self) -> tuple[Stored, ...]:
        """What belongs to images and bases, and can be left out."""
        return (*self.attachments, *self.signatures)

    @property
    def stored(self) -> tuple[Stored, ...]:
        return (*self.images, *self.documents)

    def manifests(self) -> dict[Place, Manifest]:
        """Repository and digest → manifest."""
        return {each.place: each.manifest for each in self.stored}


@dataclass(frozen=True, kw_only=True)
class _OfImage:
    """What belongs to one image."""

    images: tuple[Stored, ...]
    attachments: tuple[Stored, ...]
    signatures: tuple[Stored, ...]
    tags: Mapping[Place, str]
    built_on: BuiltOn | None


def find(source: Source, release: Release, namespace: str, base_names: Iterable[str]) -> Found:
    """Find everything that belongs to a release.

    Args:
        source: Where the release is.
        release: The release.
        namespace: The namespace of the matrix.
        base_names: The bases of the matrix.

    Raises:
        RegistryError: An image of the release is not there any more; or the source is not there, refuses, or fails.
    """
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
    attachments = {each.place: each for part in parts for each in part.attachments}
    known = {each.place: each for each in images}
    signatures = {each.place: each for part in parts for each in part.signatures}
    return Found(
        images=tuple(known.values()),
        attachments=tuple(attachments.values()),
        signatures=tuple(each for place, each in signatures.items() if place not in attachments | known),
        tags={place: digest for part in parts for place, digest in part.tags.items()},
        bases=tuple(bases),
    )


def _of_image(source: Source, release: Release, place: Place, recipe: str | None, tags: Collection[str]) -> _OfImage:
    repository, digest = place
    manifest = source.find_manifest(repository, digest)
    if manifest is None:
        raise _gone(source, release, place)
    images = [Stored(repository=repository, manifest=each) for each in _tree(source, release, repository, manifest)]
    attachments = {
        each.place: each
        for image in images
        for each in _attached(source, repository, image.manifest.digest, frozenset({image.manifest.digest}))
    }
    recipe = recipe or recipe_of(source, repository, manifest)
    found: dict[Place, str] = {}
    inputs: Stored | None = None
    if recipe is not None:
        if recipe_tag(recipe) in tags:
            found[repository, recipe_tag(recipe)] = digest
        documents = [tag for tag in tags if tag == inputs_tag(recipe) or tag.startswith(verified_tag(recipe, ""))]
        for tag in sorted(documents):
            document = source.find_manifest(repository, tag)
            if document is None or subject_of(document) != digest:
                continue  # gone in the meantime, or about another image of the same recipe
            stored = Stored(repository=repository, manifest=document)
            attachments.setdefault(stored.place, stored)
            found[repository, tag] = document.digest
            inputs = stored if tag == inputs_tag(recipe) else inputs
    signed = [each.manifest.digest for each in (*images, *attachments.values())]
    signatures = _signatures(source, repository, signed, tags)
    return _OfImage(
        images=tuple(images),
        attachments=tuple(attachments.values()),
        signatures=tuple(signatures.values()),
        tags=found | {place: each.manifest.digest for place, each in signatures.items()},
        built_on=base_of(source, repository, manifest, inputs.manifest if inputs else None),
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


def _attached(source: Source, repository: str, digest: str, above: frozenset[str]) -> list[Stored]:
    """What is attached to a manifest, and to that in turn."""
    found: list[Stored] = []
    for each in source.attachments(repository, digest):
        if each in above or not is_digest(each):
            continue
        manifest = source.find_manifest(repository, each)
        if manifest is None:
            console.warn(f"{source.reference(repository, each)} is listed as an attachment, but does not exist")
            continue
        if subject_of(manifest) != digest:  # anyone who may push can write the list
            console.warn(f"{source.reference(repository, each)} is listed as an attachment of another manifest")
            continue
        found.append(Stored(repository=repository, manifest=manifest))
        found += _attached(source, repository, manifest.digest, above | {manifest.digest})
    return found


def _signatures(source: Source, repository: str, digests: Iterable[str], tags: Collection[str]) -> dict[Place, Stored]:
    """What the tags of signatures name of some manifests, and of that in turn."""
    found: dict[Place, Stored] = {}
    pending = list(dict.fromkeys(digests))
    for digest in pending:  # which grows: a signature may be signed, too
        for tag in (tag for tag in tags_of(digest) if tag in tags):
            manifest = source.find_manifest(repository, tag)
            if manifest is None:
                continue  # gone in the meantime
            if named_blobs(manifest) is None:
                console.warn(f"{source.reference(repository, tag)} is not in cosign's form, and is left out")
                continue
            found[repository, tag] = Stored(repository=repository, manifest=manifest)
            if manifest.digest not in pending:  # anyone who may push can make a circle of tags
                pending.append(manifest.digest)
    return found


def _gone(source: Source, release: Release, place: Place) -> RegistryError:
    return RegistryError(
        f"an image of release {release.number} is not there any more",
        where=source.reference(*place),
        fix="promote a later release, or publish this one's images again",
    )
