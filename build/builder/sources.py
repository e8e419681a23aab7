"""The revision and the address of the sources, for the labels of images.  Runs git and changes nothing."""

from __future__ import annotations

from pathlib import Path

from build.checkout.project import Project
from build.system import processes


def revision(root: Path) -> str:
    """Return the commit of this checkout, with ``-dirty`` where files differ from it; empty outside git."""
    commit = _git(root, "rev-parse", "HEAD")
    return f"{commit}-dirty" if commit and _git(root, "status", "--porcelain") else commit


def source_url(project: Project) -> str:
    """Return the address of the sources: the matrix's ``source``, or git's remote without credentials."""
    if project.matrix.project.source:
        return project.matrix.project.source
    remote = _git(project.paths.root, "remote", "get-url", "origin")
    if remote.startswith(("http://", "https://")):
        scheme, _, rest = remote.partition("://")
        return f"{scheme}://{rest.rsplit('@', 1)[-1]}"
    return ""


def _git(root: Path, *arguments: str) -> str:
    done = processes.run(["git", *arguments], cwd=root)
    return done.stdout.strip() if done.returncode == 0 else ""
