"""Check that the server can still be imported with the packages that a user adds, and explain why not.

The start imports this module only if packages are added. The check is an import of the server in another process:
without it, the server fails later, in a worker, with a traceback that names neither the folder nor the requirement.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from typing import Any, Iterator, NamedTuple

#: Microsoft's package, and the module of it that imports all that it needs.
SERVER = "azureml-inference-server-http"
ENTRY = "azureml_inference_server_http.server.create_app"
#: The folder of the package `server_start`.
START = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMPORT = "import sys; sys.path.insert(0, {!r}); from server_start import package_check; package_check.import_server()"


class Conflict(NamedTuple):
    """A package that the server needs, directly or not, in a version that another one of them cannot use."""

    name: str
    version: str
    #: The folder in which it is installed.
    folder: str
    #: The package that needs another version, with its own version, and what it needs.
    dependent: str
    needed: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}, but {self.dependent} needs {self.needed}"


class Broken(NamedTuple):
    """Why the server cannot be imported."""

    #: The error, in one line.
    error: str
    conflicts: list[Conflict]
    #: The file in one of the folders in which it failed, or None.
    file: str | None


def overlaps(folder: str) -> bool:
    """Tell whether a folder of packages has a module that the image or Python has too."""
    places = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), sysconfig.get_path("stdlib"))
    known = {_module(name) for place in places for name in os.listdir(place)}
    return any(_module(name) in known for name in os.listdir(folder) if _module(name))


def _module(entry: str) -> str:
    """Return the name of the module that an entry of a folder is, or an empty text.

    Args:
        entry: `flask.py`, `yaml`, `_cffi_backend.cpython-313-x86_64-linux-gnu.so`, `pip-25.0.dist-info`.
    """
    name, dot, _ = entry.partition(".")
    is_module = name.isidentifier() and name != "__pycache__" and (not dot or entry.endswith((".py", ".so")))
    return name if is_module else ""


def check(folders: list[str]) -> Broken | None:
    """Import the server in a new process, as the next step of the start does.

    Args:
        folders: The folders that come before the image's own packages on the import path.

    Returns:
        Why it cannot be imported, or None.
    """
    path = [*folders, os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(START)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, path))),
    )
    if done.returncode == 0:
        return None
    traceback = done.stderr.decode(errors="replace").strip()
    error = traceback.rpartition("\n")[2] or f"Python ended with exit code {done.returncode}"
    return Broken(error=error, conflicts=list(conflicts(folders)), file=_file_in(folders, traceback, error))


def import_server() -> None:
    """Import the server, in the process that `check` starts; it fails with a traceback."""
    import importlib

    from server_start import telemetry

    telemetry.install()
    try:
        importlib.import_module("gunicorn.app.wsgiapp")
        importlib.import_module(ENTRY)
    except ValueError:  # a variable with an invalid value: the server reports it
        pass


def _file_in(folders: list[str], traceback: str, error: str) -> str | None:
    """Return the innermost file of a traceback in one of the folders, or a module there that the error names."""
    files: list[str] = [
        *re.findall(r'^ +File "([^"]+)", line', traceback, re.MULTILINE),
        *re.findall(r"\((/[^()]+)\)", error),
    ]
    for file in reversed(files):
        if any(file.startswith(folder + os.sep) for folder in folders):
            return file
    named = {name.partition(".")[0] for name in re.findall(r"'([\w.]+)'", error)}
    entries = (os.path.join(folder, entry) for folder in folders for entry in sorted(os.listdir(folder)))
    return next((entry for entry in entries if _module(os.path.basename(entry)) in named), None)


def conflicts(folders: list[str]) -> Iterator[Conflict]:
    """Yield what the server and its dependencies need of each other and do not have, by their metadata.

    Args:
        folders: The folders that come before the image's own packages on the import path.
    """
    try:
        from pip._vendor.packaging.requirements import Requirement
    except ImportError:  # the user removed pip
        return
    paths = [*folders, *sys.path]
    waiting, done = [(SERVER, "")], set()
    while waiting:
        name, extra = waiting.pop()
        found = _distribution(name, paths)
        if found is None or (name, extra) in done:
            continue
        done.add((name, extra))
        for text in found.requires or []:
            need = Requirement(text)
            if need.marker is not None and not need.marker.evaluate({"extra": extra}):
                continue
            needed = re.sub("[-_.]+", "-", need.name).lower()
            installed = _distribution(needed, paths)
            if installed is not None and not need.specifier.contains(installed.version, prereleases=True):
                yield Conflict(
                    name=needed,
                    version=installed.version,
                    folder=str(installed.locate_file("")),
                    dependent=f"{name} {found.version}",
                    needed=f"{needed}{need.specifier}",
                )
            waiting.extend((needed, one) for one in ("", *need.extras))


def _distribution(name: str, paths: list[str]) -> Any:
    """Return the metadata of the first distribution of this name on some paths, or None."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7; the server installs the backport
        import importlib_metadata as metadata  # type: ignore
    return next(iter(metadata.distributions(name=name, path=paths)), None)
