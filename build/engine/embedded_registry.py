"""The embedded registry: CNCF Distribution in a container of the engine, on 127.0.0.1; its data is in a volume."""

from __future__ import annotations

import socket
import time
from typing import Any

import requests
from docker import DockerClient
from docker.errors import APIError, ContainerError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container

from build.errors import EngineError, RegistryError
from build.registry.address import DEFAULT_PORT, PORT_VARIABLE, REGISTRY_VARIABLE, Registry, embedded_port
from build.system.http import HttpClient
from build.system.http_failures import HttpError
from build.system.retries import RetryPolicy

#: The container's and the volume's name; a port other than the default is appended.
NAME = "inference-images-registry"

_PORT_IN_CONTAINER = "5000/tcp"
_FOLDER = "/var/lib/registry"
# Prints the bytes before and after. A registry that nothing was pushed to has no repositories, which is an error to the
# program. Without --delete-untagged: reports are attached to images without a tag.
_COLLECT = f"""
du -sb {_FOLDER}
if [ -d {_FOLDER}/docker/registry/v2/repositories ]; then
    docker-registry garbage-collect /etc/docker/registry/config.yml >&2
fi
du -sb {_FOLDER}
"""
_START_SECONDS = 20.0
_ANSWER_SECONDS = 2.0


def name(port: int) -> str:
    """Return the container's and the volume's name: each port has its own registry.

    Args:
        port: On 127.0.0.1.
    """
    return NAME if port == DEFAULT_PORT else f"{NAME}-{port}"


def ensure_running(client: DockerClient, image: str) -> Registry:
    """Run the embedded registry from ``image`` and wait until it answers.  Its volume is always kept.

    Args:
        client: The engine's client.
        image: The registry's image in the engine (``image/registry``).

    Returns:
        The registry's address.

    Raises:
        RegistryError: The port is taken, or the registry does not start.
        EngineError: The engine stopped answering or lacks the image.
    """
    port = embedded_port()
    registry = Registry(host=f"127.0.0.1:{port}", insecure=True, embedded=True)
    try:
        wanted = client.images.get(image).id
        container = _find(client, port)
        if container is not None and container.attrs["Image"] != wanted:
            container.remove(force=True)
            container = None
        if container is None:
            container = _create(client, image, port)
        if container.status != "running":
            _start(container, port)
        _wait(container, registry)
    except ImageNotFound as error:
        raise EngineError(f"the engine has no image '{image}' for the embedded registry", fix="nox -s build") from error
    except (DockerException, requests.RequestException) as error:
        raise EngineError("the engine could not run the embedded registry", details=str(error)) from error
    return registry


def stop(client: DockerClient) -> bool:
    """Stop the embedded registry; its volume keeps the published images.

    Args:
        client: The engine's client.

    Returns:
        True where it existed.

    Raises:
        EngineError: The engine stopped answering.
    """
    try:
        container = _find(client, embedded_port())
        if container is None:
            return False
        container.stop(timeout=10)
        container.remove(force=True)
    except NotFound:
        return True
    except (DockerException, requests.RequestException) as error:
        raise EngineError("the engine could not stop the embedded registry", details=str(error)) from error
    return True


def collect_garbage(client: DockerClient) -> int:
    """Delete the blobs in the embedded registry that no manifest names.

    The registry is stopped meanwhile: a layer that is being pushed belongs to no manifest yet.

    Args:
        client: The engine's client.

    Returns:
        The bytes that were freed.

    Raises:
        RegistryError: The registry does not run, fails, or does not start again.
        EngineError: The engine stopped answering.
    """
    port = embedded_port()
    registry = Registry(host=f"127.0.0.1:{port}", insecure=True, embedded=True)
    try:
        container = _find(client, port)
        if container is None:
            raise RegistryError(
                "this engine has no embedded registry", where=registry.host, fix="nox -s publish starts it"
            )
        container.stop(timeout=10)
        try:
            output = client.containers.run(
                container.attrs["Image"],
                ["sh", "-euc", _COLLECT],
                volumes={name(port): {"bind": _FOLDER, "mode": "rw"}},
                network_mode="none",
                remove=True,
            )
        finally:
            container.start()
        _wait(container, registry)
    except ContainerError as error:
        log = error.stderr if isinstance(error.stderr, str) else (error.stderr or b"").decode(errors="replace")
        raise RegistryError(
            "the garbage collection of the embedded registry failed", where=registry.host, details=log[-2000:]
        ) from error
    except (DockerException, requests.RequestException) as error:
        raise EngineError("the engine could not stop or start the embedded registry", details=str(error)) from error
    before, after = (int(line.split()[0]) for line in output.decode().splitlines())
    return before - after


def _find(client: DockerClient, port: int) -> Container | None:
    try:
        return client.containers.get(name(port))
    except NotFound:
        return None


def _create(client: DockerClient, image: str, port: int) -> Container:
    options: dict[str, Any] = {"restart_policy": {"Name": "unless-stopped"}}
    if client.networks.list(names=["bridge"]):
        options["ports"] = {_PORT_IN_CONTAINER: ("127.0.0.1", port)}
    else:
        # An engine without Docker's bridge (one that runs next to another) publishes no ports.
        options |= {"network_mode": "host", "environment": {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}"}}
    try:
        return client.containers.create(
            image,
            name=name(port),
            volumes={name(port): {"bind": _FOLDER, "mode": "rw"}},
            labels={"org.opencontainers.image.title": NAME},
            **options,
        )
    except APIError as error:
        # Another clone's run may have created it in the meantime.
        existing = _find(client, port) if error.status_code == 409 else None
        if existing is None:
            raise
        return existing


def _start(container: Container, port: int) -> None:
    if container.attrs["HostConfig"]["NetworkMode"] == "host" and _is_taken(port):
        raise _taken(container, port)
    try:
        container.start()
    except APIError as error:
        if "already allocated" in str(error) or "address already in use" in str(error):
            raise _taken(container, port) from error
        raise


def _taken(container: Container, port: int) -> RegistryError:
    container.remove(force=True)
    fix = f"free the port, or export {PORT_VARIABLE}=ANOTHER, or {REGISTRY_VARIABLE}=host[:port][/namespace]"
    if _answers(port):
        fix = f"a registry answers there; to use it: export {REGISTRY_VARIABLE}=127.0.0.1:{port}; else {fix}"
    return RegistryError(
        f"port {port} on 127.0.0.1, which the embedded registry needs, is used by another program",
        where=f"127.0.0.1:{port}",
        fix=fix,
    )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(container: Container, registry: Registry) -> None:
    port = int(registry.host.rpartition(":")[2])
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if _answers(port):
            return
        time.sleep(0.1)
        container.reload()
        if container.status in ("exited", "dead", "restarting"):
            break
    log = container.logs(tail=15).decode(errors="replace")
    raise RegistryError(
        f"the embedded registry does not answer at {registry.host} (its container is {container.status})",
        where=f"container {container.name}",
        fix=f"see its log: docker logs {container.name}; "
        f"if the engine is on another machine, set {REGISTRY_VARIABLE}=host[:port]",
        details=log,
    )


def _answers(port: int) -> bool:
    """Tell whether a registry answers on this port of 127.0.0.1."""
    with HttpClient(timeout=_ANSWER_SECONDS, policy=RetryPolicy(attempts=1), proxies=False) as client:
        try:
            response = client.get(f"http://127.0.0.1:{port}/v2/")
        except HttpError:
            return False
    # The header of every registry, also in the 401 of one that wants a login.
    return "docker-distribution-api-version" in response.headers
