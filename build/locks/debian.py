"""The Debian packages of a base, recorded in ``locks/<base>/debian.txt``: read, written, compared.

Effects: reads and writes the files of the locks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from build.errors import LockError
from build.locks.debian_index import TOOLKIT
from build.matrix.origins import DebianPackages
from build.paths import Paths, write_atomically
from build.variants.cuda_bases import CudaBase


def lock_file(paths: Paths, base_name: str) -> Path:
    """Where the recorded set of Debian packages of a base lies."""
    return paths.locks / base_name / "debian.txt"


def recorded(paths: Paths, base_name: str) -> tuple[str, ...] | None:
    """The recorded set, ``name=version``; None where nothing is recorded.

    Raises:
        LockError: A line is no package.
    """
    try:
        text = lock_file(paths, base_name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    packages = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            continue
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.:-]*=[0-9A-Za-z.+:~-]+", line):
            raise LockError(
                f"not a Debian package with its version: {line[:80]!r}",
                where=f"locks/{base_name}/debian.txt:{number}",
                fix="make it anew: nox -s lock -- --bases",
            )
        packages.append(line)
    return tuple(packages)


_ASKED = "# asked for: "


def asked(paths: Paths, base_name: str) -> tuple[str, ...]:
    """The names that a recorded set was made from, where they were written down with it."""
    try:
        lines = lock_file(paths, base_name).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(name for line in lines if line.startswith(_ASKED) for name in line.removeprefix(_ASKED).split())


def record(paths: Paths, base_name: str, packages: Sequence[str], *, asked: Sequence[str] = ()) -> None:
    """Write the set of Debian packages of a base to its lock.

    Args:
        paths: The checkout.
        base_name: The base.
        packages: ``name=version``, sorted.
        asked: What the matrix asks for, where the set has what that needs as well.
    """
    header = "# Debian packages of this base, recorded by `nox -s lock -- --bases`; do not edit.\n"
    if asked:
        header += "# The archive keeps only the newest: a build of others fails until they are recorded anew.\n"
        header += f"{_ASKED}{' '.join(sorted(asked))}\n"
    else:
        header += "# The archive keeps only the newest: a build shows what differs, and fails for it with --locked.\n"
    write_atomically(lock_file(paths, base_name), header + "".join(f"{line}\n" for line in packages))


def drift(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """What differs between two sets of Debian packages, one a line: ``libssl3 3.0.16-1 -> 3.0.17-1``."""
    old = dict(item.split("=", 1) for item in before)
    new = dict(item.split("=", 1) for item in now)
    return [
        f"{name} {old.get(name, '(none)')} -> {new.get(name, '(none)')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def stale_cuda(paths: Paths, found: Mapping[str, CudaBase]) -> dict[str, list[str]]:
    """Why the recorded Debian packages of bases with CUDA no longer belong to the matrix.  Needs no network.

    Args:
        paths: The checkout.
        found: The bases, by name.

    Returns:
        Name → a sentence for each reason, of those that are stale.
    """
    stale = {
        name: list(staleness(base, recorded(paths, name), asked(paths, name)))
        for name, base in found.items()
        if isinstance(base.origin, DebianPackages)
    }
    return {name: reasons for name, reasons in stale.items() if reasons}


def staleness(base: CudaBase, recorded: Sequence[str] | None, asked: Sequence[str]) -> Iterator[str]:
    """Why recorded pins no longer belong to the matrix, a sentence each.  Needs no network.

    Args:
        base: The base.
        recorded: The pins, ``name=version``; None where there are none.
        asked: The names that they were made from: the pins have what those need as well.
    """
    if recorded is None:
        yield "the Debian packages of its CUDA are not recorded"
        return
    added = [f"+{name}" for name in base.cuda.debian if name not in asked]
    removed = [f"-{name}" for name in asked if name not in base.cuda.debian]
    if added or removed:
        yield "the matrix now asks for " + ", ".join([*added, *removed])
    versions = dict(item.split("=", 1) for item in recorded)
    for name in base.cuda.debian:
        toolkit = TOOLKIT.search(versions.get(name, ""))
        if toolkit and toolkit[1] != base.cuda.version:
            yield f"it has {name} of CUDA {toolkit[1]}, the matrix pins {base.cuda.version}"
