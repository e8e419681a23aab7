"""Which Docker engine with BuildKit answers here, and whether it will do.

Order of the search: ``DOCKER_HOST``, the current Docker context, the default socket, this project's own
engine (``build.engine.daemon`` starts it).  A silent engine that a user named is an error, never passed over.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import requests
import urllib3
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import DockerException
from docker.tls import TLSConfig

from build.errors import EngineError

#: The first Docker engine whose default builder is BuildKit (its release notes, February 2023).
MINIMUM_ENGINE = (23, 0)
#: The oldest buildx these bake files and options are run with.
MINIMUM_BUILDX = (0, 12)
#: Where Docker's client looks when nothing else is said.
DEFAULT_SOCKET = Path("/var/run/docker.sock")
#: Both of the own engine's folders move below this folder (tests; a machine whose /var is small).
ROOT_VARIABLE = "INFERENCE_IMAGES_ENGINE_ROOT"
OWN_SOURCE = "engine of this project"
#: Seconds that an engine has for an answer to "who are you"; it also answers under a build's full load.
_PROBE_TIMEOUT = 10
#: Docker's plugin folders that every user shares (docker/cli, cli-plugins/manager/manager_unix.go).
_SHARED_PLUGIN_FOLDERS = (
    Path("/usr/local/lib/docker/cli-plugins"),
    Path("/usr/local/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/libexec/docker/cli-plugins"),
)
#: The kernel's names of machines → those of image platforms.
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
START = "nox -s engine"
_INSTALL_BUILDX = (
    "install buildx: the package docker-buildx (Debian 13, Ubuntu), or docker-buildx-plugin from "
    "Docker's own repository (https://docs.docker.com/engine/install/)"
)


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where this project's own engine keeps its things."""

    #: Images, cache, log, configuration: kept until purged.
    data: Path
    #: Socket, process id, containers' state: gone with a reboot.
    run: Path
    #: Beside another engine on one machine: in a network of its own.
    beside: bool = False

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
    """The own engine's folders.

    Args:
        environ: Where ``INFERENCE_IMAGES_ENGINE_ROOT`` is read: a folder that then holds all of it.
    """
    root = environ.get(ROOT_VARIABLE)
    if root:
        place = Path(root).resolve()
        return Folders(data=place / "data", run=place / "run", beside=True)
    return Folders(data=Path("/var/lib/inference-images"), run=Path("/run/inference-images"))


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A Docker engine that answers."""

    #: Its address: ``unix:///var/run/docker.sock``, ``tcp://…``, ``ssh://…``.
    host: str
    #: How it was found: ``DOCKER_HOST``, ``Docker context 'x'``, ``default socket``, ``engine of this
    #: project``.
    source: str
    #: What it calls itself: ``Docker`` (also where the engine does not say), ``Podman``.
    product: str
    version: str
    api_version: str
    #: ``linux/amd64``
    platform: str
    #: Images in containerd's store (zstd layers, lazy push) instead of the engine's classic one.
    containerd_store: bool
    rootless: bool
    #: The engine's data folder, on its own machine.
    data_root: str
    #: The Docker context it came from, where that was it.
    context: str | None = None
    tls: TLSConfig | None = field(default=None, compare=False, repr=False)

    @property
    def own(self) -> bool:
        return self.source == OWN_SOURCE

    @property
    def image_store(self) -> str:
        return "containerd" if self.containerd_store else "classic"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An address where an engine may answer."""

    host: str
    source: str
    #: A user named it, so its silence is an error.
    named: bool = False
    context: str | None = None
    tls: TLSConfig | None = None


# ---- finding ---------------------------------------------------------------------------------------------


