"""The main job with a real engine and a real registry: from matrix.yaml to tested and published images."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import docker
import pytest

from build.registry import address
from build.registry.client import Client
from tests.conftest import Checkout, Ran, interrupt, wait_until
from tests.pipeline.helpers import change_recipes, local_image
from tests.pipeline.rows import MINIMAL, PYTORCH

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here", "registry_port")]


def remote_tags(name: str) -> dict[str, str | None]:
    """Return tag → digest of an image in the test's registry, without the tags of attachments."""
    with Client(address.from_environment()) as client:
        tags = [
            tag for tag in client.tags(f"azureml/{name}") if not tag.startswith(("sha256-", "inputs-", "verified-"))
        ]
        return {tag: client.digest(f"azureml/{name}", tag) for tag in tags}


def left_out(done: Ran) -> list[str]:
    """Return the images that a command left out, and assert that it failed for no other reason."""
    names = re.findall(r"^warning: (\S+) is left out: ", done.err, re.MULTILINE)
    assert set(names) <= {PYTORCH.name}, f"only its wheel source may be out of reach\n{done.text}"
    assert done.code == (1 if names else 0), done.text
    return names


@pytest.mark.network
def test_the_default_group_is_built(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    """First of all tests on a new engine: what tests the images later finds them built."""
    rows = json.loads(checkout.run("list", "--group", "default", "--json").out)
    without = left_out(checkout.run("build", "--group", "default"))
    for name in {row["name"] for row in rows} - set(without):
        assert dict(local_image(engine_client, checkout, name).labels)["inference-images.image"] == name


@pytest.mark.network
@pytest.mark.alone
def test_pipeline_publishes_the_default_group_and_a_second_run_sends_nothing(checkout: Checkout) -> None:
    listed = checkout.run("list", "--group", "default", "--json")
    rows = json.loads(listed.out)
    done = checkout.run("pipeline")
    published = [row["name"] for row in rows if re.search(rf"/{row['name']}:\S+@sha256:", done.out)]
    without = left_out(done)
    assert len(published) + len(without) == len(rows)
    for name in published:
        tags = remote_tags(name)
        assert len(set(tags.values())) == 1
        kinds = sorted(re.sub(r"^recipe-[0-9a-f]{16}$", "recipe", re.sub(r"^\d{8}\.", "DAY.", tag)) for tag in tags)
        assert kinds == ["DAY.v1", "latest", "recipe"]
    before = {name: remote_tags(name) for name in published}
    again = checkout.run("pipeline")
    assert again.code == done.code, again.text
    assert f"{len(published)} already published; 0 B sent" in again.out
    assert f"{len(published)} up to date" in again.err
    if not without:
        assert "==> build" not in again.err, "something was built, or an engine was asked"
    assert {name: remote_tags(name) for name in published} == before


def test_an_image_that_fails_its_tests_is_not_published(checkout: Checkout) -> None:
    checkout.edit("image/start/start-server", "import sys\n", "import sys\n\nsys.exit(3)  # broken\n")
    done = checkout.run("pipeline", MINIMAL)
    assert done.code == 1
    output = done.one_screen()
    assert "1 of 1 images failed their tests" in output
    assert "exit code 3" in output
    assert "==> publish" not in output


def test_publish_refuses_an_image_that_was_not_verified(checkout: Checkout) -> None:
    change_recipes(checkout)
    assert checkout.run("build", MINIMAL).code == 0
    done = checkout.run("publish", MINIMAL)
    assert done.code == 1
    assert f"not verified: {MINIMAL}" in done.one_screen()


def test_verify_and_publish_refuse_an_image_that_is_not_built(checkout: Checkout) -> None:
    change_recipes(checkout)
    for command in ("verify", "publish"):
        done = checkout.run(command, MINIMAL)
        assert done.code == 2
        assert f"nox -s build -- {MINIMAL}" in done.one_screen()


def test_ctrl_c_during_verify_leaves_no_container(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    assert checkout.run("build", MINIMAL).code == 0
    label: dict[str, Any] = {"label": f"inference-images.clone={checkout.root}"}
    process = checkout.start("verify", MINIMAL, "--force")
    wait_until(lambda: len(engine_client.containers.list(filters=label)) > 0)
    done = interrupt(process)
    assert done.code == 130
    done.one_screen()
    assert engine_client.containers.list(all=True, filters=label) == []


def test_the_next_command_removes_the_containers_of_a_killed_verify(
    checkout: Checkout, engine_client: docker.DockerClient
) -> None:
    """Of whichever kind: also one that needs no engine."""
    assert checkout.run("build", MINIMAL).code == 0
    label: dict[str, Any] = {"label": f"inference-images.clone={checkout.root}"}
    process = checkout.start("verify", MINIMAL, "--force")
    wait_until(lambda: len(engine_client.containers.list(filters=label)) > 0)
    process.kill()
    process.communicate()
    assert engine_client.containers.list(all=True, filters=label)
    assert checkout.run("list").code == 0
    assert engine_client.containers.list(all=True, filters=label) == []
    time.sleep(1)
    assert engine_client.containers.list(all=True, filters=label) == [], "the tests go on"
