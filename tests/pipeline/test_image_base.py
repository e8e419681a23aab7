"""A base that is an image reference with a digest, instead of one bootstrapped here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
import yaml

from build import embedded_registry, registry
from tests.conftest import MINIMAL, ROOT, Checkout

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here")]


@pytest.fixture
def debian_image(
    engine_client: docker.DockerClient,
    registry_image: str,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A Debian with Python in a registry, as a company's mirror has one: its reference with the digest."""
    port = free_port()
    monkeypatch.setenv("INFERENCE_IMAGES_REGISTRY_PORT", str(port))
    embedded_registry.ensure_running(engine_client, registry_image)
    repository = f"127.0.0.1:{port}/mirror/debian-python"
    with (ROOT / ".pipeline/rootfs/debian12-py311/rootfs.tar").open("rb") as tar:
        engine_client.api.import_image_from_data(tar.read(), repository=repository, tag="12")  # type: ignore[no-untyped-call]
    engine_client.images.push(repository, tag="12")
    with registry.Client(registry.from_environment()) as remote:
        digest = remote.digest("mirror/debian-python", "12")
    yield f"{repository}@{digest}"
    engine_client.images.remove(f"{repository}:12", force=True)
    name = embedded_registry.name(port)
    engine_client.containers.get(name).remove(force=True, v=True)
    engine_client.volumes.get(name).remove(force=True)


def test_an_image_by_digest_serves_as_a_base(
    checkout: Checkout, debian_image: str, engine_client: docker.DockerClient
) -> None:
    file = Path(checkout.root / "matrix.yaml")
    matrix = yaml.safe_load(file.read_text(encoding="utf-8"))
    del matrix["bases"]["debian12-py311"]["bootstrap"]
    matrix["bases"]["debian12-py311"]["image"] = debian_image
    file.write_text(yaml.safe_dump(matrix, sort_keys=False), encoding="utf-8")
    assert checkout.run("generate").code == 0
    assert f"FROM {debian_image}" in (checkout.root / "dockerfiles/bases/debian12-py311/Dockerfile").read_text()
    built = checkout.run("build", MINIMAL)
    assert built.code == 0, built.text
    assert "bootstrapping" not in built.err
    verified = checkout.run("verify", MINIMAL)
    assert verified.code == 0, verified.text
    assert " verified" in verified.out
