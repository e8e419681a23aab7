"""The main job with a real engine and a real registry: from matrix.yaml to tested images under tags."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import docker
import pytest

from build.builder import image_recipes
from build.checkout import project
from build.registry import address
from build.registry.client import Client
from tests.conftest import Checkout, interrupt, wait_for
from tests.pipeline.rows import MINIMAL, PYTORCH

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here")]


@pytest.fixture
def own_registry(engine_client: docker.DockerClient, free_port: Callable[[], int]) -> Iterator[dict[str, str]]:
    """The environment for an embedded registry of this test alone, on a port of its own."""
    port = free_port()
    yield {"INFERENCE_IMAGES_REGISTRY_PORT": str(port)}
    name = f"inference-images-registry-{port}"
    for container in engine_client.containers.list(all=True, filters={"name": name}):
        container.remove(force=True, v=True)
    for volume in engine_client.volumes.list(filters={"name": name}):
        volume.remove(force=True)


def remote_tags(environment: dict[str, str], name: str) -> dict[str, str | None]:
    """Tag → digest of an image in the embedded registry of a test, but for the tags that list what is attached."""
    where = address.from_environment(environment)
    with Client(where) as client:
        tags = [tag for tag in client.tags(f"azureml/{name}") if not tag.startswith("sha256-")]
        return {tag: client.digest(f"azureml/{name}", tag) for tag in tags}


@pytest.mark.network
def test_the_default_group_arrives_tested_in_the_registry_and_twice_is_nothing(
    checkout: Checkout, own_registry: dict[str, str]
) -> None:
    listed = checkout.run("list", "--group", "default", "--json")
    rows = json.loads(listed.out)
    assert {row["framework"] for row in rows} == {
        *("minimal", "sklearn", "onnxruntime", "xgboost", "lightgbm", "tensorflow", "pytorch", "cuda-runtime")
    }
    done = checkout.run("pipeline", env=own_registry)
    assert done.code == 0, done.text
    published = [row["name"] for row in rows if re.search(rf"^{row['name']} .* published ", done.out, re.MULTILINE)]
    skipped = re.findall(r"^warning: (\S+) skipped: (.*)$", done.err, re.MULTILINE)
    assert {name for name, _ in skipped} <= {PYTORCH.name}, "only its source may be away"
    assert len(published) + len(skipped) == len(rows) == 8
    for name in published:
        tags = remote_tags(own_registry, name)
        assert len(set(tags.values())) == 1
        kinds = sorted(re.sub(r"^recipe-[0-9a-f]{16}$", "recipe", re.sub(r"^\d{8}\.", "DAY.", tag)) for tag in tags)
        assert kinds == ["DAY.v1", "latest", "recipe"]
    before = {name: remote_tags(own_registry, name) for name in published}
    again = checkout.run("pipeline", env=own_registry)
    assert again.code == 0, again.text
    assert f"{len(published)} already published; 0 B sent" in again.out
    assert again.out.count("up to date") == again.out.count("already verified") == len(published)
    assert {name: remote_tags(own_registry, name) for name in published} == before


def test_what_fails_its_tests_is_not_published(checkout: Checkout, own_registry: dict[str, str]) -> None:
    checkout.edit("image/start/start-server", "import sys\n", "import sys\n\nsys.exit(3)  # broken\n")
    done = checkout.run("pipeline", MINIMAL, env=own_registry)
    assert done.code == 1
    said = done.one_screen()
    assert "not every image keeps the contract: 1 of 1 failed" in said
    assert "exit code 3" in said
    assert "==> publish" not in said


def test_only_what_was_verified_is_published(checkout: Checkout, own_registry: dict[str, str]) -> None:
    checkout.edit("image/templates/image.Dockerfile.j2", "FROM base\n", "FROM base\nENV TEST=not-verified\n")
    assert checkout.run("generate").code == 0
    assert checkout.run("build", MINIMAL).code == 0
    done = checkout.run("publish", MINIMAL, env=own_registry)
    assert done.code == 1
    assert f"not verified: {MINIMAL}" in done.one_screen()


def test_what_is_not_built_is_neither_verified_nor_published(checkout: Checkout) -> None:
    checkout.edit("image/templates/image.Dockerfile.j2", "FROM base\n", "FROM base\nENV TEST=never-built\n")
    assert checkout.run("generate").code == 0
    for command in ("verify", "publish"):
        done = checkout.run(command, MINIMAL)
        assert done.code == 2
        assert f"nox -s build -- {MINIMAL}" in done.one_screen()


def test_ctrl_c_while_verifying_leaves_no_container(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    assert checkout.run("build", MINIMAL).code == 0
    process = checkout.start("verify", MINIMAL, "--force")
    wait_for(process, "==> verify")
    done = interrupt(process)
    assert done.code == 130
    done.one_screen()
    opened = project.open_project(checkout.paths)
    images = opened.images([variant for variant in opened.variants if variant.name == MINIMAL])
    reference = f"azureml/{MINIMAL}:{image_recipes.of(opened, images).known[MINIMAL].tag}"
    left = engine_client.containers.list(all=True, filters={"ancestor": reference})
    assert left == []
