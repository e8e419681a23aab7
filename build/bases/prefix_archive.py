"""The archive of a prefix that a base takes: what runs, and apart from it what compiles against it.

The same prefix gives the same bytes: entries sorted, one time, no owner, its bytecode compiled here against that
time.  What the prefix says of the directory that it was built for says ``/usr/local`` in the archive.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.version import Version

from build.bases import elf
from build.bases.prefix import Found, PrefixError, find, in_variable
from build.errors import PipelineError
from build.matrix.origins import PrefixPython
from build.paths import Paths
from build.system import console, state

#: Time of every entry: 1980-01-01, the first day that zip files and pycs can write.
EPOCH = 315532800
#: Where a prefix lies in an image: before the distribution's directories on PATH and in the loader's path.
TARGET = "usr/local"
#: Names of the two archives, in a base's folder.
RUNTIME, HEADERS = "prefix.tar", "headers.tar"

#: The edition of what is taken and how it is laid out: a new one makes the archives anew.
EDITION = 1

#: What of ``lib/pythonX.Y`` no image runs: tests, graphics, Windows' installers, the packages of the machine that the
#: prefix was found on, and what needs libraries that no server has (Tk, NIS).
_LEFT_OUT = (
    *("*/__pycache__/*", "*.pyc", "*.pyo", "*.exe", "site-packages/*", "test/*", "*/test/*", "*/tests/*"),
    *("idlelib/*", "turtledemo/*", "tkinter/*", "turtle.py", "lib-dynload/_tkinter.*", "lib-dynload/nis.*"),
    *("lib-dynload/_test*", "lib-dynload/_ctypes_test.*", "lib-dynload/_xxtestfuzz.*", "lib-dynload/xx*"),
)
#: The texts that name the directory that the prefix was built for.
_NAMING = ("_sysconfigdata*.py", "_sysconfig_vars*.json", "build-details.json", "Makefile", "python-config.py", "*.pc")

#: Debian's packages of the libraries that a CPython needs, as Debian 12 calls them (13 adds ``t64`` to some).
_DEBIAN = {
    "libbz2.so.1.0": "libbz2-1.0",
    "libcrypt.so.1": "libcrypt1",
    "libcrypto.so.3": "libssl3",
    "libdb-5.3.so": "libdb5.3",
    "libexpat.so.1": "libexpat1",
    "libffi.so.8": "libffi8",
    "libgdbm.so.6": "libgdbm6",
    "libgdbm_compat.so.4": "libgdbm-compat4",
    "liblzma.so.5": "liblzma5",
    "libncursesw.so.6": "libncursesw6",
    "libpanelw.so.6": "libncursesw6",
    "libreadline.so.8": "libreadline8",
    "libsqlite3.so.0": "libsqlite3-0",
    "libssl.so.3": "libssl3",
    "libtinfo.so.6": "libtinfo6",
    "libuuid.so.1": "libuuid1",
    "libz.so.1": "zlib1g",
}


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A prefix in the state, ready to be added to a base."""

    version: str
    #: SHA-256 of the two archives: what they hold, wherever they were made.
    digest: str
    #: Soname → the file of the prefix that needs it, for what the base must have.
    needs: Mapping[str, str]
    #: The newest glibc whose symbols it uses.
    glibc: tuple[int, int] | None

    @property
    def identity(self) -> str:
        """As recipes name it: ``3.12.1 sha256:…``."""
        return f"{self.version} sha256:{self.digest}"


