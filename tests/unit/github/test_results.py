"""The results of jobs that branch protection asks for."""

from __future__ import annotations

import json

import pytest

from build.errors import PipelineError, UsageError
from build.github import results


def needs(**ends: str) -> str:
    return json.dumps({job: {"result": result, "outputs": {"shards": "[]"}} for job, result in ends.items()})


def test_success_passes_and_so_does_what_may_be_skipped() -> None:
    results.check(needs(lint="success", images="success"), [])
    results.check(needs(lint="success", images="skipped"), ["images"])


@pytest.mark.parametrize("result", ["failure", "cancelled", "skipped", "another"])
def test_anything_else_fails(result: str) -> None:
    with pytest.raises(PipelineError, match=rf"not all jobs passed: plan \({result}\)$"):
        results.check(needs(lint="success", plan=result), ["images"])


@pytest.mark.parametrize("result", ["failure", "cancelled"])
def test_a_job_that_may_be_skipped_must_not_fail(result: str) -> None:
    with pytest.raises(PipelineError, match=result):
        results.check(needs(images=result), ["images"])


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"lint": {}}', '{"lint": "success"}'])
def test_something_else_is_never_a_pass(text: str) -> None:
    with pytest.raises(UsageError):
        results.check(text, ["lint"])
