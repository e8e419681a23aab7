"""The issue about a scheduled workflow that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.errors import NetworkError, UsageError
from build.github import job
from build.github.issue import report_failure
from tests.unit.github.conftest import JOB, Gh

TITLE = "The scheduled workflow 'update' fails"
ISSUES = "repos/acme/images/issues"


def test_the_first_failure_opens_an_issue(gh: Gh) -> None:
    others = [{"title": "another", "number": 1}, {"title": TITLE, "number": 2, "pull_request": {}}]
    gh.answer({f"GET {ISSUES}": others, f"POST {ISSUES}": {"html_url": "https://github.example/3"}})
    assert report_failure(JOB) == "https://github.example/3"
    method, path, body = gh.requests[-1]
    assert (method, path, body["title"]) == ("POST", ISSUES, TITLE)
    assert "https://github.example/acme/images/actions/runs/42" in body["body"]


def test_the_next_one_is_a_comment(gh: Gh) -> None:
    known = {"title": TITLE, "number": 7, "html_url": "https://github.example/7"}
    gh.answer({f"GET {ISSUES}": [known], f"POST {ISSUES}/7/comments": {}})
    assert report_failure(JOB) == "https://github.example/7"
    assert [request[:2] for request in gh.requests][1:] == [["POST", f"{ISSUES}/7/comments"]]


def test_a_refusal_is_explained(gh: Gh) -> None:
    gh.answer({})
    with pytest.raises(NetworkError, match="Resource not accessible by integration") as failure:
        report_failure(JOB)
    assert "docs/ci.md" in str(failure.value.fix)


def test_a_machine_without_gh_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="command line is not on this machine"):
        report_failure(JOB)


def test_the_job_is_read_from_its_variables() -> None:
    variables = {
        "GITHUB_SERVER_URL": JOB.server,
        "GITHUB_REPOSITORY": JOB.repository,
        "GITHUB_REF_NAME": JOB.ref_name,
        "GITHUB_WORKFLOW": JOB.workflow,
        "GITHUB_RUN_ID": JOB.run_id,
    }
    assert job.from_environment(variables) == JOB
    with pytest.raises(UsageError, match="GITHUB_RUN_ID is not set"):
        job.from_environment({**variables, "GITHUB_RUN_ID": ""})
