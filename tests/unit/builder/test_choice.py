"""The choice of a builder: the option `--builder` counts for more than the variable `BUILDX_BUILDER`."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.builder.choice import Choice, choose
from build.engine.buildx_builder import EngineBuilder, Standalone
from build.errors import EngineError
from build.registry.address import Registry
from tests.unit.engine.fixture_builders import REMOTE, docker_contexts, prepared_buildx

EMBEDDED = Registry(host="127.0.0.1:5000", insecure=True, embedded=True)
NAMED = Registry(host="registry.example", namespace="acme")
ENGINE = Choice(builder=EngineBuilder())
WORK = EngineBuilder(context="work")
HOST = {"DOCKER_HOST": "unix:///mine.sock"}


@pytest.fixture(autouse=True)
def buildx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Docker context `work`, and a buildx that knows any other builder."""
    docker_contexts(tmp_path, monkeypatch, "work")
    prepared_buildx(tmp_path, monkeypatch, inspect=REMOTE)


def variable(name: str, **more: str) -> dict[str, str]:
    return {"BUILDX_BUILDER": name, **more}


@pytest.mark.parametrize("registry", [EMBEDDED, NAMED])
def test_without_a_name_the_engine_builds(registry: Registry) -> None:
    assert choose("", registry, {}) == choose("", registry, HOST) == choose("", registry, variable("")) == ENGINE


def test_a_context_that_the_variable_names_is_the_engine_unless_another_is_named() -> None:
    assert choose("", EMBEDDED, variable("work")) == Choice(builder=WORK)
    assert choose("", EMBEDDED, variable("work", **HOST)) == ENGINE
    assert choose("", EMBEDDED, variable("work", DOCKER_CONTEXT="default")) == ENGINE


def test_a_context_that_the_option_names_is_the_engine_in_any_case() -> None:
    assert choose("work", EMBEDDED, {}) == Choice(builder=WORK)
    assert choose("work", EMBEDDED, {"DOCKER_CONTEXT": "work"}) == Choice(builder=WORK)
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        choice = choose("work", EMBEDDED, variable("far", **{name: "other"}))
        assert choice.builder == WORK
        assert f"not the engine that {name} names" in choice.remark


def test_the_default_builder_is_the_engine(tmp_path: Path) -> None:
    assert choose("default", EMBEDDED, variable("work", **HOST)) == Choice(builder=EngineBuilder(context="default"))


def test_a_builder_without_a_store_that_the_variable_names_needs_a_registry(tmp_path: Path) -> None:
    choice = choose("", EMBEDDED, variable("far"))
    assert choice.builder == EngineBuilder()
    assert "BUILDX_BUILDER names the builder far" in choice.remark
    assert "REGISTRY names none: the engine builds" in choice.remark
    pushed = choose("", NAMED, variable("far"))
    assert isinstance(pushed.builder, Standalone)
    assert pushed.remark == (
        "BUILDX_BUILDER names the builder far: images are pushed to registry.example/acme; "
        "unset it to build with the engine"
    )


@pytest.mark.parametrize("registry", [EMBEDDED, NAMED])
def test_a_builder_without_a_store_that_the_option_names_is_used(registry: Registry) -> None:
    choice = choose("far", registry, variable("work", **HOST))
    assert isinstance(choice.builder, Standalone)
    assert choice.remark == ""


def test_a_failure_of_the_builder_that_the_variable_names_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared_buildx(tmp_path, monkeypatch, errors='ERROR: no builder "far" found\n', code=1)
    with pytest.raises(EngineError, match="'far' does not exist") as caught:
        choose("", NAMED, variable("far"))
    assert caught.value.where == "BUILDX_BUILDER"
    assert choose("", EMBEDDED, variable("far")).builder == EngineBuilder(), "nothing would be pushed to it"
