"""One issue for the failures of a scheduled workflow: opened once, and commented on after that."""

from __future__ import annotations

from typing import Any

from build.github import gh
from build.github.job import Job

#: Issues that are looked at; the newest come first.
_PAGE = 100


def report_failure(job: Job) -> str:
    """Open an issue about the failure of a workflow, or comment on the open one.

    Args:
        job: A job of the run that failed.

    Returns:
        The address of the issue.

    Raises:
        UsageError: ``gh`` is not on this machine.
        NetworkError: GitHub refused a request, or did not answer.
    """
    title = f"The scheduled workflow '{job.workflow}' fails"
    issues = f"repos/{job.repository}/issues"
    found = gh.api("GET", f"{issues}?state=open&per_page={_PAGE}")
    known = next((each for each in found if _is_ours(each, title)), None)
    if known is not None:
        gh.api("POST", f"{issues}/{known['number']}/comments", {"body": f"It failed again: {job.url}"})
        return str(known["html_url"])
    body = f"{job.url} failed.\n\nFurther failures are added as comments. Close this issue when the workflow is fixed."
    return str(gh.api("POST", issues, {"title": title, "body": body})["html_url"])


def _is_ours(issue: dict[str, Any], title: str) -> bool:
    return issue["title"] == title and "pull_request" not in issue
