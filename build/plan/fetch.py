"""Take over what the registry knows of the tests of an image that was pulled, instead of testing it again."""

from __future__ import annotations

from collections.abc import Collection

from build.paths import Paths
from build.plan.question import Question
from build.registry.client import Client
from build.registry.manifests import layers_of
from build.verify import reports, verified
from build.verify.reports import verified_tag
from build.verify.results import VerifyResult


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