def candidates(
    environ: Mapping[str, str] = os.environ, *, default_socket: Path = DEFAULT_SOCKET
) -> tuple[Candidate, ...]:
    """The addresses to ask, in order.

    Args:
        environ: Where ``DOCKER_HOST``, ``DOCKER_CONTEXT`` and ``INFERENCE_IMAGES_ENGINE_ROOT`` are read.
        default_socket: Docker's default socket.

    Raises:
        EngineError: A Docker context is named that does not exist or cannot be read.
    """
    own = Candidate(host=folders(environ).host, source=OWN_SOURCE)
    named = environ.get("DOCKER_HOST")
    if named:
        if named == own.host:
            return (own,)
        tls = _tls_of_environment(environ)
        return (Candidate(host=named, source="DOCKER_HOST", named=True, tls=tls),)
    context = _context(environ)
    if context is not None:
        return (context,)
    return (Candidate(host=f"unix://{default_socket}", source="default socket"), own)


def find(environ: Mapping[str, str] = os.environ, *, default_socket: Path = DEFAULT_SOCKET) -> Engine | None:
    """The engine that answers, whether or not it will do (``require`` checks that).

    Args:
        environ: As for ``candidates``.
        default_socket: Docker's default socket.

    Returns:
        The first that answers, or None.

    Raises:
        EngineError: ``DOCKER_HOST`` or a Docker context names an engine that does not answer.
    """
    return _search(candidates(environ, default_socket=default_socket))[0]


def require(environ: Mapping[str, str] = os.environ, *, default_socket: Path = DEFAULT_SOCKET) -> Engine:
    """The engine that answers, checked: Docker, not too old, Linux on amd64.

    Args:
        environ: As for ``candidates``.
        default_socket: Docker's default socket.

    Raises:
        EngineError: No engine, or one that will not do; with what to do about it.
    """
    engine, silent = _search(candidates(environ, default_socket=default_socket))
    if engine is None:
        raise _nothing_answers(silent)
    check(engine)
    return engine


def check(engine: Engine) -> None:
    """Raise ``EngineError`` where an engine will not do: no BuildKit, too old, another platform."""
    where = f"{engine.host} ({engine.source})"
    if engine.product != "Docker":
        raise EngineError(
            f"{engine.product} answers, which has no BuildKit; these images need a Docker engine",
            where=where,
            fix=f"name a Docker engine in DOCKER_HOST, or start one: {START}",
        )
    if parse_version(engine.version) < MINIMUM_ENGINE:
        raise EngineError(
            f"the engine is too old: Docker {engine.version}; it must be {_dotted(MINIMUM_ENGINE)} or newer",
            where=where,
            fix="upgrade it (https://docs.docker.com/engine/install/), or name another in DOCKER_HOST",
        )
    if engine.platform != "linux/amd64":
        raise EngineError(
            f"the engine runs on {engine.platform}, and these images are linux/amd64",
            where=where,
            fix="name an engine on linux/amd64 in DOCKER_HOST",
        )


def parse_version(text: str) -> tuple[int, int]:
    """The first two numbers of a version: ``26.1.5+dfsg1`` → (26, 1); a text without any → (0, 0)."""
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _tls_of_environment(environ: Mapping[str, str]) -> TLSConfig | None:
    """``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``, as Docker's client reads them."""
    if not environ.get("DOCKER_TLS_VERIFY"):
        return None
    place = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        return TLSConfig(
            client_cert=(str(place / "cert.pem"), str(place / "key.pem")),
            ca_cert=str(place / "ca.pem"),
            verify=True,
        )
    except DockerException as error:
        raise EngineError(
            "DOCKER_TLS_VERIFY is set and the certificates cannot be read",
            where=str(place),
            fix="set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem",
            details=str(error),
        ) from error


def _context(environ: Mapping[str, str]) -> Candidate | None:
    """The Docker context in use, None where that is the default one (which is the default socket)."""
    asked = environ.get("DOCKER_CONTEXT")
    source = "DOCKER_CONTEXT" if asked else "Docker's config.json"
    try:
        context = ContextAPI.get_context(asked or get_current_context_name())
    except Exception as error:
        # The SDK raises a bare Exception for a context file it cannot read.
        raise EngineError(
            "the current Docker context cannot be read",
            where=source,
            fix="docker context use default",
            details=str(error),
        ) from error
    if context is None:
        raise EngineError(
            f"the Docker context '{asked or get_current_context_name()}' does not exist",
            where=source,
            fix="docker context ls shows those that do; docker context use default",
        )
    if context.name == "default" or not context.Host:
        return None
    return Candidate(
        host=str(context.Host),
        source=f"Docker context '{context.name}'",
        named=True,
        context=str(context.name),
        tls=context.TLSConfig,
    )


