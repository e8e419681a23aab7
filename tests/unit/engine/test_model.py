"""The requirements that an engine must meet."""

from __future__ import annotations

import dataclasses

import pytest

from build.engine.model import check
from build.errors import EngineError
from tests.unit.engine.fixture_engine import ENGINE


@pytest.mark.parametrize("version", ["23.0.0", "26.1.5+dfsg1", "29.0.0-rc.1"])
def test_suitable_engines(version: str) -> None:
    check(dataclasses.replace(ENGINE, version=version))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "20.10.24+dfsg1"}, r"too old: Docker 20\.10\.24\+dfsg1; it must be 23\.0 or newer"),
        ({"version": ""}, "too old"),
        ({"product": "Podman", "version": "5.4.0"}, "Podman answers, which has no BuildKit"),
        ({"platform": "windows/amd64"}, "runs on windows/amd64"),
        ({"platform": "linux/arm64"}, "runs on linux/arm64"),
    ],
)
def test_unsuitable_engines(change: dict[str, str], message: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        check(dataclasses.replace(ENGINE, **change))  # type: ignore[arg-type]
    assert caught.value.where == "unix:///run/somewhere/docker.sock (DOCKER_HOST)"
    assert caught.value.fix
