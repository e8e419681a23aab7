"""A fresh registry in the benchmark's engine, and what is in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from docker.errors import NotFound

from bench.engine import BenchEngine
from bench.report import Image, Inventory
from build.errors import RegistryError
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import Manifest
from build.system.http import HttpClient
from build.system.retries import RetryPolicy

_START_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class BenchRegistry:
    """A running, empty registry."""

    #: ``127.0.0.1:5601``, as the engine sees it.
    host: str
    #: The same, as this machine sees it.
    address: str

    def inventory(self) -> Inventory:
        """Return everything that its tags reach.

        Raises:
            RegistryError: The registry does not answer.
        """
        # It is asked until it is up: each time once.
        http = HttpClient(proxies=False, policy=RetryPolicy(attempts=1))
        with Client(Registry(host=self.address, insecure=True), http) as client:
            return take_inventory(client)


class Contents(Protocol):
    """The questions of `take_inventory`; `build.registry.client.Client` answers them."""

    def repositories(self) -> list[str]: ...

    def tags(self, repository: str) -> list[str]: ...

    def manifest(self, repository: str, reference: str) -> Manifest: ...


def take_inventory(contents: Contents) -> Inventory:
    """List all that a registry has, from its repositories over tags to manifests.

    Args:
        contents: A client of the registry.
    """
    everything: dict[str, int] = {}
    images: dict[str, Image] = {}
    for repository in contents.repositories():
        for tag in contents.tags(repository):
            image = _walk(contents, repository, tag, everything)
            if tag == "latest" and image is not None:
                images[repository] = image
    return Inventory(everything=everything, images=images)


def _walk(contents: Contents, repository: str, reference: str, everything: dict[str, int]) -> Image | None:
    """Count one manifest and the blobs that it names; return the image that it describes, or that its index has."""
    manifest = contents.manifest(repository, reference)
    document = manifest.document
    everything[manifest.digest] = len(manifest.content)
    if "manifests" in document:
        found = None
        for entry in document["manifests"]:
            image = _walk(contents, repository, entry["digest"], everything)
            if entry.get("platform", {}).get("architecture") != "unknown":  # that is an attestation
                found = image
        return found
    blobs = {blob["digest"]: int(blob["size"]) for blob in (document["config"], *document["layers"])}
    everything.update(blobs)
    return Image(blobs=blobs, layers=tuple(layer["digest"] for layer in document["layers"]))


@contextlib.contextmanager
def bench_registry(bench: BenchEngine, image: str, port: int) -> Iterator[BenchRegistry]:
    """Start a registry with an empty volume; both are deleted at the end.

    Args:
        bench: The engine it runs in.
        image: The registry's image.
        port: In the engine's network.

    Raises:
        RegistryError: It does not start.
    """
    name = f"bench-registry-{port}"
    container = bench.connection.client.containers.create(
        image,
        name=name,
        network_mode="host",
        environment={"REGISTRY_HTTP_ADDR": f"0.0.0.0:{port}", "REGISTRY_LOG_LEVEL": "warn"},
        volumes={name: {"bind": "/var/lib/registry", "mode": "rw"}},
    )
    try:
        container.start()
        registry = BenchRegistry(host=f"127.0.0.1:{port}", address=f"{bench.address}:{port}")
        _wait(registry, container)
        yield registry
    finally:
        container.remove(force=True)
        with contextlib.suppress(NotFound):
            bench.connection.client.volumes.get(name).remove(force=True)


def _wait(registry: BenchRegistry, container: Any) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(RegistryError):
            registry.inventory()
            return
        time.sleep(0.1)
    raise RegistryError(
        "the benchmark's registry does not start", details=container.logs(tail=15).decode(errors="replace")
    )
