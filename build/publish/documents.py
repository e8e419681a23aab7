"""The documents that are attached to published images: the inputs of the recipe, and the reports of the tests.

Each also has a tag, by which it is found with one request: ``inputs-<recipe>`` and ``verified-<recipe>-<suite>``. No
list is overwritten for that, and what two writers of one tag write says the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from build.images.recipe import inputs_tag
from build.publish.plan import Plan
from build.publish.release import Commit
from build.registry import attachments
from build.registry.client import Client
from build.registry.contents import Contents
from build.registry.manifests import Manifest, config_of, layers_of, subject_of
from build.system import console
from build.verify import reports
from build.verify.reports import verified_tag

#: The media type of the inputs of a recipe. The SHA-256 of the document is the recipe.
INPUTS_TYPE = "application/vnd.inference-images.recipe.v1+json"
#: The file name of the inputs when they are pulled (``oras pull``).
_INPUTS_FILE = "recipe.json"
#: The annotation of a report with the hash of its tests and expectations.
_SUITE = "inference-images.suite"
#: Another, of the OCI image specification, with the commit whose tests ran.
REVISION = "org.opencontainers.image.revision"


def attach_documents(plans: Sequence[Plan], remote: Client, commit: Commit) -> None:
    """Attach to each image the inputs of its recipe and its test report, each once.

    The registry may have an image of the same recipe from another machine. A report is about this machine's image; it
    is attached to the other one only if both are the same.

    Args:
        plans: The plans; all images are in the registry.
        remote: The registry.
        commit: The commit of the checkout whose tests ran. It is noted at the report, and not in a label of the image:
            the same recipe gives the same image at every commit.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    for plan in plans:
        if plan.digest is not None and not _attach(plan, plan.digest, remote, commit):
            console.warn(
                f"the registry {remote.registry.host} does not accept attachments: it has neither the recipes nor the "
                "test reports of the images"
            )
            return


def verified_digest(remote: Client, repository: str, recipe: str, suite: str) -> str | None:
    """Return the digest of the image that passed a suite; None if no report of it is in the registry.

    Args:
        remote: The registry.
        repository: As the matrix names it.
        recipe: The recipe of the image.
        suite: The hash of the tests and expectations.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    manifest = remote.find_manifest(repository, verified_tag(recipe, suite))
    if manifest is None or manifest.document.get("artifactType") != reports.MEDIA_TYPE:
        return None
    return subject_of(manifest)


def read_inputs(remote: Contents, repository: str, recipe: str) -> Mapping[str, Any] | None:
    """Return the inputs of a recipe, if the registry has the document whose SHA-256 is the recipe.

    Args:
        remote: The registry.
        repository: As the matrix names it.
        recipe: The whole recipe.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    manifest = remote.find_manifest(repository, inputs_tag(recipe))
    if manifest is None or layers_of(manifest) != (f"sha256:{recipe}",):
        return None
    try:
        content = json.loads(remote.find_blob(repository, f"sha256:{recipe}") or b"")
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _attach(plan: Plan, digest: str, remote: Client, commit: Commit) -> bool:
    """Attach the documents of one image; returns whether the registry accepts such manifests."""
    item, repository = plan.item, plan.item.repository
    subject: Manifest | None = None
    if item.inputs is not None and remote.digest(repository, inputs_tag(item.recipe)) is None:
        subject = remote.manifest(repository, digest)
        accepted = attachments.attach(
            remote,
            repository,
            subject,
            item.inputs,
            media_type=INPUTS_TYPE,
            title=_INPUTS_FILE,
            created="1980-01-01T00:00:00Z",  # the same document is always the same manifest
            tag=inputs_tag(item.recipe),
        )
        if not accepted:
            return False
    report = item.report
    if report is None or verified_digest(remote, repository, item.recipe, report.suite) == digest:
        return True
    subject = subject or remote.manifest(repository, digest)
    # The containerd store names an image by its manifest's digest, the classic one by its configuration's.
    if report.image_id not in {subject.digest, config_of(subject)}:
        console.warn(
            f"the test report of {item.name} is about another image of the same recipe than the registry has: "
            "it is not attached"
        )
        return True
    return attachments.attach(
        remote,
        repository,
        subject,
        report.content,
        media_type=reports.MEDIA_TYPE,
        title=reports.FILE_NAME,
        created=report.time,
        annotations={_SUITE: report.suite, **({REVISION: commit.revision} if commit.hash else {})},
        tag=verified_tag(item.recipe, report.suite),
    )
