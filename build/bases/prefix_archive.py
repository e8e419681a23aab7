"""The archives of a prefix that a base takes: one with what runs, one with what compiles against it.

The same prefix gives the same bytes: sorted entries, one time, no owner, bytecode compiled here and checked against
that time.  Texts in it that name the directory that it was built for name ``/usr/local`` in the archive.

Effects: ``ensure`` packs the prefix into ``.pipeline/rootfs/<base>``; ``present`` only reads.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from build.bases.prefix import find, in_variable
from build.bases.prefix_files import HEADERS, RUNTIME, TARGET, copy
from build.bases.prefix_pack import compile_library, pack, set_times, strip
from build.matrix.origins import PrefixPython
from build.paths import Paths
from build.system import console, run_folder, state

#: The edition of the contents and the layout of the archives: where it is raised, prefixes are packed again.
EDITION = 1


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A packed prefix, ready to be added to a base."""

    version: str
    #: SHA-256 of the two archives, hexadecimal: it depends on their contents alone.
    digest: str
    #: Soname → a file of the prefix that needs it, for each library that the base must have.
    needs: Mapping[str, str]
    #: The newest glibc whose symbols it uses: ``(2, 34)``; None where it uses none.
    glibc: tuple[int, int] | None

    @property
    def identity(self) -> str:
        """As recipes name it: ``3.12.1 sha256:…``."""
        return f"{self.version} sha256:{self.digest}"


def present(folder: Path, wanted: PrefixPython) -> Archive | None:
    """The packed prefix in a base's folder; None where it must be packed, for the first time or again.

    An archive stays valid where its prefix no longer exists. It does not where the prefix was built again, or where
    the variable ``INFERENCE_IMAGES_PREFIXES`` now names another one.
    """
    known = state.read_json(folder / "prefix.json")
    if not known or known.get("wanted") != _key(wanted):
        return None
    if not all((folder / name).is_file() for name in (RUNTIME, HEADERS)):
        return None
    interpreter = Path(known["interpreter"]["path"])
    if interpreter.is_file() and known["interpreter"] != _stamp(interpreter):
        return None
    named = [place / "bin" / interpreter.name for place in in_variable(wanted.version) if wanted.directory is None]
    if next((other for other in named if other.is_file()), interpreter) != interpreter:
        return None
    return Archive(
        version=wanted.version,
        digest=known["digest"],
        needs=known["needs"],
        glibc=tuple(known["glibc"]) if known["glibc"] else None,
    )


def ensure(folder: Path, wanted: PrefixPython, paths: Paths) -> Archive:
    """The packed prefix in a base's folder; where it is missing, it is packed, which takes 10 to 20 seconds.

    Args:
        folder: ``.pipeline/rootfs/<base>``.
        wanted: The prefix that the matrix asks for.
        paths: The project's files.

    Raises:
        PrefixNotFoundError: It is neither packed nor on this machine.
        PrefixError: The prefix on this machine is not the one wanted.
        PipelineError: Its library does not compile.
    """
    archive = present(folder, wanted)
    if archive is not None:
        return archive
    found = find(wanted, paths.root)
    console.info(f"taking CPython {wanted.version} from {found.directory}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prefix.json").unlink(missing_ok=True)  # a new archive never has an old digest
    python = wanted.minor
    with run_folder.scratch(folder, ".prefix-") as stage:
        programs = copy(found, stage, python)
        strip([stage / name / TARGET / path for (name, path), form in programs.items() if form.debug])
        set_times(stage)
        compile_library(found, stage / RUNTIME / TARGET / "lib" / f"python{python}", f"/{TARGET}/lib/python{python}")
        digests = [pack(stage / name, folder / name) for name in (RUNTIME, HEADERS)]
    own = {PurePosixPath(path).name for _, path in programs}
    needs = {
        soname: path
        for (name, path), form in sorted(programs.items(), reverse=True)
        if name == RUNTIME
        for soname in form.needed
        if soname not in own
    }
    glibc = max((form.glibc for form in programs.values() if form.glibc), default=None)
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()
    state.write_json(
        folder / "prefix.json",
        {
            "wanted": _key(wanted),
            "interpreter": _stamp(found.interpreter),
            "digest": digest,
            "needs": needs,
            "glibc": list(glibc) if glibc else None,
        },
    )
    return Archive(version=wanted.version, digest=digest, needs=needs, glibc=glibc)


def _key(wanted: PrefixPython) -> dict[str, Any]:
    return {"edition": EDITION, **dataclasses.asdict(wanted)}


def _stamp(interpreter: Path) -> dict[str, Any]:
    """Facts of an interpreter that change where its prefix is built again."""
    status = interpreter.stat()
    return {"path": str(interpreter), "size": status.st_size, "mtime": status.st_mtime_ns}
