"""What a job changed in its checkout, as a patch for a job that may push.

A job that makes locks runs code of packages (their builds), and so gets no token that may write. It uploads a folder as
an artifact; the next job downloads it and applies the patch in a checkout of its own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from build.errors import NetworkError, PipelineError, UsageError
from build.github.job import Job
from build.system import processes

#: The files in the folder.
PATCH, SUMMARY = "changes.patch", "summary.md"
#: What an update writes. A patch of anything else could be code that runs in the job that may push.
_FILES = ("matrix.yaml", "matrix.schema.json", "docker-bake.hcl", "docs/images.md", "docs/matrix.md")
_FOLDERS = ("locks/", "dockerfiles/", "environments/")
#: Of a file that is no program and no link, and of one that is gone.
_MODES = ("100644", "000000")


def write_patch(root: Path, folder: Path) -> None:
    """Write all changes of a checkout, new files too, as a patch; an empty one if nothing has changed.

    An update writes its report last: without one, it failed and changed nothing.

    Raises:
        UsageError: The folder has no report.
        PipelineError: Git failed.
    """
    if not (folder / SUMMARY).is_file():
        raise UsageError(
            "the update wrote no report: it did not run, or it failed and changed nothing",
            where=str(folder / SUMMARY),
            fix=f"look at what it printed; it writes the report with: nox -s update -- --summary {folder / SUMMARY}",
        )
    _git(root, "add", "--all", "--intent-to-add")
    # Git writes the file: as text, line ends and bytes that are no UTF-8 would be lost.
    output = f"--output={(folder / PATCH).resolve()}"
    _git(root, "diff", "--binary", "--no-color", "--no-ext-diff", "--no-renames", output, "HEAD")


def apply_patch(root: Path, folder: Path) -> None:
    """Make the changes of a patch in a checkout of the same commit.

    Raises:
        UsageError: The folder has no patch, or it changes files that no update changes, or makes links or programs.
        PipelineError: Git failed: the checkout is of another commit.
    """
    file = (folder / PATCH).resolve()
    if not file.is_file():
        raise UsageError("no patch is found", where=str(file), fix="write it with: nox -s github -- changes FOLDER")
    if not file.stat().st_size:
        return
    others = [path for path, mode in _changes(root, file) if not _is_an_update(path, mode)]
    if others:
        raise UsageError(
            f"the patch changes files that no update changes: {', '.join(others)}",
            where=str(file),
            fix="look at what the job before this one did; nothing was changed",
        )
    _git(root, "apply", "--whitespace=nowarn", str(file))


def _changes(root: Path, patch: Path) -> list[tuple[str, str]]:
    """Return the path and the new mode of each file that differs after a patch; the checkout stays as it is.

    Git applies the patch to an index of its own, and compares that. What the patch says of itself is not trusted: it
    may rename a file or copy one, and of those, `git apply --numstat` names one of the two paths alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git(root, "read-tree", "HEAD", variables=index)
        _git(root, "apply", "--cached", "--whitespace=nowarn", str(patch), variables=index)
        compare = ("diff", "--cached", "--raw", "--no-renames", "--ignore-submodules=none", "-z", "HEAD")
        found = _git(root, *compare, variables=index)
    # `:<old mode> <new mode> <old hash> <new hash> <status>`, then the path.
    fields = found.split("\0")[:-1]
    return [(path, about.split()[1]) for about, path in zip(fields[::2], fields[1::2], strict=True)]


def _is_an_update(path: str, mode: str) -> bool:
    return mode in _MODES and (path in _FILES or path.startswith(_FOLDERS))


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


def _git(root: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    environment = None if variables is None else {**os.environ, **variables}
    done = processes.run(["git", *arguments], cwd=root, environment=environment)
    if done.returncode != 0:
        raise PipelineError(f"git {arguments[0]} failed", where=str(root), details=done.stderr.strip())
    return done.stdout
