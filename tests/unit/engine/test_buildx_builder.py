"""The search for a buildx builder, and the checks of what `buildx inspect` prints of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.engine.buildx_builder import (
    EngineBuilder,
    Standalone,
    checked_driver,
    engine_environment,
    engine_of,
    find_builder,
)
from build.errors import EngineError
from tests.unit.engine.fixture_builders import REMOTE, docker_contexts, prepared_buildx


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of Docker with the context 'work'."""
    docker_contexts(tmp_path, monkeypatch, "work")
    return tmp_path


def test_without_a_name_the_engine_builds() -> None:
    assert find_builder("") == engine_of("") == EngineBuilder()
    assert EngineBuilder().engine_environment({"DOCKER_HOST": "x"}) == {"DOCKER_HOST": "x"}


def test_a_docker_context_is_the_builder_of_its_engine(contexts: Path) -> None:
    builder = find_builder("work")
    assert builder == engine_of("work") == EngineBuilder(context="work")
    environ = {"DOCKER_HOST": "unix:///other", "DOCKER_CONTEXT": "third", "HOME": "/h"}
    assert builder.engine_environment(environ) == {"DOCKER_CONTEXT": "work", "HOME": "/h"}


def test_the_default_builder_is_that_of_docker_host(contexts: Path) -> None:
    builder = find_builder("default")
    assert isinstance(builder, EngineBuilder)
    environ = builder.engine_environment({"DOCKER_HOST": "unix:///other", "DOCKER_CONTEXT": "work"})
    assert environ == {"DOCKER_HOST": "unix:///other", "DOCKER_CONTEXT": "default"}


@pytest.mark.parametrize("name", ["DOCKER_HOST", "DOCKER_CONTEXT"])
def test_what_names_an_engine_counts_for_more_than_the_variable_of_a_builder(name: str, contexts: Path) -> None:
    assert engine_environment({"BUILDX_BUILDER": "work"})["DOCKER_CONTEXT"] == "work"
    environ = {"BUILDX_BUILDER": "work", name: "other"}
    assert engine_environment(environ) == environ
    assert engine_environment({"BUILDX_BUILDER": "far"}) == {"BUILDX_BUILDER": "far"}


def test_a_broken_context_is_an_error(contexts: Path) -> None:
    next(contexts.rglob("meta.json")).write_text("{")
    with pytest.raises(EngineError, match="the Docker context 'work' cannot be read"):
        find_builder("work")


def test_a_context_without_the_file_next_to_it_is_an_error(contexts: Path) -> None:
    """Docker's SDK does not find it then, and it would be taken for a builder without an engine."""
    (contexts / "config.json").unlink()
    with pytest.raises(EngineError, match=r"has no config\.json") as caught:
        find_builder("work")
    assert str(caught.value.fix) == f"echo '{{}}' > {contexts}/config.json"


