"""An image whose own base is out of reach, built and published on another with the same Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import docker
import docker.errors
import pytest
import yaml

from build.engine import embedded_registry
from build.registry import address
from build.registry.client import Client
from tests.conftest import Checkout
from tests.pipeline.rows import BASE, BASE_NAME, MINIMAL

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here")]

OTHER = "company12"
NAME = MINIMAL.replace(BASE.os, OTHER)
IMAGE = f"azureml/{NAME}"
ARGUMENTS = (NAME, "--base", f"{OTHER}={BASE_NAME}")


@pytest.fixture
def company(checkout: Checkout) -> Checkout:
    """A checkout with a row on a base that nobody can reach."""
    file = checkout.root / "matrix.yaml"
    matrix = yaml.safe_load(file.read_text(encoding="utf-8"))
    matrix["bases"][OTHER] = {
        "title": "Company 12",
        "os": OTHER,
        "python": BASE.python,
        "glibc": BASE.glibc,
        "image": "registry.invalid/python:12@sha256:" + "0" * 64,
    }
    matrix["include"].append({"framework": "minimal", "version": "n/a", "base": OTHER, "device": "cpu"})
    file.write_text(yaml.safe_dump(matrix, sort_keys=False), encoding="utf-8")
    # The rows have the same requirements, so their locks are the same but for their titles.
    locks = checkout.root / "locks"
    (locks / OTHER).mkdir()
    for title in ("server", MINIMAL):
        text = (locks / BASE_NAME / f"{title}.txt").read_text(encoding="utf-8")
        target = locks / OTHER / f"{title.replace(BASE.os, OTHER)}.txt"
        target.write_text(text.replace(BASE_NAME, BASE_NAME.replace(BASE.os, OTHER)), encoding="utf-8")
    assert checkout.run("generate").code == 0
    return checkout


@pytest.fixture
def registry_port(
    company: Checkout,
    free_port: Callable[[], int],
    engine_client: docker.DockerClient,
    registry_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[int]:
    port = free_port()
    monkeypatch.setenv("INFERENCE_IMAGES_REGISTRY_PORT", str(port))
    yield port
    name = embedded_registry.name(port)
    try:
        engine_client.containers.get(name).remove(force=True, v=True)
        engine_client.volumes.get(name).remove(force=True)
    except docker.errors.NotFound:
        pass


def test_it_is_published_and_says_what_it_stands_on(
    company: Checkout, registry_port: int, engine_client: docker.DockerClient
) -> None:
    ran = company.run("pipeline", *ARGUMENTS)
    assert ran.code == 0, ran.text
    with Client(address.from_environment()) as remote:
        tags = set(remote.tags(IMAGE))
    (dated,) = (tag for tag in tags if tag[0].isdigit())
    assert dated.endswith(f".v1-{BASE_NAME}"), "its immutable tag does not say that it stands on another base"
    assert "latest" not in tags, "a stand-in took the rolling tag"
    image = engine_client.images.pull(f"127.0.0.1:{registry_port}/{IMAGE}", tag=dated)
    assert image.labels["inference-images.stand-in"] == BASE_NAME
    assert image.labels["org.opencontainers.image.base.name"].startswith(f"azureml/base-{BASE_NAME}:")
    assert not [tag for tag in image.tags if tag == f"{IMAGE}:latest"], "the engine calls a stand-in 'latest'"

    again = company.run("publish", *ARGUMENTS)
    assert again.code == 0, again.text
    assert "1 already published" in again.out

    asked = company.run("publish", *ARGUMENTS, "--latest-for-stand-ins")
    assert asked.code == 0, asked.text
    with Client(address.from_environment()) as remote:
        assert remote.digest(IMAGE, "latest") == remote.digest(IMAGE, dated)


def test_without_the_stand_in_the_base_is_out_of_reach(company: Checkout) -> None:
    ran = company.run("build", ARGUMENTS[0])
    assert ran.code != 0
    said = ran.one_screen()
    assert "registry.invalid" in said
    assert f"--base {OTHER}=" in said, "what stands in for it is not said"
