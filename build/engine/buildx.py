"""Find buildx, the program to build with.  Runs ``buildx version`` and changes nothing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from build.engine.model import parse_version
from build.errors import EngineError
from build.system import processes

#: The oldest buildx with which these bake files and options are tested.
MINIMUM_BUILDX = Version("0.12")
#: Docker's plugin folders that every user shares (docker/cli, cli-plugins/manager/manager_unix.go).
_SHARED_PLUGIN_FOLDERS = (
    Path("/usr/local/lib/docker/cli-plugins"),
    Path("/usr/local/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/libexec/docker/cli-plugins"),
)
_INSTALL = (
    "install buildx: the package docker-buildx (Debian 13, Ubuntu), or docker-buildx-plugin from "
    "Docker's own repository (https://docs.docker.com/engine/install/)"
)
#: Seconds that ``buildx version`` may take.
_TIMEOUT = 30


@dataclass(frozen=True, kw_only=True)
class Buildx:
    """A buildx that is new enough."""

    #: What its command lines start with: ``("/usr/bin/docker", "buildx")``, or the plugin's own path.
    command: tuple[str, ...]
    #: As it reports it: ``0.13.1+ds1``.
    version: str


def plugin_folders(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return Docker's plugin folders: the user's, then those that all users share."""
    config = Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else Path.home() / ".docker"
    return (config / "cli-plugins", *_SHARED_PLUGIN_FOLDERS)


def find_buildx(folders: Sequence[Path] | None = None) -> Buildx:
    """Find a buildx: that of ``docker`` on PATH, else the plugin by itself, which needs no client.

    Args:
        folders: Where to look for the plugin; by default Docker's plugin folders.

    Raises:
        EngineError: No buildx is found, or none that is new enough.
    """
    client = shutil.which("docker")
    commands = [(client, "buildx")] if client else []
    plugins = [folder / "docker-buildx" for folder in (plugin_folders() if folders is None else folders)]
    too_old: EngineError | None = None
    for command in (*commands, *((str(plugin),) for plugin in plugins if os.access(plugin, os.X_OK))):
        version = _version(command)
        if version is None:
            continue
        if parse_version(version) >= MINIMUM_BUILDX:
            return Buildx(command=command, version=version)
        too_old = too_old or EngineError(
            f"buildx {version} is too old: {MINIMUM_BUILDX} or newer is needed",
            where=" ".join(command),
            fix=_INSTALL,
        )
    if too_old is not None:
        raise too_old
    what = "buildx is missing" + (f": the Docker client {client} has no such plugin" if client else "")
    raise EngineError(what, fix=_INSTALL)


def _version(command: Sequence[str]) -> str | None:
    """Return the version that ``buildx version`` prints, or None where it does not run.

    The line is ``github.com/docker/buildx v0.14.1 <commit>``.
    """
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = processes.run([*command, "version"], timeout=_TIMEOUT)
        match = re.match(r"\S*/buildx\s+(\S+)", done.stdout)
        if done.returncode == 0 and match:
            return match[1].removeprefix("v")
    return None
