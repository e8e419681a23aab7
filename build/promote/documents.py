"""Manifests, what is attached to them, and the tags that name both, in a target that has their blobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from build.promote.found import Found
from build.promote.found_documents import Stored
from build.promote.stores import Target
from build.promote.transfer import Missing
from build.publish.release import Place
from build.registry.manifests import Manifest, layers_of, subject_of
from build.registry.signature_tags import is_signature_tag
from build.system import console
from build.system.parallel import run_parallel
from build.verify.reports import is_foundation_tag


@dataclass(frozen=True, kw_only=True)
class Refused:
    """An attachment or a signature that a target does not accept."""

    stored: Stored
    #: The target's words, on one line.
    reason: str


def without_other_signatures(found: Found, target: Target) -> Found:
    """Leave out signatures of which a target has others under the same tag, with a warning for each.

    cosign adds a signature to a tag by writing a manifest with one more layer. So a tag moves only to a manifest that
    has everything that the target's has.

    Args:
        found: What belongs to the release.
        target: The target.

    Raises:
        RegistryError: It is not there, refuses, or fails.
    """
    manifests = found.manifests()
    places = [place for place in found.tags if is_signature_tag(place[1])]
    actual = dict(zip(places, run_parallel(lambda place: target.find_manifest(*place), places), strict=True))
    others = {
        place: found.tags[place]
        for place, manifest in actual.items()
        if manifest and not _is_within(manifest, manifests[place[0], found.tags[place]])
    }
    for repository, tag in others:
        console.warn(f"{target.reference(repository, tag)} has something else than in the source, and is not moved")
    kept = {place: digest for place, digest in found.tags.items() if place not in others}
    named = {(repository, digest) for (repository, _), digest in kept.items()}
    return dataclasses.replace(
        found, tags=kept, signatures=tuple(each for each in found.signatures if each.place in named)
    )


def _is_within(manifest: Manifest, other: Manifest) -> bool:
    """Tell whether another manifest has everything that a manifest has."""
    layers = layers_of(manifest)
    return manifest.digest == other.digest or (bool(layers) and set(layers) <= set(layers_of(other)))


def missing_tags(found: Found, target: Target) -> dict[Place, str]:
    """Return the tags of recipes, attachments and signatures that a target lacks, with their digests.

    The tag of a recipe stays where it is: it may be on another image of the same recipe. So does that of a result of
    shared tests: the first one counts.

    Args:
        found: What belongs to the release.
        target: The target.
    """
    documents = {each.place for each in found.documents}
    actual = dict(zip(found.tags, run_parallel(lambda place: target.digest(*place), found.tags), strict=True))
    return {
        place: digest
        for place, digest in found.tags.items()
        if actual[place] is None
        or (actual[place] != digest and (place[0], digest) in documents and not is_foundation_tag(place[1]))
    }


def write(found: Found, missing: Missing, tags: Mapping[Place, str], target: Target) -> tuple[Refused, ...]:
    """Write manifests, then attachments and signatures, then their tags.

    Args:
        found: What belongs to the release.
        missing: What the target lacked of it; it has the blobs by now.
        tags: The tags that it lacks.
        target: The target.

    Returns:
        The attachments and signatures that the target does not accept. It has everything else.

    Raises:
        PipelineError: It is not there, refuses, or fails.
    """
    images = _by_repository(missing.manifests)
    run_parallel(lambda repository: _put(target, images[repository]), images)
    lacking = {each.place for each in missing.documents}
    documents = _by_repository(found.documents)
    answers = run_parallel(lambda repository: _put_documents(target, documents[repository], lacking), documents)
    refused = tuple(each for answer in answers for each in answer)
    left_out = {each.stored.place for each in refused}
    manifests = found.manifests()
    for (repository, tag), digest in tags.items():
        if (repository, digest) not in left_out:
            target.put_document_tag(repository, tag, manifests[repository, digest])
    return refused


def _by_repository(stored: Iterable[Stored]) -> dict[str, list[Stored]]:
    found: dict[str, list[Stored]] = {}
    for each in stored:
        found.setdefault(each.repository, []).append(each)
    return found


def _put(target: Target, manifests: Iterable[Stored]) -> None:
    for each in manifests:  # in their order: an index comes after what it names
        target.put_manifest(each.repository, each.manifest)


def _put_documents(target: Target, documents: Iterable[Stored], lacking: set[Place]) -> list[Refused]:
    """Write what a repository lacks of its attachments and signatures, and list the attachments."""
    refused: dict[str, Refused] = {}
    attached: dict[Place, list[Manifest]] = {}
    for each in documents:  # in their order: an attachment comes after what it refers to
        subject, reason = subject_of(each.manifest), None
        if subject in refused:
            reason = "what it is attached to was refused"
        elif each.place in lacking:
            reason = target.offer_manifest(each.repository, each.manifest)
        if reason is not None:
            refused[each.manifest.digest] = Refused(stored=each, reason=reason)
        elif subject is not None:
            attached.setdefault((each.repository, subject), []).append(each.manifest)
    for (repository, subject), manifests in attached.items():
        target.list_attachments(repository, subject, manifests)
    return list(refused.values())
