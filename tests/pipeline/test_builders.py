"""Builders that `--builder` names: one without an image store, and the engine of a Docker context."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from build.engine.connect import Connection
from build.errors import EngineError, RegistryError, UsageError
from build.registry.address import PORT_VARIABLE
from tests.conftest import Checkout, take_port, wait_until
from tests.pipeline.builders import (
    RelayedBuilder,
    RemoteBuilder,
    container_builder,
    create,
    docker_context,
    relayed,
    remote_builder,
)
from tests.pipeline.helpers import change_recipes, local_image, reference
from tests.pipeline.registries import REPOSITORIES, Running, log_in
from tests.pipeline.rows import MINIMAL, SKLEARN

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here")]

REPOSITORY = f"azureml/{MINIMAL}"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    place = Path(tempfile.mkdtemp(prefix="far-", dir="/tmp"))
    yield place
    shutil.rmtree(place)


@pytest.fixture
def far(connection: Connection, folder: Path) -> Iterator[RelayedBuilder]:
    with remote_builder(connection.engine.host, folder) as builder:
        yield builder


def forget(client: docker.DockerClient, checkout: Checkout, *names: str) -> None:
    """Remove images of a checkout from the engine; what they were built from stays in BuildKit's cache."""
    for name in names:
        client.images.remove(reference(checkout, name))
        client.images.remove(f"azureml/{name}:latest")


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([MINIMAL], id="one image"),
        pytest.param([MINIMAL, SKLEARN], id="two with shared layers", marks=pytest.mark.thorough),
    ],
)
def test_a_builder_without_a_store_gives_the_images_that_the_engine_builds(
    names: list[str], checkout: Checkout, engine_client: docker.DockerClient, far: RelayedBuilder, there: Running
) -> None:
    change_recipes(checkout)
    assert checkout.run("build", *names).code == 0
    expected = {name: local_image(engine_client, checkout, name) for name in names}
    forget(engine_client, checkout, *names)

    done = checkout.run("build", *names, "--builder", far.name, env={**far.environment, **there.environment})

    assert done.code == 0, done.text
    assert "with the builder far (driver remote), pushing to" in done.err
    assert far.relay.accepted > 0, "another builder was used"
    for name in names:
        built = local_image(engine_client, checkout, name)
        wanted = expected[name]
        assert (built.id, built.layers, built.labels) == (wanted.id, wanted.layers, wanted.labels)
        tags = engine_client.images.get(built.id).tags
        assert sorted(tags) == sorted([reference(checkout, name), f"azureml/{name}:latest"])
        assert there.tags(f"azureml/{name}") == [], "an image has a tag before it is tested"
    layers = {digest for image in expected.values() for digest, _ in image.layers}
    assert there.uploads() == len(layers) + len(names), "a shared layer was sent twice"


@pytest.mark.verifies
@pytest.mark.thorough
def test_the_pipeline_publishes_what_a_builder_without_a_store_pushed(
    checkout: Checkout, engine_client: docker.DockerClient, far: RelayedBuilder, there: Running
) -> None:
    change_recipes(checkout)
    environment = {**far.environment, **there.environment}

    done = checkout.run("pipeline", MINIMAL, "--json", "--builder", far.name, env=environment)

    assert done.code == 0, done.text
    (published,) = json.loads(done.out)
    built = local_image(engine_client, checkout, MINIMAL)
    assert published["digest"] == built.id
    assert there.tag(REPOSITORY, "latest") == built.id
    assert published["status"] == "published"
    again = checkout.run("pipeline", MINIMAL, "--builder", far.name, env=environment)
    assert again.code == 0, again.text
    assert "already published" in again.out


def test_a_builder_without_a_store_needs_a_registry(checkout: Checkout, far: RelayedBuilder) -> None:
    done = checkout.run("build", MINIMAL, "--builder", far.name, env={**far.environment, "REGISTRY": ""})

    assert done.code == UsageError.exit_code
    assert "the builder far (driver remote) keeps no images: it needs a registry" in done.one_screen()
    assert "REGISTRY=host" in done.err


def test_a_builder_that_does_not_exist(checkout: Checkout, far: RelayedBuilder) -> None:
    empty = {PORT_VARIABLE: str(take_port())}  # a registry that has nothing: then there is something to build
    for command in ("build", "pipeline"):
        done = checkout.run(command, MINIMAL, "--builder", "near", env={**far.environment, **empty})

        assert done.code == EngineError.exit_code
        assert "the buildx builder 'near' does not exist" in done.one_screen()
        assert re.search(r"docker buildx ls lists the existing ones: .*\bfar\b", done.err)


def test_a_builder_that_does_not_answer(checkout: Checkout, far: RelayedBuilder) -> None:
    far.relay.stop()

    done = checkout.run("build", MINIMAL, "--builder", far.name, env=far.environment)

    assert done.code == EngineError.exit_code
    assert "the builder far does not answer" in done.one_screen()
    assert str(far.relay.path) in done.err