def test_any_other_builder_is_inspected(contexts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared_buildx(tmp_path, monkeypatch, inspect=REMOTE, errors="Cannot load builder work: no daemon\n")
    builder = find_builder("far")
    assert isinstance(builder, Standalone)
    assert str(builder) == "far (driver remote)"
    assert builder.environment({"BUILDX_BUILDER": "x", "HOME": "/h"}) == {"BUILDX_BUILDER": "far", "HOME": "/h"}
    assert engine_of("far") == EngineBuilder(), "its images are tested in another engine"


def test_a_builder_that_does_not_exist(contexts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = 'Cannot load builder work: no daemon\nERROR: no builder "near" found\n'
    prepared_buildx(tmp_path, monkeypatch, errors=errors, code=1)
    with pytest.raises(EngineError, match="the buildx builder 'near' does not exist") as caught:
        find_builder("near")
    assert "existing ones: far, default; docker buildx create" in str(caught.value.fix)


def test_a_builder_whose_machine_is_gone(contexts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = 'ERROR: failed to initialize builder far (far0): no daemon\nERROR: no builder "far" found\n'
    prepared_buildx(tmp_path, monkeypatch, errors=errors, code=1)
    with pytest.raises(EngineError, match="the builder far does not answer") as caught:
        find_builder("far")
    assert "no daemon" in str(caught.value.details)


@pytest.mark.parametrize("name", ["--help", "-D"])
def test_a_name_like_an_option_is_a_name(
    name: str, contexts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared_buildx(tmp_path, monkeypatch, errors=f'ERROR: no builder "{name}" found\n', code=1)
    with pytest.raises(EngineError, match=f"the buildx builder '{name}' does not exist"):
        find_builder(name)


def test_a_builder_that_is_not_described_does_not_exist(
    contexts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared_buildx(tmp_path, monkeypatch, inspect="Usage: docker buildx inspect\n")
    with pytest.raises(EngineError, match="the buildx builder 'far' does not exist"):
        find_builder("far")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("Status:           running", "Status:           inactive", "does not answer"),
        ("Status:           running", "Error:            context deadline exceeded", "does not answer"),
        ("linux/amd64*, linux/amd64/v2, linux/386", "linux/arm64*", "builds for linux/arm64, but these images are for"),
        ("v0.13.2", "v0.10.6", "the BuildKit of the builder far is too old: 0.10.6; it must be 0.11 or newer"),
        ("BuildKit version: v0.13.2", "Buildkit:         v0.10.6", "is too old"),
    ],
)
def test_a_builder_that_cannot_build_these_images(old: str, new: str, what: str) -> None:
    assert old in REMOTE
    with pytest.raises(EngineError, match=what):
        checked_driver("far", REMOTE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v0.13.2", "v0.0.0+unknown"),  # built from source
        ("BuildKit version: v0.13.2\n", ""),
        ("Name:             far0", "Name: far1\nEndpoint: tcp://other:1\nStatus: inactive\n\nName: far0"),
    ],
)
def test_a_builder_of_which_less_is_known_is_tried(old: str, new: str) -> None:
    assert checked_driver("far", REMOTE.replace(old, new)) == "remote"


ARM = """
Name:             arm
Endpoint:         tcp://arm.example:1234
Status:           running
BuildKit version: v0.10.0
Platforms:        linux/arm64
"""


def test_a_node_that_cannot_build_these_images_is_not_checked() -> None:
    """buildx does not build on it: its BuildKit may be older, and it may not answer."""
    assert checked_driver("farm", REMOTE + ARM) == "remote"
    assert checked_driver("farm", REMOTE + ARM.replace("running", "inactive"), must_run=True) == "remote"
    with pytest.raises(EngineError, match=r"too old: 0\.10\.0") as caught:
        checked_driver("farm", REMOTE + ARM.replace("arm64", "amd64"))
    assert caught.value.where == "tcp://arm.example:1234"


def test_one_node_that_answers_is_enough() -> None:
    broken = "\nName: b\nEndpoint: tcp://b:1\nError: context deadline exceeded\n"
    assert checked_driver("farm", REMOTE + broken) == "remote"
    with pytest.raises(EngineError, match="the builder farm does not answer") as caught:
        checked_driver("farm", REMOTE.replace("running", "stopped") + broken)
    assert caught.value.details == "tcp://build.example:1234: stopped\ncontext deadline exceeded"


def test_a_builder_without_nodes_does_not_answer() -> None:
    with pytest.raises(EngineError, match="the builder far does not answer") as caught:
        checked_driver("far", "Name: far\nDriver: kubernetes\nError: no such cluster\n\nNodes:\n")
    assert caught.value.details == "no such cluster"


@pytest.mark.parametrize("status", ["inactive", "stopped"])
def test_buildx_starts_a_container_that_does_not_run(status: str) -> None:
    text = f"Name: c\nDriver: docker-container\n\nNodes:\nName: c0\nEndpoint: default\nStatus: {status}\n"
    assert checked_driver("c", text) == "docker-container"


@pytest.mark.parametrize("status", ["inactive", "stopped", "stopping", "starting"])
@pytest.mark.parametrize("driver", ["docker-container", "kubernetes", "remote"])
def test_after_a_failure_a_builder_must_run(driver: str, status: str) -> None:
    text = f"Name: c\nDriver: {driver}\n\nNodes:\nName: c0\nEndpoint: default\nStatus: running\n"
    assert checked_driver("c", text, must_run=True) == driver
    with pytest.raises(EngineError, match="the builder c does not answer") as caught:
        checked_driver("c", text.replace("running", status), must_run=True)
    assert caught.value.details == f"default: {status}"
