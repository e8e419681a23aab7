"""The search for an engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build.engine import find
from build.errors import EngineError


def test_docker_host_comes_before_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(_contexts(tmp_path, "work", "tcp://work:2375")))
    candidates = find.candidates({"DOCKER_HOST": "tcp://other:2375", "DOCKER_CONTEXT": "work"})
    assert [(place.host, place.source) for place in candidates] == [("tcp://other:2375", "DOCKER_HOST")]


def test_the_current_context_comes_before_the_default_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(_contexts(tmp_path, "work", "tcp://work:2375")))
    candidates = find.candidates({})
    assert [(place.host, place.source) for place in candidates] == [("tcp://work:2375", "Docker context 'work'")]


def test_the_default_socket_comes_before_the_own_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    candidates = find.candidates({})
    assert [place.host for place in candidates] == [
        "unix:///var/run/docker.sock",
        "unix:///run/inference-images/docker.sock",
    ]


def test_a_context_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(EngineError, match="Docker context 'gone' does not exist"):
        find.find({"DOCKER_CONTEXT": "gone"})


def test_a_broken_context_file_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = _contexts(tmp_path, "work", "tcp://work:2375")
    next(config.rglob("meta.json")).write_text("{")
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    with pytest.raises(EngineError, match="Docker context 'work' cannot be read"):
        find.find({})


def test_a_named_engine_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="DOCKER_HOST names does not answer: no such socket") as caught:
        find.find({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert "unset DOCKER_HOST" in str(caught.value.fix)


def test_a_host_that_refuses_is_reported_as_refusing() -> None:
    with pytest.raises(EngineError, match="does not answer: connection refused"):
        find.find({"DOCKER_HOST": "tcp://127.0.0.1:1"})


def test_an_invalid_address_is_an_error() -> None:
    with pytest.raises(EngineError, match="DOCKER_HOST names does not answer"):
        find.find({"DOCKER_HOST": "rubbish"})


def _contexts(config: Path, name: str, host: str) -> Path:
    """A Docker configuration folder with one context, in use, as ``docker context create`` writes it."""
    import hashlib

    place = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (place / "meta.json").write_text(json.dumps(meta))
    (config / "config.json").write_text(json.dumps({"currentContext": name}))
    return config