def _search(places: Sequence[Candidate]) -> tuple[Engine | None, tuple[tuple[Candidate, str], ...]]:
    """The first engine that answers, and each silent address with its reason."""
    silent: list[tuple[Candidate, str]] = []
    for place in places:
        answer = _ask(place)
        if isinstance(answer, Engine):
            return answer, tuple(silent)
        if place.named:
            raise EngineError(
                f"the engine that {place.source} names does not answer: {answer}",
                where=place.host,
                fix="start that engine; or leave it ("
                + ("unset DOCKER_HOST" if place.context is None else "docker context use default, unset DOCKER_CONTEXT")
                + f") and run {START}",
            )
        silent.append((place, answer))
    return None, tuple(silent)


def answers(host: str, tls: TLSConfig | None = None) -> bool:
    """Whether an engine answers at this address."""
    return isinstance(_ask(Candidate(host=host, source="", tls=tls)), Engine)


def _ask(place: Candidate) -> Engine | str:
    """The engine at an address, or why none answers there."""
    if place.host.startswith("unix://") and not Path(place.host.removeprefix("unix://")).exists():
        return "no such socket"
    try:
        with contextlib.closing(_connect(place.host, place.tls, timeout=_PROBE_TIMEOUT)) as connection:
            return _describe(place, connection.version(), connection.info())
    except (
        DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        ValueError,
    ) as error:
        return _reason(error)


def _connect(host: str, tls: TLSConfig | None, *, timeout: int) -> docker.DockerClient:
    return docker.DockerClient(
        base_url=host,
        version="auto",
        timeout=timeout,
        tls=tls or False,
        use_ssh_client=host.startswith("ssh://"),
    )


def _describe(place: Candidate, version: Mapping[str, Any], info: Mapping[str, Any]) -> Engine:
    """An engine from its own answers to ``/version`` and ``/info`` (Docker Engine API)."""
    components = [str(component.get("Name", "")) for component in version.get("Components") or ()]
    podman = any(name.startswith("Podman") for name in components)
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    driver = [tuple(pair) for pair in info.get("DriverStatus") or ()]
    machine = str(info.get("Architecture", ""))
    return Engine(
        host=place.host,
        source=place.source,
        product="Podman" if podman else "Docker",
        version=str(version.get("Version", "")),
        api_version=str(version.get("ApiVersion", "")),
        platform=f"{info.get('OSType', '')}/{_GO_NAMES.get(machine, machine)}",
        containerd_store=("driver-type", "io.containerd.snapshotter.v1") in driver,
        rootless=any("rootless" in option for option in options),
        data_root=str(info.get("DockerRootDir", "")),
        context=place.context,
        tls=place.tls,
    )


def _reason(error: BaseException) -> str:
    """Why an address is silent, in three words where one knows."""
    for cause in chain(error):
        if isinstance(cause, PermissionError) or "PermissionError" in str(cause):
            return "permission denied"
        if isinstance(cause, ConnectionRefusedError) or "ConnectionRefusedError" in str(cause):
            return "connection refused"
        if isinstance(cause, requests.Timeout | TimeoutError) or "timed out" in str(cause).lower():
            return f"no answer in {_PROBE_TIMEOUT} s"
        if isinstance(cause, FileNotFoundError) or "FileNotFoundError" in str(cause):
            return "no such socket"
        if "NameResolutionError" in str(cause):
            return "its host name has no address"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from, outermost first."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        yield current
        current = current.__cause__ or current.__context__


