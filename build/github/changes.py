"""What a job changed in its checkout, as a patch for a job that may push.

A job that makes locks runs code of packages (their builds), and so gets no token that may write. It uploads a folder as
an artifact; the next job downloads it and applies the patch in a checkout of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from build.errors import NetworkError, PipelineError, UsageError
from build.github.job import Job
from build.system import processes

#: The files in the folder.
PATCH, SUMMARY = "changes.patch", "summary.md"
#: What an update writes. A patch of anything else could be code that runs in the job that may push.
_FILES = ("matrix.yaml", "matrix.schema.json", "docker-bake.hcl", "docs/images.md", "docs/matrix.md")
_FOLDERS = ("locks/", "dockerfiles/", "environments/")


def write_patch(root: Path, folder: Path) -> None:
    """Write all changes of a checkout, new files too, as a patch; an empty one if nothing has changed.

    Raises:
        PipelineError: Git failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _git(root, "add", "--all", "--intent-to-add")
    # Git writes the file: as text, line ends and bytes that are no UTF-8 would be lost.
    output = f"--output={(folder / PATCH).resolve()}"
    _git(root, "diff", "--binary", "--no-color", "--no-ext-diff", "--no-renames", output, "HEAD")


def apply_patch(root: Path, folder: Path) -> None:
    """Make the changes of a patch in a checkout of the same commit.

    Raises:
        UsageError: The folder has no patch, or it changes files that no update changes.
        PipelineError: Git failed: the checkout is of another commit.
    """
    file = (folder / PATCH).resolve()
    if not file.is_file():
        raise UsageError("no patch is found", where=str(file), fix="write it with: nox -s github -- changes FOLDER")
    if not file.stat().st_size:
        return
    # One file a line, `added<tab>deleted<tab>path`; a rename has two paths, and none is made.
    lines = _git(root, "apply", "--numstat", "-z", str(file)).split("\0")
    paths = [line.split("\t", 2)[-1] for line in lines if line]
    others = [path for path in paths if path not in _FILES and not path.startswith(_FOLDERS)]
    if others:
        raise UsageError(
            f"the patch changes files that no update changes: {', '.join(others)}",
            where=str(file),
            fix="look at what the job before this one did; nothing was changed",
        )
    _git(root, "apply", "--whitespace=nowarn", str(file))


def download(job: Job, artifact: str, folder: Path) -> None:
    """Download an artifact of the run with ``gh``, with the token of the job: another one need not be for that.

    Raises:
        UsageError: ``gh`` is not on this machine.
        NetworkError: There is no such artifact, or GitHub did not answer.
    """
    command = ("gh", "run", "download", job.run_id, "--repo", job.repository, "--name", artifact, "--dir", str(folder))
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or ""
    try:
        done = processes.run(command, environment={**os.environ, "GH_TOKEN": token})
    except OSError as failure:
        raise UsageError("GitHub's command line is not on this machine", where="gh", fix="install gh") from failure
    if done.returncode != 0:
        raise NetworkError(
            f"the artifact '{artifact}' cannot be downloaded",
            where=job.url,
            fix="give the job 'actions: read', and its token in GITHUB_TOKEN (docs/ci.md)",
            details=done.stderr.strip(),
        )


def _git(root: Path, *arguments: str) -> str:
    done = processes.run(["git", *arguments], cwd=root)
    if done.returncode != 0:
        raise PipelineError(f"git {arguments[0]} failed", where=str(root), details=done.stderr.strip())
    return done.stdout
