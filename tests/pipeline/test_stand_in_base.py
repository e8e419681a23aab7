"""An image whose own base cannot be reached: it is built and published on another base with the same Python."""

from __future__ import annotations

import docker
import pytest

from build.registry import address
from build.registry.client import Client
from tests.conftest import Checkout
from tests.pipeline.helpers import edited_matrix
from tests.pipeline.rows import BASE, BASE_NAME, MINIMAL

pytestmark = [pytest.mark.engine, pytest.mark.verifies, pytest.mark.usefixtures("bases_here")]

OTHER = "company12"
NAME = MINIMAL.replace(BASE.os, OTHER)
IMAGE = f"azureml/{NAME}"
ARGUMENTS = (NAME, "--base", f"{OTHER}={BASE_NAME}")


@pytest.fixture
def company(checkout: Checkout) -> Checkout:
    """A checkout with an image on a base that nobody can reach."""
    with edited_matrix(checkout) as matrix:
        matrix["bases"][OTHER] = {
            "title": "Company 12",
            "os": OTHER,
            "python": BASE.python,
            "glibc": BASE.glibc,
            "image": "registry.invalid/python:12@sha256:" + "0" * 64,
        }
        matrix["include"].append({"framework": "minimal", "version": "n/a", "base": OTHER, "device": "cpu"})
    # The images have the same requirements, so their locks differ in nothing but their titles.
    locks = checkout.root / "locks"
    (locks / OTHER).mkdir()
    for title in ("server", MINIMAL):
        text = (locks / BASE_NAME / f"{title}.txt").read_text(encoding="utf-8")
        target = locks / OTHER / f"{title.replace(BASE.os, OTHER)}.txt"
        target.write_text(text.replace(BASE_NAME, BASE_NAME.replace(BASE.os, OTHER)), encoding="utf-8")
    assert checkout.run("generate").code == 0
    return checkout


def test_a_stand_in_is_published_with_its_base_in_tag_and_labels(
    company: Checkout, registry_port: int, registry_image: str, engine_client: docker.DockerClient
) -> None:
    done = company.run("pipeline", *ARGUMENTS)
    assert done.code == 0, done.text
    with Client(address.from_environment()) as remote:
        tags = set(remote.tags(IMAGE))
    (dated,) = (tag for tag in tags if tag[0].isdigit())
    assert dated.endswith(f".v1-{BASE_NAME}"), "the immutable tag does not name the stand-in base"
    assert "latest" not in tags, "a stand-in took the rolling tag"
    image = engine_client.images.pull(f"127.0.0.1:{registry_port}/{IMAGE}", tag=dated)
    assert image.labels["inference-images.stand-in"] == BASE_NAME
    assert image.labels["org.opencontainers.image.base.name"].startswith(f"azureml/base-{BASE_NAME}:")
    assert not [tag for tag in image.tags if tag == f"{IMAGE}:latest"], "the engine has the stand-in as 'latest'"

    again = company.run("publish", *ARGUMENTS)
    assert again.code == 0, again.text
    assert "1 already published" in again.out

    asked = company.run("publish", *ARGUMENTS, "--latest-for-stand-ins")
    assert asked.code == 0, asked.text
    with Client(address.from_environment()) as remote:
        assert remote.digest(IMAGE, "latest") == remote.digest(IMAGE, dated)


def test_without_a_stand_in_the_error_offers_one(company: Checkout) -> None:
    done = company.run("build", NAME)
    assert done.code != 0
    output = done.one_screen()
    assert "registry.invalid" in output
    assert f"--base {OTHER}=" in output
