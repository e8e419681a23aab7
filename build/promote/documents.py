"""Manifests, attachments, and the tags that name them, in a target that has their blobs."""

from __future__ import annotations

from collections.abc import Mapping

from build.promote.found import Found, Stored
from build.promote.stores import Target
from build.promote.transfer import Missing
from build.publish.release import Place
from build.registry.manifests import subject_of
from build.system import console
from build.system.parallel import run_parallel


def missing_tags(found: Found, target: Target) -> dict[Place, str]:
    """Return the tags of recipes and attachments that a target lacks, with their digests.

    The tag of a recipe stays where it is: it may be on another image of the same recipe.

    Args:
        found: What belongs to the release.
        target: The target.
    """
    attached = {each.place for each in found.attachments}
    actual = dict(zip(found.tags, run_parallel(lambda place: target.digest(*place), found.tags), strict=True))
    return {
        place: digest
        for place, digest in found.tags.items()
        if actual[place] is None or (actual[place] != digest and (place[0], digest) in attached)
    }


def write(found: Found, missing: Missing, tags: Mapping[Place, str], target: Target, name: str) -> None:
    """Write manifests, then attachments, then their tags.

    Args:
        found: What belongs to the release.
        missing: What the target lacked of it; it has the blobs by now.
        tags: The tags that it lacks.
        target: The target.
        name: Its name, for messages.

    Raises:
        PipelineError: It is not there, refuses, or fails.
    """
    by_repository: dict[str, list[Stored]] = {}
    for each in missing.manifests:
        by_repository.setdefault(each.repository, []).append(each)
    run_parallel(lambda repository: _put(target, by_repository[repository]), by_repository)
    manifests = found.manifests()
    attached = {each.place for each in found.attachments}
    if not _attach(found, target):
        console.warn(
            f"{name} does not accept attachments: it has neither the recipes nor the test reports of the images"
        )
        tags = {
            (repository, tag): digest
            for (repository, tag), digest in tags.items()
            if (repository, digest) not in attached
        }
    for (repository, tag), digest in tags.items():
        target.put_document_tag(repository, tag, manifests[repository, digest])


def _put(target: Target, manifests: list[Stored]) -> None:
    for each in manifests:  # in their order: an index comes after what it names
        target.put_manifest(each.repository, each.manifest)


def _attach(found: Found, target: Target) -> bool:
    """Write attachments; returns whether the target accepts them."""
    groups: dict[str, dict[str, list[Stored]]] = {}
    for each in found.attachments:
        of_repository = groups.setdefault(each.repository, {})
        of_repository.setdefault(str(subject_of(each.manifest)), []).append(each)

    def attach(repository: str) -> bool:
        return all(
            target.put_attachments(repository, subject, [each.manifest for each in attachments])
            for subject, attachments in groups[repository].items()
        )

    return all(run_parallel(attach, groups))
