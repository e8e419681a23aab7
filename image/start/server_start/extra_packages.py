"""Packages that a user adds without building an image: a folder of packages, or a requirements file.

Microsoft documents both in "Python package extensibility for prebuilt Docker images".
"""

from __future__ import annotations

import os
import sys
from typing import Mapping

from server_start.failure import (
    NO_CONDA,
    NO_LIBRARY,
    NO_REQUIREMENTS,
    REQUIREMENTS_FAILED,
    StartFailure,
)

LIBRARY = "AZUREML_EXTRA_PYTHON_LIB_PATH"
REQUIREMENTS = "AZUREML_EXTRA_REQUIREMENTS_TXT"
#: Microsoft's images also know a variable for an absolute path.
CONDA = ("AZUREML_EXTRA_CONDA_YAML", "AZUREML_EXTRA_CONDA_YAML_ABS_PATH")

#: The file with the versions that the server needs, in the image's environment (`image/scripts/server-constraints`).
CONSTRAINTS = "server-constraints.txt"
#: The folder for installed requirements, in a temporary folder, if the image's environment is not writable.
FOLDER = "inference-server-packages"


def prepare(environment: Mapping[str, str], script_folder: str) -> list[str]:
    """Check and install the packages that the user adds.

    Args:
        environment: The container's variables.
        script_folder: The entry script's folder; the paths are relative to it.

    Returns:
        The folders that come before the image's own packages on the import path, in order.

    Raises:
        StartFailure: A folder or file does not exist, pip failed, or the server does not work with the packages.
    """
    conda = next((name for name in CONDA if environment.get(name)), "")
    if conda:
        raise StartFailure(
            f"{conda} needs conda, which is not in this image: list the packages in a requirements file "
            f"and set {REQUIREMENTS} to it",
            NO_CONDA,
        )
    # Check both before pip runs, so that mistakes are reported at once.
    library = _library(environment, script_folder)
    requirements = _requirements(environment, script_folder)
    folders = [library] if library else []
    if requirements:
        folders += _install(requirements)
    _check(folders, library, requirements)
    return folders


def _check(folders: list[str], library: str | None, requirements: str | None) -> None:
    """Fail if the server cannot be imported with the packages that the user adds.

    That takes half a second. A folder that has none of the image's modules cannot break it, and is not checked.
    """
    if not library and not requirements:
        return
    from server_start import package_check

    if not requirements and library and not package_check.overlaps(library):
        return
    broken = package_check.check(folders)
    if broken is None:
        return
    in_library = [one for one in broken.conflicts if library and _is_in(one.folder, library)]
    if in_library:
        raise StartFailure(
            f"{library} ({LIBRARY}) has {in_library[0]} ({broken.error}): "
            "remove it from the folder, or put a version there that fits",
            NO_LIBRARY,
        )
    if broken.conflicts and requirements:
        raise StartFailure(
            f"{requirements} installs {broken.conflicts[0]} ({broken.error}): ask for a version that fits",
            REQUIREMENTS_FAILED,
        )
    if library and broken.file and _is_in(broken.file, library):
        raise StartFailure(
            f"{library} ({LIBRARY}) has {broken.file}, with which the server cannot be imported ({broken.error}): "
            "rename it if it is your own module; otherwise remove the package, or install all of it",
            NO_LIBRARY,
        )
    raise StartFailure(
        f"the server cannot be imported with the packages of {requirements or library} ({broken.error})",
        REQUIREMENTS_FAILED if requirements else NO_LIBRARY,
    )


def _is_in(path: str, folder: str) -> bool:
    return os.path.commonpath([os.path.realpath(path), os.path.realpath(folder)]) == os.path.realpath(folder)


