"""`nox -s github`: the pull request of an update, and the issue of a scheduled workflow that fails."""

from __future__ import annotations

from pathlib import Path

import click

from build.commands.subcommands import Group
from build.errors import UsageError
from build.github import files, issue, job
from build.github import pull_request as pull_requests
from build.paths import repository
from build.system import console


@click.group("github", cls=Group)
def github() -> None:
    """For jobs of GitHub Actions: a pull request for changed files, an issue for a failure (docs/ci.md)."""


@github.command("pull-request")
@click.option("--branch", required=True, help="The branch that is pushed, and kept up to date.")
@click.option("--title", required=True, help="The title of the pull request, and the message of its commit.")
@click.option(
    "--body",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with the description of the pull request, Markdown.",
)
def pull_request(branch: str, title: str, body: Path) -> None:
    """Open or update a pull request with what is changed in this checkout; without changes, do nothing."""
    try:
        text = body.read_text(encoding="utf-8")
    except OSError as failure:
        raise UsageError(
            "the description cannot be read", where=str(body), fix="nox -s update -- --summary FILE"
        ) from failure
    address = pull_requests.propose(
        repository().root, job.from_environment(), branch=branch, title=title, body=files.cut(text, files.BODY_LIMIT)
    )
    console.out.print(address or "nothing has changed: no pull request", soft_wrap=True, markup=False)
    files.add_summary(f"{text}\n\n{address}\n" if address else "Nothing has changed: no pull request.\n")


@github.command("issue")
def report() -> None:
    """Open an issue about the failure of a scheduled workflow, or comment on the open one."""
    console.out.print(issue.report_failure(job.from_environment()), soft_wrap=True, markup=False)
