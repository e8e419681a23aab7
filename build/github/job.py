"""What a job of GitHub Actions says of itself, in its environment variables.

The names are those of docs.github.com, "Variables reference".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from build.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that runs."""

    #: ``https://github.com``, or a company's own.
    server: str
    #: ``owner/name``.
    repository: str
    #: The branch or tag that it runs for: ``main``.
    ref_name: str
    workflow: str
    run_id: str

    @property
    def url(self) -> str:
        """The page of the run."""
        return f"{self.server}/{self.repository}/actions/runs/{self.run_id}"

    @property
    def remote(self) -> str:
        """The repository as git names it."""
        return f"{self.server}/{self.repository}.git"


def from_environment(environment: Mapping[str, str] | None = None) -> Job:
    """Read the variables of a job.

    Args:
        environment: The variables; None is the process's own.

    Raises:
        UsageError: One is not set: this is not a job of GitHub Actions.
    """
    variables = os.environ if environment is None else environment
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_REF_NAME", "GITHUB_WORKFLOW", "GITHUB_RUN_ID")
    missing = [name for name in names if not variables.get(name)]
    if missing:
        raise UsageError(
            f"this is not a job of GitHub Actions: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
            fix="run it in a workflow (docs/ci.md)",
        )
    server, repository, ref_name, workflow, run_id = (variables[name] for name in names)
    return Job(server=server, repository=repository, ref_name=ref_name, workflow=workflow, run_id=run_id)
