"""Find a CPython that was built elsewhere (a prefix), and check that it is the one that the matrix asks for.

Effects: runs its interpreter once, isolated, and uv.  ``build.bases.prefix_archive`` packs it.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from build.bases import elf
from build.errors import PipelineError
from build.matrix.origins import PrefixPython
from build.platforms import LINUX_AMD64
from build.system import processes

#: The variable with directories, separated by ':', that have prefixes by version (``3.12.1/bin/python3.12``).
VARIABLE = "INFERENCE_IMAGES_PREFIXES"

_PROBE = """
import importlib, json, platform, sys, sysconfig
data = importlib.import_module(sysconfig._get_sysconfigdata_name()).build_time_vars
print(json.dumps({
    "implementation": platform.python_implementation(),
    "version": platform.python_version(),
    "built_for": data.get("prefix", ""),
}))
"""


class PrefixNotFoundError(PipelineError):
    """No CPython of that version is where it was searched for; images on such a base are left out."""


class PrefixError(PipelineError):
    """The prefix is not the Python that the matrix asks for, or does not fit the base."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A prefix on this machine, checked."""

    directory: Path
    interpreter: Path
    #: The directory that it was configured for, as its build variables name it; it may be in another one now.
    built_for: str


def find(wanted: PrefixPython, root: Path) -> Found:
    """Find a CPython on this machine and check it.

    Args:
        wanted: Its version, and its directory where the matrix names one.
        root: The folder that a relative directory begins at.

    Raises:
        PrefixNotFoundError: It is in none of the usual places.
        PrefixError: It is not the one wanted.
    """
    minor = wanted.minor
    places = candidates(wanted, root)
    for place in places:
        if (place / "bin" / f"python{minor}").is_file():
            return check(place, wanted.version)
    raise PrefixNotFoundError(
        f"no CPython {wanted.version} is on this machine",
        where=", ".join(map(str, places)),
        fix=f"install it: pyenv install {wanted.version}, or uv python install {wanted.version}; or name the directory "
        f"that holds {wanted.version}/bin/python{minor} in {VARIABLE}, or the prefix as 'directory' in matrix.yaml",
    )


def candidates(wanted: PrefixPython, root: Path) -> list[Path]:
    """The directories that a prefix may be, in the order of the search."""
    if wanted.directory is not None:
        return [root / Path(wanted.directory).expanduser()]
    version = wanted.version
    places = in_variable(version)
    if pyenv := os.environ.get("PYENV_ROOT"):
        places.append(Path(pyenv) / "versions" / version)
    places.append(Path.home() / ".pyenv" / "versions" / version)
    if managed := _uv_directory():
        places.append(managed / f"cpython-{version}-linux-{LINUX_AMD64.machine}-gnu")
    return list(dict.fromkeys(places))


def in_variable(version: str) -> list[Path]:
    """The directories that a prefix may be according to the variable."""
    return [Path(folder) / version for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]


def _uv_directory() -> Path | None:
    """The directory of the Pythons that uv installs (python-build-standalone)."""
    import uv

    done = processes.run([uv.find_uv_bin(), "python", "dir"])
    return Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None


def check(directory: Path, version: str) -> Found:
    """Raise where a prefix is not a CPython of a version, built for the platform of the images.

    Args:
        directory: The prefix.
        version: The version wanted: ``3.12.1``.

    Raises:
        PrefixError: It is not, or it does not run.
    """
    interpreter = directory / "bin" / f"python{version.rpartition('.')[0]}"
    if (directory / "pyvenv.cfg").is_file():
        raise PrefixError(
            "this is a virtual environment, not a CPython with its own library",
            where=str(directory),
            fix="name the prefix that it was made from (the folder above `home` in its pyvenv.cfg)",
        )
    form = elf.read(interpreter)
    if form is None or form.machine != LINUX_AMD64.elf or form.loader not in (None, LINUX_AMD64.loader):
        what = f"for {form.machine}, with the loader {form.loader}" if form else "not an ELF program"
        raise PrefixError(
            f"this Python was not built for Linux on {LINUX_AMD64.title} with glibc",
            where=str(interpreter),
            fix=f"use a CPython {version} that was built for it",
            details=f"it is {what}",
        )
    try:
        done = processes.run([interpreter, "-I", "-S", "-c", _PROBE], timeout=60)
        done.check_returncode()
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        details = getattr(error, "stderr", None) or str(error)
        raise PrefixError(
            "this Python does not run", where=str(interpreter), fix="build it again", details=details.strip()[-800:]
        ) from None
    if answer["implementation"] != "CPython" or answer["version"] != version:
        raise PrefixError(
            f"this is {answer['implementation']} {answer['version']}; the matrix asks for CPython {version}",
            where=str(interpreter),
            fix="correct the prefix's version or its directory in matrix.yaml",
        )
    if not (directory / "lib" / interpreter.name / "os.py").is_file():
        raise PrefixError(
            "the standard library of this Python is somewhere else: the interpreter is a link, or it was moved",
            where=str(interpreter),
            fix=f"name the prefix itself, the folder with bin and lib: perhaps {interpreter.resolve().parent.parent}",
        )
    return Found(directory=directory.resolve(), interpreter=interpreter, built_for=answer["built_for"])
