"""An engine, the requirements that it must meet, and the folders of this project's own engine.  Changes nothing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker.tls import TLSConfig
from packaging.version import Version

from build.errors import EngineError
from build.platforms import LINUX_AMD64

#: The first Docker engine whose default builder is BuildKit (its release notes, February 2023).
MINIMUM_ENGINE = Version("23.0")
#: Moves both folders of this project's engine below this folder (tests; a machine with a small /var).
ROOT_VARIABLE = "INFERENCE_IMAGES_ENGINE_ROOT"
OWN_SOURCE = "engine of this project"
#: The command that starts this project's engine.
START = "nox -s engine"


@dataclass(frozen=True, kw_only=True)
class Folders:
    """The folders and files of this project's own engine."""

    #: Images, cache, log, configuration: they stay until they are purged.
    data: Path
    #: Socket, process id, containers' state: a reboot deletes them.
    run: Path
    #: It runs next to another engine of this machine, in a network namespace of its own.
    next_to_another: bool = False

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pidfile(self) -> Path:
        return self.run / "dockerd.pid"

    @property
    def exec_root(self) -> Path:
        return self.run / "exec"

    @property
    def images(self) -> Path:
        """dockerd's ``data-root``."""
        return self.data / "docker"

    @property
    def config(self) -> Path:
        return self.data / "daemon.json"

    @property
    def log(self) -> Path:
        return self.data / "dockerd.log"


def folders(environ: Mapping[str, str] = os.environ) -> Folders:
    """Return the folders of this project's own engine.

    Args:
        environ: Its ``INFERENCE_IMAGES_ENGINE_ROOT`` names a folder that then holds everything of the engine.
    """
    root = environ.get(ROOT_VARIABLE)
    if root:
        folder = Path(root).resolve()
        return Folders(data=folder / "data", run=folder / "run", next_to_another=True)
    return Folders(data=Path("/var/lib/inference-images"), run=Path("/run/inference-images"))


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A Docker engine that answers."""

    #: Its address: ``unix:///var/run/docker.sock``, ``tcp://…``, ``ssh://…``.
    host: str
    #: How it was found: ``DOCKER_HOST``, ``Docker context 'x'``, ``default socket``, ``engine of this
    #: project``.
    source: str
    #: ``Docker`` (also where the engine does not report it) or ``Podman``.
    product: str
    version: str
    api_version: str
    #: ``linux/amd64``
    platform: str
    #: It keeps images in containerd's store (zstd layers, lazy push) instead of the engine's classic one.
    containerd_store: bool
    rootless: bool
    #: The engine's data folder, on its own machine.
    data_root: str
    #: The Docker context that names it, if one does.
    context: str | None = None
    tls: TLSConfig | None = field(default=None, compare=False, repr=False)

    @property
    def own(self) -> bool:
        return self.source == OWN_SOURCE

    @property
    def image_store(self) -> str:
        return "containerd" if self.containerd_store else "classic"


def check(engine: Engine) -> None:
    """Check that an engine can build these images.

    Raises:
        EngineError: It has no BuildKit, is too old, or runs on another platform.
    """
    where = f"{engine.host} ({engine.source})"
    if engine.product != "Docker":
        raise EngineError(
            f"{engine.product} answers, which has no BuildKit; these images need a Docker engine",
            where=where,
            fix=f"name a Docker engine in DOCKER_HOST, or start one: {START}",
        )
    if parse_version(engine.version) < MINIMUM_ENGINE:
        raise EngineError(
            f"the engine is too old: Docker {engine.version}; it must be {MINIMUM_ENGINE} or newer",
            where=where,
            fix="upgrade it (https://docs.docker.com/engine/install/), or name another in DOCKER_HOST",
        )
    if engine.platform != LINUX_AMD64.oci:
        raise EngineError(
            f"the engine runs on {engine.platform}, but these images are for {LINUX_AMD64.oci}",
            where=where,
            fix=f"name an engine on {LINUX_AMD64.oci} in DOCKER_HOST",
        )


def parse_version(text: str) -> Version:
    """Return the release in a version text: ``Docker version 26.1.5+dfsg1, build …`` → 26.1.5; 0 where it has none.

    Distributions and Docker add what PEP 440 does not know (``0.14.1-desktop.1``); only the release counts here.
    """
    match = re.search(r"\d+(?:\.\d+)+", text)
    return Version(match[0] if match else "0")


def free_bytes(engine: Engine) -> int | None:
    """Return the bytes free where the engine keeps its data, or None where that folder is not on this machine."""
    if not engine.host.startswith("unix://"):
        return None
    with contextlib.suppress(OSError):
        return shutil.disk_usage(engine.data_root).free
    return None