def test_a_builder_that_goes_away_in_the_middle(
    checkout: Checkout, engine_client: docker.DockerClient, far: RelayedBuilder, there: Running
) -> None:
    change_recipes(checkout)
    environment = {**far.environment, **there.environment}
    process = checkout.start("build", MINIMAL, "--no-cache", "--builder", far.name, env=environment)
    logs = checkout.root / ".pipeline/logs"
    wait_until(lambda: any("install-layer\n" in log.read_text() for log in logs.glob("build-*.log")))

    far.relay.stop()
    out, err = process.communicate(timeout=120)

    assert process.returncode == EngineError.exit_code, out + err
    assert "Traceback" not in err
    assert err.count("error:") == 1
    assert "the builder far (driver remote) stopped answering" in err
    assert there.run(f"find {REPOSITORIES} -name _manifests -o -name _layers") == "", "something was published"
    far.relay.start()
    after = checkout.run("build", MINIMAL, "--builder", far.name, env=environment)
    assert after.code == 0, after.text
    assert local_image(engine_client, checkout, MINIMAL)


def test_a_registry_that_refuses_the_push_of_a_builder(
    checkout: Checkout, far: RelayedBuilder, guarded: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rights are checked with this machine's login; buildx gives the builder docker's own, and no other."""
    change_recipes(checkout)
    (folder / "netrc").write_text("machine 127.0.0.1 login tester password secret\n")
    environment = {**far.environment, **guarded.environment, "NETRC": str(folder / "netrc")}
    log_in(monkeypatch, folder, guarded.registry.host, None)

    done = checkout.run("build", MINIMAL, "--builder", far.name, env=environment)

    assert done.code == RegistryError.exit_code, done.text
    assert f"docker login {guarded.registry.host}" in done.one_screen()
    assert "the builder far (driver remote)" in done.err

    log_in(monkeypatch, folder, guarded.registry.host, "tester:secret")
    done = checkout.run("build", MINIMAL, "--builder", far.name, env=environment)
    assert done.code == 0, done.text


def test_a_docker_context_is_a_builder_and_its_engine_has_the_images(
    checkout: Checkout, connection: Connection, folder: Path
) -> None:
    change_recipes(checkout)
    with relayed(connection.engine.host, folder) as relay:
        environment = docker_context(folder, "second", f"unix://{relay.path}")
        environment |= {"DOCKER_HOST": "unix:///nonexistent/docker.sock", "REGISTRY": "127.0.0.1:1"}

        done = checkout.run("build", MINIMAL, "--builder", "second", env=environment)

        assert done.code == 0, done.text
        assert f"with the engine at unix://{relay.path}" in done.err
        assert "not the engine that DOCKER_HOST names" in done.err
        found = checkout.run("publish", MINIMAL, env={**environment, "DOCKER_HOST": "", "BUILDX_BUILDER": "second"})
        assert "not verified" in found.text, "the image was not found in the engine of the context"
    gone = checkout.run("build", MINIMAL, "--builder", "second", env=environment)
    assert gone.code == EngineError.exit_code
    assert "the engine that Docker context 'second' names does not answer" in gone.one_screen()


@pytest.fixture
def buildkitd(folder: Path) -> Iterator[RemoteBuilder]:
    """A BuildKit that is no part of an engine, if this machine has the program."""
    program = installed("buildkitd")
    address = f"unix://{folder}/buildkitd.sock"
    command = [program, "--root", str(folder / "root"), "--addr", address, "--oci-worker-net=host"]
    with (folder / "buildkitd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(Path(address.removeprefix("unix://")).exists)
        environment = {"BUILDX_CONFIG": str(folder / "buildx")}
        create(environment, "real", address)
        yield RemoteBuilder(name="real", environment=environment)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def box(engine_client: docker.DockerClient, folder: Path) -> Iterator[RemoteBuilder]:
    """The same BuildKit in a container of the engine, which buildx starts."""
    for program in ("buildkitd", "buildctl", "runc"):
        installed(program)
    with container_builder(engine_client, folder) as builder:
        yield builder


def installed(name: str) -> str:
    """The path of a program that BuildKit needs; without it, the test is skipped. Debian has no package of BuildKit."""
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip(f"{name} is not installed")
    return program


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["buildkitd", "box"])
def test_a_buildkit_of_its_own_gives_the_same_layers(
    name: str, request: pytest.FixtureRequest, checkout: Checkout, engine_client: docker.DockerClient, there: Running
) -> None:
    """From scratch, without anything of the engine's cache."""
    builder: RemoteBuilder = request.getfixturevalue(name)
    change_recipes(checkout)
    assert checkout.run("build", MINIMAL).code == 0
    expected = local_image(engine_client, checkout, MINIMAL)
    forget(engine_client, checkout, MINIMAL)

    done = checkout.run("build", MINIMAL, "--builder", builder.name, env={**builder.environment, **there.environment})

    assert done.code == 0, done.text
    built = local_image(engine_client, checkout, MINIMAL)
    assert built.layers == expected.layers  # the manifests are equal only where the versions of BuildKit are
    assert built.recipe == expected.recipe
