"""Freeing space in the embedded registry."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from docker import DockerClient

from build.engine import embedded_registry
from build.errors import RegistryError
from build.registry.client import Client
from build.registry.manifests import digest_of
from tests.conftest import ROOT, Checkout, this_checkout
from tests.pipeline.test_registry_faults import upload

pytestmark = pytest.mark.engine


def by_command(client: DockerClient, port: int) -> None:
    with this_checkout():
        done = Checkout(root=ROOT).run("engine", "--collect-garbage")
    assert done.code == 0, done.text
    assert done.out.startswith("the embedded registry is ")


def while_it_runs(client: DockerClient, port: int) -> None:
    command = "docker-registry garbage-collect /etc/docker/registry/config.yml"
    done = client.containers.get(embedded_registry.name(port)).exec_run(command)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("collect", [by_command, while_it_runs])
def test_what_a_garbage_collection_deleted_can_be_pushed_again(
    engine_client: DockerClient, registry_image: str, registry_port: int, collect: Callable[[DockerClient, int], None]
) -> None:
    registry = embedded_registry.ensure_running(engine_client, registry_image)
    with Client(registry) as client:
        kept, deleted = upload(client), upload(client)
        client.remove_tag(deleted.repository, deleted.manifest.digest)  # a manifest's digest: all of its tags go

        collect(engine_client, registry_port)

        assert client.manifest(kept.repository, "latest") == kept.manifest
        assert client.read_blob(kept.repository, digest_of(kept.layer)) == kept.layer
        assert client.digest(deleted.repository, "latest") is None
        client.put_artifact(deleted.repository, deleted.manifest, [b"{}", deleted.layer])
        assert client.read_blob(deleted.repository, digest_of(deleted.layer)) == deleted.layer


def test_an_empty_registry_has_no_garbage(engine_client: DockerClient, registry_image: str, registry_port: int) -> None:
    embedded_registry.ensure_running(engine_client, registry_image)

    assert embedded_registry.collect_garbage(engine_client) == 0


def test_garbage_of_a_registry_that_was_never_started(engine_client: DockerClient, registry_port: int) -> None:
    with pytest.raises(RegistryError, match="this engine has no embedded registry"):
        embedded_registry.collect_garbage(engine_client)
