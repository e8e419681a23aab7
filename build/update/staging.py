"""A copy of a project's files in a folder of its own, in which an update works; then they are put in place together.

Effects: writes the copy, and with ``put_in_place`` the project's files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from build.errors import PipelineError
from build.paths import Paths, write_atomically
from build.system import run_folder, signals

#: What an update may change, from the project's root; everything else is a link to the project's own.
_COPIED = (
    "matrix.yaml",
    "matrix.schema.json",
    "docker-bake.hcl",
    "locks",
    "dockerfiles",
    "environments",
    "docs",
)
#: Folders between the temporary folder and the copy, so that ``../../wheels`` does not lead out of it.
_DEEP = Path("1/2/3/4")


@dataclass(frozen=True, kw_only=True)
class Staging:
    """A project and the copy that an update works in."""

    project: Paths
    copy: Paths
    #: The files of the project when they were copied: path from the root → content.
    before: dict[str, bytes]

    def changed(self) -> list[str]:
        """Return the files that differ in the copy, are new in it, or are no longer in it, sorted."""
        after = _files(self.copy.root)
        paths = self.before.keys() | after.keys()
        return sorted(path for path in paths if self.before.get(path) != after.get(path))

    def put_in_place(self) -> list[str]:
        """Write the changed files to the project; Ctrl-C waits until all are written.

        Returns:
            The changed paths.

        Raises:
            PipelineError: A file of the project was edited meanwhile; nothing is written.
        """
        now = _files(self.project.root)
        if edited := sorted(path for path in now.keys() | self.before.keys() if now.get(path) != self.before.get(path)):
            raise PipelineError(
                "files changed while the update ran, so it was not put in place",
                where=", ".join(edited[:4]) + (" …" if len(edited) > 4 else ""),
                fix="run it again",
            )
        changed = self.changed()
        with signals.put_off():
            for path in changed:
                source, target = self.copy.root / path, self.project.root / path
                if source.is_file():
                    write_atomically(target, source.read_bytes().decode())
                    continue
                target.unlink()
                if not any(target.parent.iterdir()):
                    target.parent.rmdir()
        return changed


@contextlib.contextmanager
def staged(project: Paths, outside: Iterable[str] = ()) -> Iterator[Staging]:
    """Give a copy of a project, which is removed afterwards.

    ``.pipeline/`` is the project's own: it has what was fetched and bootstrapped, which the copy can use, too.

    Args:
        project: The project.
        outside: Paths that the matrix names, relative to it: those that begin with ``..`` must lead to the same place.
    """
    project.state.mkdir(parents=True, exist_ok=True)
    with run_folder.scratch(project.state, ".update-") as folder:
        before = _files(project.root)
        root = folder / _DEEP / project.root.name
        root.mkdir(parents=True)
        for path in sorted({os.path.normpath(path) for path in outside if Path(path).parts[:1] == ("..",)}):
            link = Path(os.path.normpath(root / path))
            # What is below a folder that is linked already is there, and must not be written to.
            if not any(parent.is_symlink() for parent in (link, *link.parents) if parent.is_relative_to(folder)):
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(os.path.normpath(project.root / path))
        for entry in project.root.iterdir():
            if entry.name not in _COPIED:
                (root / entry.name).symlink_to(entry)
            elif entry.is_dir():
                shutil.copytree(entry, root / entry.name, symlinks=True)
            else:
                shutil.copy2(entry, root / entry.name)
        yield Staging(project=project, copy=Paths(root=root), before=before)


def _files(root: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in _COPIED:
        files = [root / name] if (root / name).is_file() else (root / name).rglob("*")
        found |= {str(file.relative_to(root)): file.read_bytes() for file in files if file.is_file()}
    return found
