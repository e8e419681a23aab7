"""A connected engine: its client, the environment of its commands, and buildx."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass

import docker
from docker.tls import TLSConfig

from build.engine.buildx import Buildx, find_buildx
from build.engine.model import Engine


@dataclass(frozen=True, kw_only=True)
class Connection:
    """An engine and all that is needed to use it."""

    engine: Engine
    #: Docker's SDK for this engine.
    client: docker.DockerClient

    @functools.cached_property
    def buildx(self) -> Buildx:
        """The buildx to build with.

        Raises:
            EngineError: No buildx is found, or none that is new enough.
        """
        return find_buildx()

    @functools.cached_property
    def environment(self) -> dict[str, str]:
        """All environment variables for ``docker`` and ``buildx``, which then use this engine and its own BuildKit."""
        return command_environment(self.engine)

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()


def connect(engine: Engine, *, timeout: int = 120) -> Connection:
    """Connect to an engine.

    Args:
        engine: From ``build.engine.find.require``.
        timeout: Seconds that one answer may take.

    Raises:
        docker.errors.DockerException: It does not answer any more.
    """
    return Connection(engine=engine, client=open_client(engine.host, engine.tls, timeout=timeout))


def open_client(host: str, tls: TLSConfig | None, *, timeout: int) -> docker.DockerClient:
    """Open a client of Docker's SDK, which asks the engine for its API version.

    Args:
        host: The engine's address.
        tls: Certificates, where the address needs them.
        timeout: Seconds that one answer may take.

    Raises:
        docker.errors.DockerException: No engine answers.
    """
    return docker.DockerClient(
        base_url=host,
        version="auto",
        timeout=timeout,
        tls=tls or False,
        use_ssh_client=host.startswith("ssh://"),
    )


def command_environment(engine: Engine, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment in which ``docker`` and ``buildx`` use this engine and its own BuildKit.

    Args:
        engine: From ``build.engine.find.require``.
        environ: The variables to start from.
    """
    changed = {key: value for key, value in environ.items() if key not in ("DOCKER_CONTEXT", "DOCKER_HOST")}
    if engine.context is not None and engine.tls is not None:
        # A context's certificates are found through its name only.
        return changed | {"DOCKER_CONTEXT": engine.context, "BUILDX_BUILDER": engine.context}
    # A builder that the user chose once (docker buildx use) may build elsewhere and keep the images there.
    return changed | {"DOCKER_HOST": engine.host, "BUILDX_BUILDER": "default"}
