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
        StartFailure: A folder or file does not exist, or pip failed.
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
    return folders


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
    # As in the original images, paths in the file are relative to its folder.
    done = subprocess.run([*command, "--requirement", requirements], cwd=os.path.dirname(requirements))
    if done.returncode:
        raise StartFailure(
            f"pip could not install {requirements} (exit code {done.returncode}): see its error above",
            REQUIREMENTS_FAILED,
        )
