"""Make the copy of a prefix small and reproducible: strip it, compile its library, pack it.

Effects: changes and writes files, runs ``strip`` and the prefix's interpreter.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from build.bases.prefix import Found, PrefixError
from build.errors import PipelineError
from build.system import console, processes

#: Time of every entry of the archives: 1980-01-01, the first day that zip files and bytecode can record.
EPOCH = 315532800

_COMPILE = """
import compileall, py_compile, sys
mode = py_compile.PycInvalidationMode.TIMESTAMP
sys.exit(not compileall.compile_dir(sys.argv[1], ddir=sys.argv[2], quiet=1, force=True, invalidation_mode=mode))
"""


def strip(files: Sequence[Path]) -> None:
    """Remove debug information, which pyenv leaves in: most of the size.

    Raises:
        PrefixError: ``strip`` fails.
    """
    if not files:
        return
    tool = shutil.which("strip")
    if tool is None:
        console.warn("the prefix keeps its debug information, tens of MB: `strip` (binutils) is not installed")
        return
    done = processes.run([tool, "--strip-unneeded", *files])
    if done.returncode != 0:
        raise PrefixError(
            "the debug information of the prefix cannot be removed",
            where=tool,
            fix="build the prefix again, or install the binutils of this system",
            details=done.stderr.strip()[-800:],
        )


def set_times(stage: Path) -> None:
    """Give every file and folder the one time of the archives."""
    for path in stage.rglob("*"):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def compile_library(found: Found, library: Path, target: str) -> None:
    """Compile a copy of the standard library with the prefix's own interpreter; the bytecode is checked by time.

    One process: the pool of ``compileall -j`` can deadlock before Python 3.11.5 (CPython issue 105829).

    Args:
        found: The prefix.
        library: The copy: a folder ``lib/python3.12``.
        target: Where an image has it: the bytecode names its sources by that path.

    Raises:
        PipelineError: It does not compile.
    """
    done = processes.run(
        # Not -I, which ignores the seed: before Python 3.11 the order of the constants of a set depends on it.
        [str(found.interpreter), "-s", "-S", "-c", _COMPILE, str(library), target],
        environment={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
        cwd=library / "site-packages",  # the first entry of sys.path: an empty folder
    )
    if done.returncode != 0:
        raise PipelineError(
            "the standard library of the prefix does not compile",
            where=str(found.directory),
            fix="build the prefix again",
            details=(done.stdout + done.stderr).strip()[-800:],
        )


def pack(tree: Path, target: Path) -> str:
    """Write a folder as an archive that is the same on every machine and at any time.

    Args:
        tree: The folder.
        target: The archive, a tar.

    Returns:
        SHA-256 of the archive, hexadecimal.
    """
    incoming = target.with_suffix(".incoming.tar")
    try:
        with tarfile.open(incoming, "w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(tree.rglob("*")):
                entry = archive.gettarinfo(path, arcname=str(path.relative_to(tree)))
                # No hard links: nothing in the folder determines which of two names comes first.
                entry.type = tarfile.REGTYPE if entry.islnk() else entry.type
                entry.size = path.stat().st_size if entry.isreg() else 0
                entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = EPOCH, 0, 0, "root", "root"
                entry.mode = 0o777 if entry.issym() else 0o755 if entry.isdir() or entry.mode & 0o111 else 0o644
                if entry.isreg():
                    with path.open("rb") as content:
                        archive.addfile(entry, content)
                else:
                    archive.addfile(entry)
        with incoming.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        incoming.replace(target)
    finally:
        incoming.unlink(missing_ok=True)
    return digest
