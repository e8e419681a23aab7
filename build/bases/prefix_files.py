"""The files of a prefix that images take, copied and relocated to ``/usr/local``.

Effects: ``copy`` reads the prefix and writes the copies.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from build.bases import elf
from build.bases.prefix import Found

#: Where a prefix is in an image: before the distribution's directories on PATH and in the loader's path.
TARGET = "usr/local"
#: The names of the two archives: what runs, and what compiles against it.
RUNTIME, HEADERS = "prefix.tar", "headers.tar"

#: Files of ``lib/pythonX.Y`` that no image runs: tests, graphics, Windows' installers, the packages of the machine that
#: the prefix was found on, and modules that need libraries that no server has (Tk, NIS).
_LEFT_OUT = (
    *("*/__pycache__/*", "*.pyc", "*.pyo", "*.exe", "site-packages/*", "test/*", "*/test/*", "*/tests/*"),
    *("idlelib/*", "turtledemo/*", "tkinter/*", "turtle.py", "lib-dynload/_tkinter.*", "lib-dynload/nis.*"),
    *("lib-dynload/_test*", "lib-dynload/_ctypes_test.*", "lib-dynload/_xxtestfuzz.*", "lib-dynload/xx*"),
)
#: Texts that contain the directory that the prefix was built for.
_NAMING = ("_sysconfigdata*.py", "_sysconfig_vars*.json", "build-details.json", "Makefile", "python-config.py", "*.pc")


def destination(path: str, python: str) -> str | None:
    """The archive that a file of a prefix goes into: ``prefix.tar``, ``headers.tar``, or None.

    Args:
        path: The file, relative to the prefix: ``lib/python3.12/os.py``.
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


def copy(found: Found, stage: Path, python: str) -> dict[tuple[str, str], elf.Elf]:
    """Copy the files that an image needs, each into the folder of its archive.

    Args:
        found: The prefix.
        stage: The folder that the folders of the two archives are made in.
        python: The minor version: ``3.12``.

    Returns:
        Archive and path → the ELF file, for the programs and libraries that were copied.
    """
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
    """The files and links below the folders of a prefix, relative to it and sorted."""
    for top in ("bin", "include", "lib"):
        for folder, folders, names in os.walk(directory / top):
            folders[:] = sorted(name for name in folders if name not in {"__pycache__", "site-packages"})
            for name in sorted(names):
                yield str((Path(folder) / name).relative_to(directory))


def relocated(text: bytes, origins: Sequence[str]) -> bytes:
    """``text`` with ``/usr/local`` in place of the directories that a prefix was built for or is in."""
    for origin in sorted({origin for origin in origins if origin}, key=len, reverse=True):
        text = re.sub(re.escape(origin.encode()) + rb"(?![\w.-])", f"/{TARGET}".encode(), text)
    return text
