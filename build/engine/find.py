"""Find the Docker engine that answers here.

Order of the search: ``DOCKER_HOST``, the current Docker context, the default socket, this project's own engine
(``build.engine.daemon`` starts it).  A silent engine that a user named is an error and is not skipped.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3
from docker.context import Context, ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import DockerException
from docker.tls import TLSConfig

from build.engine.connect import open_client
from build.engine.model import OWN_SOURCE, START, Engine, check, folders
from build.errors import EngineError
from build.platforms import GO_NAMES

#: The name of Docker's own context: the default socket, or ``DOCKER_HOST``.
DEFAULT_CONTEXT = "default"
#: Where Docker's client looks when nothing else is configured.
DEFAULT_SOCKET = Path("/var/run/docker.sock")
#: Seconds that an engine has for an answer to "who are you"; it also answers under a build's full load.
_PROBE_TIMEOUT = 10


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An address where an engine may answer."""

    host: str
    source: str
    #: A user named it, so it is an error where it does not answer.
    named: bool = False
    context: str | None = None
    tls: TLSConfig | None = None


def candidates(
    environ: Mapping[str, str] = os.environ, *, default_socket: Path = DEFAULT_SOCKET
) -> tuple[Candidate, ...]:
    """Return the addresses to ask, in order.

    Args:
        environ: ``DOCKER_HOST``, ``DOCKER_CONTEXT`` and ``INFERENCE_IMAGES_ENGINE_ROOT`` of it count.
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
    """Return the first engine that answers, suitable or not (``require`` checks that), or None.

    Args:
        environ: As for ``candidates``.
        default_socket: Docker's default socket.

    Raises:
        EngineError: ``DOCKER_HOST`` or a Docker context names an engine that does not answer.
    """
    return _search(candidates(environ, default_socket=default_socket))[0]


def require(environ: Mapping[str, str] = os.environ, *, default_socket: Path = DEFAULT_SOCKET) -> Engine:
    """Return the engine that answers, checked: Docker, new enough, Linux on amd64.

    Args:
        environ: As for ``candidates``.
        default_socket: Docker's default socket.

    Raises:
        EngineError: No engine answers, or one that is not suitable; with the fix.
    """
    engine, silent = _search(candidates(environ, default_socket=default_socket))
    if engine is None:
        raise _nothing_answers(silent)
    check(engine)
    return engine


def _tls_of_environment(environ: Mapping[str, str]) -> TLSConfig | None:
    """Read ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` as Docker's client does."""
    if not environ.get("DOCKER_TLS_VERIFY"):
        return None
    folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        return TLSConfig(
            client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
            ca_cert=str(folder / "ca.pem"),
            verify=True,
        )
    except DockerException as error:
        raise EngineError(
            "DOCKER_TLS_VERIFY is set and the certificates cannot be read",
            where=str(folder),
            fix="set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem",
            details=str(error),
        ) from error


def _context(environ: Mapping[str, str]) -> Candidate | None:
    """Return the Docker context in use, or None where that is the default one (the default socket)."""
    asked = environ.get("DOCKER_CONTEXT")
    source = "DOCKER_CONTEXT" if asked else "Docker's config.json"
    name = asked or get_current_context_name()
    context = _load_context(name, source)
    if context is None:
        raise EngineError(
            f"the Docker context '{name}' does not exist",
            where=source,
            fix="docker context ls lists the existing ones; docker context use default selects the default one",
        )
    if context.name == DEFAULT_CONTEXT or not context.Host:
        return None
    return Candidate(
        host=str(context.Host),
        source=f"Docker context '{context.name}'",
        named=True,
        context=str(context.name),
        tls=context.TLSConfig,
    )


def _load_context(name: str, source: str) -> Context | None:
    """Read a Docker context; None if it does not exist.

    Args:
        name: Its name.
        source: Where the name is from.
    """
    try:
        context = ContextAPI.get_context(name)
    except Exception as error:
        # The SDK raises a bare Exception for a context file it cannot read.
        raise EngineError(
            f"the Docker context '{name}' cannot be read",
            where=source,
            fix=f"remove it (docker context rm {name}), or do not use it (docker context use default)",
            details=str(error),
        ) from error
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    if context is None and meta.is_dir() and not (folder / "config.json").exists():
        # Docker's client needs no such file; the SDK looks for contexts next to it.
        raise EngineError(
            f"the Docker context '{name}' cannot be read: Docker's configuration has no config.json",
            where=str(folder),
            fix=f"echo '{{}}' > {folder / 'config.json'}",
        )
    return context


def has_context(name: str, source: str) -> bool:
    """Tell whether a Docker context has this name; buildx has a builder of each context's name.

    Args:
        name: The name.
        source: Where it is from, for messages.

    Raises:
        EngineError: The context cannot be read.
    """
    return _load_context(name, source) is not None


def _search(to_ask: Sequence[Candidate]) -> tuple[Engine | None, tuple[tuple[Candidate, str], ...]]:
    """Return the first engine that answers, and each address that does not with the reason."""
    silent: list[tuple[Candidate, str]] = []
    for candidate in to_ask:
        answer = _ask(candidate)
        if isinstance(answer, Engine):
            return answer, tuple(silent)
        if candidate.named:
            raise EngineError(
                f"the engine that {candidate.source} names does not answer: {answer}",
                where=candidate.host,
                fix="start that engine; or stop using it ("
                + (
                    "unset DOCKER_HOST"
                    if candidate.context is None
                    else "docker context use default, unset DOCKER_CONTEXT and BUILDX_BUILDER, no --builder"
                )
                + f") and run {START}",
            )
        silent.append((candidate, answer))
    return None, tuple(silent)


def answers(host: str, tls: TLSConfig | None = None) -> bool:
    """Tell whether an engine answers at this address."""
    return isinstance(_ask(Candidate(host=host, source="", tls=tls)), Engine)


def _ask(candidate: Candidate) -> Engine | str:
    """Return the engine at an address, or the reason why none answers."""
    if candidate.host.startswith("unix://") and not Path(candidate.host.removeprefix("unix://")).exists():
        return "no such socket"
    try:
        with contextlib.closing(open_client(candidate.host, candidate.tls, timeout=_PROBE_TIMEOUT)) as client:
            return _describe(candidate, client.version(), client.info())
    except (
        DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        ValueError,
    ) as error:
        return _reason(error)


def _describe(candidate: Candidate, version: Mapping[str, Any], info: Mapping[str, Any]) -> Engine:
    """Describe an engine by its answers to ``/version`` and ``/info`` (Docker Engine API)."""
    components = [str(component.get("Name", "")) for component in version.get("Components") or ()]
    podman = any(name.startswith("Podman") for name in components)
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    driver = [tuple(pair) for pair in info.get("DriverStatus") or ()]
    machine = str(info.get("Architecture", ""))
    return Engine(
        host=candidate.host,
        source=candidate.source,
        product="Podman" if podman else "Docker",
        version=str(version.get("Version", "")),
        api_version=str(version.get("ApiVersion", "")),
        platform=f"{info.get('OSType', '')}/{GO_NAMES.get(machine, machine)}",
        containerd_store=("driver-type", "io.containerd.snapshotter.v1") in driver,
        rootless=any("rootless" in option for option in options),
        data_root=str(info.get("DockerRootDir", "")),
        context=candidate.context,
        tls=candidate.tls,
    )


def _reason(error: BaseException) -> str:
    """Say in a few words why an address does not answer."""
    for cause in causes(error):
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


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that caused it, the outermost first."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        yield current
        current = current.__cause__ or current.__context__


def _nothing_answers(silent: Sequence[tuple[Candidate, str]]) -> EngineError:
    tried = "\n".join(f"{candidate.host} ({candidate.source}): {reason}" for candidate, reason in silent)
    denied = [candidate for candidate, reason in silent if reason == "permission denied"]
    if denied:
        return EngineError(
            "a Docker engine runs here, but this user may not use it",
            where=denied[0].host,
            fix='join its group (sudo usermod -aG docker "$USER", then log in again), or run as root',
            details=tried,
        )
    client = shutil.which("docker")
    what = "no Docker engine answers here"
    if client:
        what += f": {client} is a client, with no engine behind it"
    return EngineError(what, fix=f"{START} (as root on Debian or Ubuntu it installs and starts one)", details=tried)
