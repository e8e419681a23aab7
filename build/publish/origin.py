"""Where a publish comes from: the run, the machine, and the commit of the checkout.  Runs git and changes nothing."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from build.publish.release import Commit
from build.system import console, processes

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One run of a command that publishes."""

    #: A random name of the run.
    run: str
    #: The machine's name, for people.
    host: str
    #: The commit of the checkout.
    commit: Commit
    #: The checkout, whose history tells which commit is older.
    root: Path
    #: The clone that the run holds (`build.system.state.exclusive`), so that no other run of it is alive; empty if the
    #: run holds none.
    clone: str = ""

    def __str__(self) -> str:
        return f"run {self.run} on {self.host} ({self.commit})"


def of_checkout(root: Path, *, held: Path | None = None) -> Origin:
    """Return the origin of a run in a checkout.

    Args:
        root: The checkout. Where it is not a git checkout, or git cannot read its commit, the commit is unknown; a
            warning says why git cannot.
        held: The file that the run has locked, if it holds the clone.
    """
    return Origin(
        run=uuid.uuid4().hex[:12],
        host=socket.gethostname(),
        commit=_commit(root),
        root=root,
        clone=_clone(held) if held else "",
    )


def is_older(origin: Origin, than: Commit) -> bool:
    """Tell whether the commit of a run is older than another one.

    Ancestry decides if the clone has the other commit. Otherwise, and for commits on different branches, the times of
    the commits decide. A commit that is unknown is not older.

    Args:
        origin: The run.
        than: A commit that may be from another clone.
    """
    commit, root = origin.commit, origin.root
    if not commit.hash or not than.hash or commit.hash == than.hash:
        return False
    if _git(root, "cat-file", "-e", f"{than.hash}^{{commit}}") is not None:
        if _git(root, "merge-base", "--is-ancestor", than.hash, commit.hash) is not None:
            return False
        if _git(root, "merge-base", "--is-ancestor", commit.hash, than.hash) is not None:
            return True
    return commit.time < than.time


def _commit(root: Path) -> Commit:
    shown = _run_git(root, "log", "-1", "--format=%H %ct")
    words = shown.stdout.split()
    if shown.returncode != 0 or len(words) != 2:
        if (root / ".git").exists():
            console.warn(f"the commit of this checkout is unknown, and is not compared: {shown.stderr.strip()}")
        return Commit()
    status = _git(root, "status", "--porcelain", "--untracked-files=no")
    return Commit(hash=words[0], time=int(words[1]), modified=bool(status))


def _git(root: Path, *arguments: str) -> str | None:
    """Run git; returns its output, None where it failed or is not installed."""
    done = _run_git(root, *arguments)
    return done.stdout.strip() if done.returncode == 0 else None


def _run_git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *arguments]
    try:
        return processes.run(command, cwd=root)
    except OSError as failure:
        return subprocess.CompletedProcess(command, 127, stdout="", stderr=f"git cannot be run ({failure.strerror})")


def _clone(held: Path) -> str:
    """A name of a clone that no other one has: a copy of the folder, or a container with the same paths, differs."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot = f"{uuid.getnode():x}"
    entry = held.stat()
    return hashlib.sha256(f"{boot} {entry.st_dev} {entry.st_ino}".encode()).hexdigest()[:16]