def destination(path: str, python: str) -> str | None:
    """Which archive a file of a prefix goes into: ``prefix.tar``, ``headers.tar``, or none.

    Args:
        path: From the prefix: ``lib/python3.12/os.py``.
        python: The minor version: ``3.12``.
    """
    library = f"lib/python{python}/"
    name = path.rpartition("/")[2]
    if name.endswith((".a", ".o")):
        return None
    if path.startswith(library):
        inner = path.removeprefix(library)
        if fnmatch.fnmatchcase(inner, "config-*/*"):
            return None if "/__pycache__/" in inner else HEADERS
        return None if any(fnmatch.fnmatchcase(inner, pattern) for pattern in _LEFT_OUT) else RUNTIME
    if re.fullmatch(rf"bin/python({re.escape(python)}|3)?|lib/libpython3\.\d.*\.so\.\S+", path):
        return RUNTIME
    if re.fullmatch(r"include/python.*|lib/libpython3.*\.so|lib/pkgconfig/python.*\.pc", path):
        return HEADERS
    return None


def present(folder: Path, wanted: PrefixPython) -> Archive | None:
    """The archive in a base's folder of the state; None where it must be made (anew).

    One whose prefix is gone stays as it is; one whose prefix was built anew does not, and neither does one where the
    variable names another prefix now.
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
    """The archive in a base's folder, made where it is not there; 10 to 20 seconds.

    Args:
        folder: ``.pipeline/rootfs/<base>``.
        wanted: The prefix that the matrix asks for.
        paths: The checkout.

    Raises:
        PrefixNotFoundError: It is neither there nor on this machine.
        PrefixError: What lies on this machine is something else.
        PipelineError: Its bytecode does not compile.
    """
    there = present(folder, wanted)
    if there is not None:
        return there
    found = find(wanted, paths.root)
    console.info(f"taking CPython {wanted.version} from {found.directory}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prefix.json").unlink(missing_ok=True)  # never a new archive under an old digest
    python = wanted.minor
    with tempfile.TemporaryDirectory(dir=folder, prefix=".prefix-") as scratch:
        stage = Path(scratch)
        programs = _copy(found, stage, python)
        _strip([stage / name / TARGET / path for (name, path), form in programs.items() if form.debug])
        _set_times(stage)
        _compile(found, stage / RUNTIME / TARGET / "lib" / f"python{python}", f"/{TARGET}/lib/python{python}")
        digests = [_pack(stage / name, folder / name) for name in (RUNTIME, HEADERS)]
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
    """What changes where a prefix is built anew."""
    status = interpreter.stat()
    return {"path": str(interpreter), "size": status.st_size, "mtime": status.st_mtime_ns}


def _copy(found: Found, stage: Path, python: str) -> dict[tuple[str, str], elf.Elf]:
    """Copy what is taken into ``stage``, a folder an archive; the ELF files among it."""
    programs: dict[tuple[str, str], elf.Elf] = {}
    for path in _files(found.directory):
        name = destination(path, python)
        if name is None:
            continue
        source, target = found.directory / path, stage / name / TARGET / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() and "/" not in str(source.readlink()):
            target.symlink_to(source.readlink())
            continue
        executable = source.stat().st_mode & 0o111
        if any(fnmatch.fnmatchcase(source.name, pattern) for pattern in _NAMING):
            target.write_bytes(relocated(source.read_bytes(), (str(found.directory), found.built_for)))
        else:
            shutil.copyfile(source, target)
        target.chmod(0o755 if executable else 0o644)
        form = elf.read(source)
        if form is not None:
            programs[name, path] = form
    (stage / RUNTIME / TARGET / "lib" / f"python{python}" / "site-packages").mkdir()
    (stage / HEADERS / TARGET).mkdir(parents=True, exist_ok=True)
    commands = stage / RUNTIME / TARGET / "bin"
    for alias, name in (("python3", f"python{python}"), ("python", "python3")):
        (commands / alias).unlink(missing_ok=True)
        (commands / alias).symlink_to(name)
    return programs


def _files(directory: Path) -> Iterator[str]:
    """Every file and link below the folders of a prefix, from the prefix, sorted."""
    for top in ("bin", "include", "lib"):
        for folder, folders, names in os.walk(directory / top):
            folders[:] = sorted(name for name in folders if name not in {"__pycache__", "site-packages"})
            for name in sorted(names):
                yield str((Path(folder) / name).relative_to(directory))


def relocated(text: bytes, origins: Sequence[str]) -> bytes:
    """``text`` with the directories that a prefix was built for, or lies in, replaced by where an image has it."""
    for origin in sorted({origin for origin in origins if origin}, key=len, reverse=True):
        text = re.sub(re.escape(origin.encode()) + rb"(?![\w.-])", f"/{TARGET}".encode(), text)
    return text


def _strip(files: Sequence[Path]) -> None:
    """Take out debug information (pyenv leaves it in: most of the size)."""
    if not files:
        return
    tool = shutil.which("strip")
    if tool is None:
        console.warn("the prefix keeps its debug information, tens of MB: `strip` (binutils) is not installed")
        return
    done = subprocess.run([tool, "--strip-unneeded", *map(str, files)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PrefixError(
            "the prefix's debug information cannot be taken out",
            where=tool,
            fix="build the prefix anew, or install the binutils of this system",
            details=done.stderr.strip()[-800:],
        )


def _set_times(stage: Path) -> None:
    for path in stage.rglob("*"):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def _compile(found: Found, library: Path, target: str) -> None:
    """Compile the standard library with the prefix's own interpreter, checked by time.

    One process: the pool of ``compileall -j`` can deadlock before Python 3.11.5 (CPython issue 105829).
    """
    done = subprocess.run(
        # Not -I, which would ignore the seed: before Python 3.11 the order of a set's constants hangs on it.
        [str(found.interpreter), "-s", "-S", "-c", _COMPILE, str(library), target],
        env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
        cwd=library / "site-packages",  # the first of sys.path: it is empty
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PipelineError(
            "the prefix's standard library does not compile",
            where=str(found.directory),
            fix="build it anew",
            details=(done.stdout + done.stderr).strip()[-800:],
        )


_COMPILE = """
import compileall, py_compile, sys
mode = py_compile.PycInvalidationMode.TIMESTAMP
sys.exit(not compileall.compile_dir(sys.argv[1], ddir=sys.argv[2], quiet=1, force=True, invalidation_mode=mode))
"""


def _pack(tree: Path, target: Path) -> str:
    """Write a tree as an archive with nothing of this moment and machine in it; its SHA-256."""
    incoming = target.with_suffix(".incoming.tar")
    try:
        with tarfile.open(incoming, "w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(tree.rglob("*")):
                entry = archive.gettarinfo(path, arcname=str(path.relative_to(tree)))
                # No hard links: which of two names is the first depends on nothing that is in the tree.
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


def check_fits(archive: Archive, base_name: str, *, rootfs: Path, glibc: str, where: str) -> None:
    """Assert that a root file system has the libraries that a prefix needs.

    Args:
        archive: The prefix.
        base_name: The base.
        rootfs: Its root file system, a tar.
        glibc: Its glibc: ``2.36``.
        where: The place in the matrix of the base's packages.

    Raises:
        PrefixError: A library is missing, or its glibc is too old.
    """
    if archive.glibc is not None and archive.glibc > Version(glibc).release:
        raise PrefixError(
            f"CPython {archive.version} was built for glibc {archive.glibc[0]}.{archive.glibc[1]} or newer; "
            f"the base {base_name} has {glibc}",
            where=where,
            fix="build it on the base's own system or an older one, or take a newer base",
        )
    with tarfile.open(rootfs) as tar:
        there = {PurePosixPath(name).name for name in tar.getnames() if ".so" in name}
    missing = {soname: file for soname, file in archive.needs.items() if soname not in there}
    if missing:
        packages = sorted({_DEBIAN[soname] for soname in missing if soname in _DEBIAN})
        raise PrefixError(
            f"the base {base_name} lacks what CPython {archive.version} needs: {', '.join(sorted(missing))}",
            where=where,
            fix="add their Debian packages to the base's packages"
            + (f": {', '.join(packages)} (as Debian 12 calls them)" if packages else ""),
            details="\n".join(f"{soname} is needed by {file}" for soname, file in sorted(missing.items())),
        )