def _nothing_answers(silent: Sequence[tuple[Candidate, str]]) -> EngineError:
    tried = "\n".join(f"{place.host} ({place.source}): {reason}" for place, reason in silent)
    denied = [place for place, reason in silent if reason == "permission denied"]
    if denied:
        return EngineError(
            "a Docker engine is here and this user may not use it",
            where=denied[0].host,
            fix='join its group (sudo usermod -aG docker "$USER", then log in again), or run as root',
            details=tried,
        )
    client = shutil.which("docker")
    what = "no Docker engine answers here"
    if client:
        what += f": {client} is a client, with no engine behind it"
    return EngineError(what, fix=f"{START} (as root on Debian or Ubuntu it installs and starts one)", details=tried)


# ---- using -----------------------------------------------------------------------------------------------


def client(engine: Engine, *, timeout: int = 120) -> docker.DockerClient:
    """A client of Docker's SDK for this engine.

    Args:
        engine: From ``require``.
        timeout: Seconds that one answer may take.
    """
    return _connect(engine.host, engine.tls, timeout=timeout)


def environment(engine: Engine, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment in which ``docker`` and ``buildx`` use this engine and its own BuildKit.

    Args:
        engine: From ``require``.
        environ: What to start from.
    """
    changed = {key: value for key, value in environ.items() if key not in ("DOCKER_CONTEXT", "DOCKER_HOST")}
    if engine.context is not None and engine.tls is not None:
        # A context's certificates are found through its name only.
        return changed | {"DOCKER_CONTEXT": engine.context, "BUILDX_BUILDER": engine.context}
    # A builder that the user chose once (docker buildx use) may build elsewhere and keep the images there.
    return changed | {"DOCKER_HOST": engine.host, "BUILDX_BUILDER": "default"}


def plugin_folders(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Docker's plugin folders: the user's, then those that all users share."""
    config = Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else Path.home() / ".docker"
    return (config / "cli-plugins", *_SHARED_PLUGIN_FOLDERS)


def buildx(folders: Sequence[Path] | None = None) -> tuple[list[str], str]:
    """The buildx to build with: that of ``docker`` on PATH, else the plugin by itself, which needs no client.

    Args:
        folders: Where to look for the plugin; by default Docker's plugin folders.

    Returns:
        What a command line starts with (``["/usr/bin/docker", "buildx"]``, or the plugin's own path), and
        the version.

    Raises:
        EngineError: None, or none that is new enough.
    """
    commands: list[list[str]] = []
    client = shutil.which("docker")
    if client:
        commands.append([client, "buildx"])
    for folder in plugin_folders() if folders is None else folders:
        if os.access(folder / "docker-buildx", os.X_OK):
            commands.append([str(folder / "docker-buildx")])
    too_old: EngineError | None = None
    for command in commands:
        version = _buildx_version(command)
        if version is None:
            continue
        if parse_version(version) >= MINIMUM_BUILDX:
            return command, version
        too_old = too_old or EngineError(
            f"buildx is too old: {version}, and {_dotted(MINIMUM_BUILDX)} or newer is needed",
            where=" ".join(command),
            fix=_INSTALL_BUILDX,
        )
    if too_old is not None:
        raise too_old
    what = "buildx is missing" + (f": the Docker client {client} has no such plugin" if client else "")
    raise EngineError(what, fix=_INSTALL_BUILDX)


def _buildx_version(command: list[str]) -> str | None:
    """What ``buildx version`` says, None where it does not run.

    Two words come before the version: ``github.com/docker/buildx v0.14.1 <commit>``.
    """
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([*command, "version"], capture_output=True, text=True, timeout=30, check=False)
        match = re.match(r"\S*/buildx\s+(\S+)", done.stdout)
        if done.returncode == 0 and match:
            return match[1].removeprefix("v")
    return None


def free_bytes(engine: Engine) -> int | None:
    """Bytes free where the engine keeps its data; None where that folder is not on this machine."""
    if not engine.host.startswith("unix://"):
        return None
    with contextlib.suppress(OSError):
        return shutil.disk_usage(engine.data_root).free
    return None
