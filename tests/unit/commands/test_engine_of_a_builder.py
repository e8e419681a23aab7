"""All commands use one engine: also if `BUILDX_BUILDER` names a Docker context."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest

from build.commands import bases, engine
from build.commands.run import connected
from build.errors import EngineError
from tests.unit.engine.fixture_builders import docker_contexts

NOTHING = cast(Any, None)


def open_run(builder: str | None) -> None:
    with connected(NOTHING, builder):
        pass


def find_for_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the failure through that the command only warns of."""

    def fail(text: str) -> NoReturn:
        raise EngineError(text)

    monkeypatch.setattr("build.system.console.warn", fail)
    bases._find_engine()


COMMANDS: dict[str, Callable[[pytest.MonkeyPatch], object]] = {
    "engine": lambda patch: engine.ensure(),
    "engine --status": lambda patch: engine.status(),
    "engine --collect-garbage": lambda patch: engine.collect_garbage(),
    "verify, publish": lambda patch: open_run(None),
    "build, pipeline": lambda patch: open_run(""),
    "bases": find_for_bases,
}


@pytest.fixture(autouse=True)
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_contexts(tmp_path, monkeypatch, "work", "unix:///nowhere/work.sock")
    monkeypatch.setenv("BUILDX_BUILDER", "work")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/mine.sock")
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.delenv("REGISTRY", raising=False)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_docker_host_counts_for_more_than_the_variable(
    command: Callable[[pytest.MonkeyPatch], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineError, match="the engine that DOCKER_HOST names does not answer"):
        command(monkeypatch)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_without_it_the_variable_names_the_engine(
    command: Callable[[pytest.MonkeyPatch], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    with pytest.raises(EngineError, match="the engine that Docker context 'work' names does not answer"):
        command(monkeypatch)


def test_the_option_counts_for_more_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EngineError, match="the engine that Docker context 'work' names does not answer"):
        open_run("work")
    assert "not the engine that DOCKER_HOST names" in " ".join(capsys.readouterr().err.split())


def test_a_builder_that_the_variable_names_is_not_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be set for other projects: the quick start works as without it."""
    monkeypatch.setenv("BUILDX_BUILDER", "far")
    with contextlib.suppress(EngineError):  # of the engine that does not answer
        open_run("")
    assert "BUILDX_BUILDER names the builder far" in capsys.readouterr().err
