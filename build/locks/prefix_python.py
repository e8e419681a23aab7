"""The Python of a base with a prefix, recorded in ``locks/<base>/python.txt``: read, written, compared.

Recipes take the identity of a prefix from here where this clone has not packed the prefix itself, so that they need
no Python on this machine.  Effects: reads and writes that file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from build.errors import LockError
from build.locks import lock_text
from build.matrix.origins import PrefixPython
from build.matrix.sources import Base
from build.paths import Paths, write_atomically

_HEADER = """\
# The Python of this base, recorded by `nox -s lock -- --bases`; do not edit.
# A prefix belongs to its machine: a build takes the one that is there, and shows a difference; --locked fails for it.
"""
_FORM = re.compile(r"cpython (?P<version>3\.\d+\.\d+)\nedition (?P<edition>\d+)\nsha256 (?P<sha256>[0-9a-f]{64})\n")


@dataclass(frozen=True, kw_only=True)
class RecordedPython:
    """A packed prefix: which Python it is, and what is in its archives."""

    #: ``3.12.1``.
    version: str
    #: The edition of the layout of the archives (``build.bases.prefix_archive.EDITION``).
    edition: int
    #: SHA-256 of the archives, hexadecimal.
    sha256: str

    @property
    def identity(self) -> str:
        """As recipes name it: ``3.12.1 sha256:…``."""
        return f"{self.version} sha256:{self.sha256}"


def lock_file(paths: Paths, base_name: str) -> Path:
    """The file in which the Python of a base is recorded; it may not exist."""
    return paths.locks / base_name / "python.txt"


def lock_files(bases: Mapping[str, Base]) -> set[str]:
    """The files that these bases need here, by their paths from the project's root."""
    return {f"locks/{name}/python.txt" for name, base in bases.items() if isinstance(base.origin.python, PrefixPython)}


def recorded(paths: Paths, base_name: str) -> RecordedPython | None:
    """The recorded Python of a base; None where nothing is recorded.

    Raises:
        LockError: The file is not as it was written.
    """
    fix = "record it again: nox -s lock -- --bases"
    text = lock_text.read(lock_file(paths, base_name), fix)
    if text is None:
        return None
    match = _FORM.fullmatch("".join(line for line in text.splitlines(keepends=True) if not line.startswith("#")))
    if match is None:
        raise LockError(
            "the recorded Python of this base is not readable",
            where=f"locks/{base_name}/python.txt",
            fix=fix,
        )
    return RecordedPython(version=match["version"], edition=int(match["edition"]), sha256=match["sha256"])


def record(paths: Paths, base_name: str, python: RecordedPython) -> None:
    """Write the Python of a base to its lock."""
    lines = f"cpython {python.version}\nedition {python.edition}\nsha256 {python.sha256}\n"
    write_atomically(lock_file(paths, base_name), _HEADER + lines)


def staleness(python: RecordedPython | None, *, version: str, edition: int) -> str | None:
    """Tell why a recorded Python does not belong to the matrix; None where it does.

    Args:
        python: What is recorded.
        version: The version that the matrix asks for.
        edition: The edition of the layout in which prefixes are packed now.
    """
    if python is None:
        return f"the base's CPython {version} is not recorded"
    if python.version != version:
        return f"CPython {python.version} is recorded, the matrix asks for {version}"
    if python.edition != edition:
        return f"it is from edition {python.edition} of the prefix archives, the current edition is {edition}"
    return None