def _library(environment: Mapping[str, str], script_folder: str) -> str | None:
    value = environment.get(LIBRARY)
    if not value:
        return None
    path = _path(value, script_folder)
    if not os.path.isdir(path):
        what = "is not a directory" if os.path.exists(path) else "does not exist"
        raise StartFailure(
            f"{LIBRARY}={value}: {path} {what}; mount or copy a folder made with `pip install --target`; "
            "the path is relative to the scoring script's folder",
            NO_LIBRARY,
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise StartFailure(
            f"{LIBRARY}={value}: {path} cannot be read by uid {os.getuid()}: make it readable (`chmod -R a+rX`)",
            NO_LIBRARY,
        )
    return path


def _requirements(environment: Mapping[str, str], script_folder: str) -> str | None:
    value = environment.get(REQUIREMENTS)
    if not value:
        return None
    path = _path(value, script_folder)
    if not os.path.isfile(path):
        what = "is not a file" if os.path.exists(path) else "does not exist"
        raise StartFailure(
            f"{REQUIREMENTS}={value}: {path} {what}; mount or copy a pip requirements file; "
            "the path is relative to the scoring script's folder",
            NO_REQUIREMENTS,
        )
    return path


def _path(value: str, script_folder: str) -> str:
    """Resolve a user's path: relative to the script's folder as in the original images, or else absolute."""
    relative = os.path.normpath(os.path.join(script_folder, value.lstrip("/")))
    if os.path.isabs(value) and os.path.exists(value) and not os.path.exists(relative):
        return os.path.normpath(value)
    return relative


def _install(requirements: str) -> list[str]:
    """Install into the image's environment, or elsewhere if that is not writable (read-only, or another user)."""
    import sysconfig  # here, so that other starts do not pay for it

    if os.access(sysconfig.get_path("purelib"), os.W_OK) and os.access(sysconfig.get_path("scripts"), os.W_OK):
        _pip(sys.executable, requirements)
        return []
    environment = _environment_beside(requirements)
    _pip(os.path.join(environment, "bin", "python"), requirements)
    return [_site_packages(environment)]


def _environment_beside(requirements: str) -> str:
    """Create a virtual environment that sees the image's packages: pip installs only what is missing there."""
    import sysconfig
    import venv

    # Not tempfile.gettempdir(): it may return the current folder, which has the user's code.
    folders = [folder for folder in (os.environ.get("TMPDIR"), "/tmp", "/var/tmp") if folder]
    folder = os.path.join(next((folder for folder in folders if os.access(folder, os.W_OK)), folders[0]), FOLDER)
    try:
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        with open(os.path.join(_site_packages(folder), "image.pth"), "w") as file:
            file.write(sysconfig.get_path("purelib") + "\n")
    except OSError as error:
        raise StartFailure(
            f"the packages of {requirements} cannot be installed, since no folder is writable ({error}): "
            "mount a folder for them at /tmp (docker: `--tmpfs /tmp:exec`; Kubernetes: an emptyDir)",
            REQUIREMENTS_FAILED,
        ) from error
    return folder


def _site_packages(environment: str) -> str:
    version = "python{}.{}".format(*sys.version_info[:2])
    return os.path.join(environment, "lib", version, "site-packages")


def _pip(python: str, requirements: str) -> None:
    import subprocess

    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir", "--no-input"]
    constraints = os.path.join(sys.prefix, CONSTRAINTS)
    # pip finds them by itself in the image's own environment only.
    if python != sys.executable and os.path.isfile(constraints) and not os.environ.get("PIP_CONSTRAINT"):
        command += ["--constraint", constraints]
    lines = []
    with subprocess.Popen(
        [*command, "--requirement", requirements],
        cwd=os.path.dirname(requirements),  # as in the original images, paths in the file are relative to its folder
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        for line in pip.stdout or ():
            lines.append(line)
            print(line, end="", flush=True)
    if pip.returncode:
        raise StartFailure(
            f"pip could not install {requirements} (exit code {pip.returncode}): "
            f"{_conflict(lines, constraints) or 'see its error above'}",
            REQUIREMENTS_FAILED,
        )


def _conflict(lines: list[str], constraints: str) -> str:
    """Return which requirement the server's constraints do not allow, from pip's output; empty if that is not why.

    Args:
        lines: pip's output. Its resolver lists what contradicts: "The user requested pydantic==1.10.26", "x 1.0 depends
            on pydantic<2", "The user requested (constraint) pydantic~=2.12".
        constraints: The file of the constraints, which names the dependents of each package after a "#".
    """
    import re

    limits = re.findall(r"^ +The user requested [(]constraint[)] (([\w.-]+).*)$", "".join(lines), re.MULTILINE)
    demands = re.findall(r"^ +(?:The user requested|(.*) depends on) (([\w.-]+).*)$", "".join(lines), re.MULTILINE)
    for limit, name in limits:
        asked = next(((by, what) for by, what, of in demands if _same(of, name)), None)
        if asked and os.path.isfile(constraints):
            by = f"{asked[0]}, which needs {asked[1]}" if asked[0] else asked[1]
            with open(constraints, encoding="utf-8") as file:
                needed_by = next((line.partition("#")[2].strip() for line in file if line.split(" ")[0] == limit), "")
            return f"it asks for {by}, but the server needs {limit}" + (f" ({needed_by})" if needed_by else "")
    return ""


def _same(name: str, other: str) -> bool:
    return name.replace("_", "-").lower() == other.replace("_", "-").lower()
