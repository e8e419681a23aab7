"""Bring an image from the registry into the engine, with what is known of its tests, instead of building it again."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

import requests
from docker import DockerClient
from docker.errors import DockerException

from build.errors import RegistryError
from build.paths import Paths
from build.plan.question import Question
from build.registry.client import Client
from build.registry.credentials import credentials
from build.registry.manifests import layers_of
from build.verify import reports, verified
from build.verify.reports import verified_tag
from build.verify.results import VerifyResult


def pull(client: DockerClient, remote: Client, question: Question, digest: str) -> str:
    """Pull an image, and give it the name that it has in the engine after a build.

    Args:
        client: The engine.
        remote: The registry.
        question: The image.
        digest: Of its manifest.

    Returns:
        The digest by which the engine knows it.

    Raises:
        RegistryError: The engine cannot pull it.
    """
    registry = remote.registry
    repository = f"{registry.host}/{registry.repository(question.repository)}"
    login = credentials(registry)
    try:
        image = client.images.pull(repository, tag=digest, auth_config=login.for_engine() if login else None)
        image.tag(question.repository, tag=question.recipe_tag)
    except (DockerException, requests.RequestException) as failure:
        raise RegistryError(
            f"the engine cannot pull {question.name}", where=f"{repository}@{digest}", details=str(failure)
        ) from failure
    finally:
        # The name was for the pull alone; left there, it would keep the image for ever.
        with contextlib.suppress(DockerException, requests.RequestException):
            client.images.remove(f"{repository}@{digest}", noprune=True)
    return str(image.id)


def remember_tests(paths: Paths, remote: Client, question: Question, image_id: str, ids: Collection[str]) -> None:
    """Remember the tests that an image has passed elsewhere, from the report in the registry.

    Nothing is remembered where the report is about another image than the engine's: then it is tested again.

    Args:
        paths: The checkout.
        remote: The registry.
        question: The image; the registry has a report of its tests.
        image_id: The digest by which the engine knows it.
        ids: The digests by which engines know it.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    manifest = remote.find_manifest(question.repository, verified_tag(question.recipe, question.suite))
    documents = layers_of(manifest) if manifest else ()
    content = remote.find_blob(question.repository, documents[0]) if documents else None
    report = reports.parse(content) if content else None
    if report is None or not {report.image_id, image_id} <= set(ids) or report.suite != question.suite:
        return
    result = VerifyResult(name=question.name, image_id=image_id, passed=report.passed)
    verified.record(paths, result, recipe=question.recipe, suite=question.suite)
    reports.save(paths, report.model_copy(update={"image_id": image_id}))
