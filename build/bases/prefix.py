"""A Python from a prefix: finding a CPython that was built elsewhere, and knowing that it is the one asked for.

Its interpreter is run once, isolated.  `build.bases.prefix_archive` makes the archive that a base takes.
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

#: Directories, separated by ':', in which prefixes lie by their version (``3.12.1/bin/python3.12``).
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
    """No CPython of that version lies where it was looked for; rows on such a base are left out."""


class PrefixError(PipelineError):
    """What lies there is not the Python that the matrix asks for, or does not fit the base."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A prefix on this machine, checked."""

    directory: Path
    interpreter: Path
    #: The directory that it was configured for, which its build variables name; at times another one.
    built_for: str


def find(wanted: PrefixPython, root: Path) -> Found:
    """Find a CPython and check that it is the one.

    Args:
        wanted: Its version, and where the matrix says it lies.
        root: The checkout, where a relative ``directory`` begins.

    Raises:
        PrefixNotFoundError: It is nowhere.
        PrefixError: What lies there is something else.
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
    """Where a prefix may lie, in the order in which it is looked for there."""
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
    """Where a prefix may lie in the directories that the variable names."""
    return [Path(folder) / version for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]


def _uv_directory() -> Path | None:
    """Where uv keeps the Pythons that it installs (python-build-standalone)."""
    import uv

    done = subprocess.run([uv.find_uv_bin(), "python", "dir"], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None


def check(directory: Path, version: str) -> Found:
    """Assert that a prefix is a CPython of a version, for Linux on x86-64 with glibc.

    Args:
        directory: The prefix.
        version: The version wanted: ``3.12.1``.

    Raises:
        PrefixError: It is not.
    """
    interpreter = directory / "bin" / f"python{version.rpartition('.')[0]}"
    if (directory / "pyvenv.cfg").is_file():
        raise PrefixError(
            "this is a virtual environment, not a CPython with its own library",
            where=str(directory),
            fix="name the prefix that it was made from (`home` in its pyvenv.cfg, one folder up)",
        )
    form = elf.read(interpreter)
    if form is None or form.machine != LINUX_AMD64.elf or form.loader not in (None, LINUX_AMD64.loader):
        what = f"for {form.machine}, loaded by {form.loader}" if form else "no ELF program"
        raise PrefixError(
            f"this Python is not one for Linux on {LINUX_AMD64.title} with glibc",
            where=str(interpreter),
            fix=f"take a CPython {version} that was built for it",
            details=f"it is {what}",
        )
    try:
        done = subprocess.run(
            [str(interpreter), "-I", "-S", "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True
        )
        said = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        details = getattr(error, "stderr", None) or str(error)
        raise PrefixError(
            "this Python does not run", where=str(interpreter), fix="build it anew", details=details.strip()[-800:]
        ) from None
    if said["implementation"] != "CPython" or said["version"] != version:
        raise PrefixError(
            f"this is {said['implementation']} {said['version']}; the matrix asks for CPython {version}",
            where=str(interpreter),
            fix="correct the prefix's version or its directory in matrix.yaml",
        )
    if not (directory / "lib" / interpreter.name / "os.py").is_file():
        raise PrefixError(
            "this Python has its standard library elsewhere: it is a link, or was moved",
            where=str(interpreter),
            fix=f"name the prefix itself, the folder with bin and lib: perhaps {interpreter.resolve().parent.parent}",
        )
    return Found(directory=directory.resolve(), interpreter=interpreter, built_for=said["built_for"])
