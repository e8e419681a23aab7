"""`nox -s github`: the pull request of an update, and the issue of a scheduled workflow that fails."""

from __future__ import annotations

from pathlib import Path

import click

from build.commands.subcommands import Group
from build.errors import UsageError
from build.github import changes, files, issue, job, results
from build.github import pull_request as pull_requests
from build.paths import repository
from build.system import console


@click.group("github", cls=Group)
def github() -> None:
    """For jobs of GitHub Actions: a pull request for changed files, an issue for a failure (docs/ci.md)."""


@github.command("changes")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def write_changes(folder: Path) -> None:
    """Write what is changed in this checkout into FOLDER, for `pull-request` in a job that may push.

    FOLDER has summary.md, the report of the update. An update that failed before it wrote anything leaves no report,
    and then this command fails, too.
    """
    changes.write_patch(repository().root, folder)


@github.command("pull-request")
@click.option("--branch", required=True, help="The branch that is pushed, and kept up to date.")
@click.option("--title", required=True, help="The title of the pull request, and the message of its commit.")
@click.option("--artifact", metavar="NAME", help="Download FOLDER first: an artifact of this run.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def pull_request(branch: str, title: str, artifact: str | None, folder: Path) -> None:
    """Open or update a pull request with the changes in FOLDER, whose summary.md describes it."""
    this_job, root = job.from_environment(), repository().root
    if artifact is not None:
        changes.download(this_job, artifact, folder)
    changes.apply_patch(root, folder)
    summary = folder / changes.SUMMARY
    try:
        text = summary.read_text(encoding="utf-8")
    except OSError as failure:
        fix = f"nox -s update -- --summary {summary}"
        raise UsageError("the description cannot be read", where=str(summary), fix=fix) from failure
    body = files.cut(text, files.BODY_LIMIT)
    address = pull_requests.propose(root, this_job, branch=branch, title=title, body=body)
    console.out.print(address or "nothing has changed: no pull request", soft_wrap=True, markup=False)
    files.add_summary(f"{text}\n\n{address}\n" if address else "Nothing has changed: no pull request.\n")


@github.command("issue")
def report() -> None:
    """Open an issue about the failure of a scheduled workflow, or comment on the open one."""
    console.out.print(issue.report_failure(job.from_environment()), soft_wrap=True, markup=False)


@github.command("results")
@click.option("--may-skip", metavar="JOBS", default="", help="Jobs that need not have run, with spaces between them.")
@click.argument("needs")
def check_results(needs: str, may_skip: str) -> None:
    """Fail unless all jobs in NEEDS passed: the context `needs` as JSON."""
    results.check(needs, may_skip.split())
