"""The environment of commands that use an engine."""

from __future__ import annotations

from build.engine.connect import command_environment
from tests.unit.engine.fixture_engine import ENGINE


def test_a_context_reaches_subprocesses_as_an_address() -> None:
    environ = command_environment(ENGINE, {"DOCKER_CONTEXT": "x", "BUILDX_BUILDER": "mine", "HOME": "/h"})
    assert environ == {"DOCKER_HOST": ENGINE.host, "BUILDX_BUILDER": "default", "HOME": "/h"}
