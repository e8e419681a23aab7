"""One branch with one pull request for what an update changed in the checkout; both are kept up to date.

The branch is always one commit on the branch that the job runs for. It is replaced, unless a person pushed to it.
"""

from __future__ import annotations

from pathlib import Path

from build.errors import NetworkError, PipelineError
from build.github import gh
from build.github.job import Job
from build.system import processes

#: The account of GitHub's own jobs: github.com/actions/checkout, "Push a commit using the built-in token".
_NAME = "github-actions[bot]"
_EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"
#: gh gives git the login, so that it is in no file of the checkout.
_LOGIN = ("-c", "credential.helper=", "-c", "credential.helper=!gh auth git-credential")


def propose(root: Path, job: Job, *, branch: str, title: str, body: str, remote: str | None = None) -> str | None:
    """Commit the changes of a checkout on a branch, push it, and open or update its pull request.

    If nothing has changed, an open pull request of the branch has nothing left to do, and is closed, unless a person
    pushed to the branch.

    Args:
        root: The checkout: of the branch that the pull request is for, with its history.
        job: This job.
        branch: The branch to push.
        title: Of the commit and of the pull request.
        body: The description of the pull request, Markdown.
        remote: Where the branch is pushed to; by default the repository of the job.

    Returns:
        The address of the pull request; None if nothing has changed.

    Raises:
        PipelineError: Git failed, or a person pushed to the branch.
        UsageError: ``gh`` is not on this machine.
        NetworkError: GitHub refused a request, or did not answer.
    """
    remote = remote or job.remote
    former = _former(root, remote, branch)
    if not _git(root, "status", "--porcelain"):
        if former is not None and not _others(root, former):
            _close(job, branch)
        return None
    if former is not None and (others := _others(root, former)):
        raise PipelineError(
            f"{', '.join(others)} pushed to the branch '{branch}': it is not replaced",
            where=f"{job.repository}, branch {branch}",
            fix="merge or close its pull request, and delete the branch",
        )
    _git(root, "add", "--all")
    who = ("-c", f"user.name={_NAME}", "-c", f"user.email={_EMAIL}")
    _git(root, *who, "commit", "--quiet", "--no-verify", f"--message={title}")
    if former is None or not _is_same(root, former):
        lease = f"--force-with-lease=refs/heads/{branch}:{former or ''}"
        _remote_git(root, "push", "--quiet", lease, remote, f"HEAD:refs/heads/{branch}")
    return _pull_request(job, branch, {"title": title, "body": body})


def _former(root: Path, remote: str, branch: str) -> str | None:
    """Return the commit of the branch, which the checkout has then; None if there is no such branch."""
    listed = _remote_git(root, "ls-remote", remote, f"refs/heads/{branch}")
    if not listed:
        return None
    _remote_git(root, "fetch", "--quiet", "--no-tags", remote, f"refs/heads/{branch}")
    return _git(root, "rev-parse", "FETCH_HEAD")


def _others(root: Path, former: str) -> list[str]:
    """Return who else has commits on the branch that the checkout does not have."""
    committers = _git(root, "log", "--format=%ce", former, "--not", "HEAD").splitlines()
    return sorted(set(committers) - {_EMAIL})


def _is_same(root: Path, former: str) -> bool:
    """Tell whether the branch has the same files on the same commit already: a push would only start checks again."""
    return all(_git(root, "rev-parse", f"{former}{part}") == _git(root, "rev-parse", f"HEAD{part}") for part in _PARTS)


_PARTS = ("^{tree}", "^")


def _pull_request(job: Job, branch: str, content: dict[str, str]) -> str:
    pulls = f"repos/{job.repository}/pulls"
    if numbers := _open(job, branch):
        return str(gh.api("PATCH", f"{pulls}/{numbers[0]}", content)["html_url"])
    return str(gh.api("POST", pulls, {**content, "head": branch, "base": job.ref_name})["html_url"])


def _close(job: Job, branch: str) -> None:
    for number in _open(job, branch):
        body = f"Closed: `{job.ref_name}` has all of it, or needs it no more ({job.url})."
        gh.api("POST", f"repos/{job.repository}/issues/{number}/comments", {"body": body})
        gh.api("PATCH", f"repos/{job.repository}/pulls/{number}", {"state": "closed"})


def _open(job: Job, branch: str) -> list[int]:
    """Return the numbers of the open pull requests of the branch; GitHub allows one."""
    owner = job.repository.partition("/")[0]
    found = gh.api("GET", f"repos/{job.repository}/pulls?state=open&head={owner}:{branch}&base={job.ref_name}")
    return [int(each["number"]) for each in found]


def _git(root: Path, *arguments: str) -> str:
    done = processes.run(["git", *arguments], cwd=root)
    if done.returncode != 0:
        raise PipelineError(f"git {arguments[0]} failed", where=str(root), details=done.stderr.strip())
    return done.stdout.strip()


def _remote_git(root: Path, command: str, *arguments: str) -> str:
    done = processes.run(["git", *_LOGIN, command, *arguments], cwd=root)
    if done.returncode != 0:
        raise NetworkError(
            f"git {command} failed",
            where=arguments[-2] if len(arguments) > 1 else None,
            fix="give the job 'contents: write', and a token in GH_TOKEN (docs/ci.md)",
            details=done.stderr.strip(),
        )
    return done.stdout.strip()
