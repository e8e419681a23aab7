"""The results of foundations in the registry: each is attached to the root file system of its base.

So the tests of a base and a server layer run once for everyone who uses the registry, and not once on each machine.
The tag ``foundation-<16 digits of the foundation>-<suite>`` finds a result with one request; the first one counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from build.engine.built import BuiltImage
from build.paths import Paths
from build.publish.bases import BasesOf, PushedBase, UsedBase
from build.registry import attachments
from build.registry.client import Client
from build.registry.manifests import layers_of
from build.verify import foundation
from build.verify.reports import foundation_tag
from build.verify.target import suite_hash

#: The media type of a result, and the artifact type of the manifest that carries it.
MEDIA_TYPE = "application/vnd.inference-images.foundation.v1+json"
#: Its file name when it is pulled (``oras pull``).
_FILE_NAME = "foundation.json"


def fetch_results(bases: BasesOf, remote: Client) -> int:
    """Take over the results of foundations that this checkout does not have.

    Args:
        bases: The images that are about to be tested, and their bases.
        remote: The registry.

    Returns:
        The number of results that were taken over.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    paths, suite = bases.project.paths, suite_hash(bases.project.tool.image_tests)
    return sum(
        _fetch(paths, remote, base.repository, digest, suite)
        for base in bases.used
        for digest in _digests(base, bases.images)
        if foundation.load(paths, digest, suite) is None
    )


def attach_results(bases: BasesOf, pushed_bases: Sequence[PushedBase], remote: Client) -> None:
    """Attach the results of images' foundations to their bases, where the registry has none yet.

    Args:
        bases: Verified images, and their bases.
        pushed_bases: Bases that are in the registry, and whose locks have no tag yet.
        remote: The registry.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    suite = suite_hash(bases.project.tool.image_tests)
    pushed = {each.base.local.name: each.digest for each in pushed_bases}
    for base in bases.used:
        for digest in _digests(base, bases.images):
            result = foundation.load(bases.project.paths, digest, suite)
            if result is not None and not _attach(base, pushed.get(base.local.name), result, remote):
                return  # no attachments are accepted, which is reported for the images' own


def _digests(base: UsedBase, images: Sequence[BuiltImage]) -> list[str]:
    """Return the digests of the foundations of those images that are on a base."""
    on_base = [image for image in images if image.image.variant.build_base_name == base.local.name]
    return sorted({digest for image in on_base if (digest := foundation.digest_of(image)) is not None})


def _fetch(paths: Paths, remote: Client, repository: str, digest: str, suite: str) -> bool:
    manifest = remote.find_manifest(repository, foundation_tag(digest, suite))
    if manifest is None or manifest.document.get("artifactType") != MEDIA_TYPE:
        return False
    documents = layers_of(manifest)
    content = remote.find_blob(repository, documents[0]) if documents else None
    result = foundation.parse(content) if content else None
    if result is None or (result.foundation, result.suite) != (digest, suite):
        return False
    foundation.save(paths, result)
    return True


def _attach(base: UsedBase, pushed: str | None, result: foundation.FoundationResult, remote: Client) -> bool:
    """Attach one result; returns whether the registry accepts attachments."""
    tag = foundation_tag(result.foundation, result.suite)
    if remote.digest(base.repository, tag) is not None:
        return True
    if pushed is None:
        found = base.find(remote)
        if found is None:  # the base is not published, which is a warning of its own
            return True
        pushed = found.digest
    return attachments.attach(
        remote,
        base.repository,
        remote.manifest(base.repository, pushed),
        foundation.to_json(result).encode(),
        media_type=MEDIA_TYPE,
        title=_FILE_NAME,
        created=result.time,
        tag=tag,
    )
