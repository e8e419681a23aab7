"""The search for buildx."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.engine.buildx import Buildx, find_buildx
from build.errors import EngineError


def _plugin(folder: Path, output: str, code: int = 0) -> Path:
    folder.mkdir(parents=True)
    place = folder / "docker-buildx"
    place.write_text(f"#!/bin/sh\necho '{output}'\nexit {code}\n")
    place.chmod(0o755)
    return folder


def test_a_buildx_that_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    old = _plugin(tmp_path / "old", "github.com/docker/buildx v0.11.2 9872040b6626fb7d87ef7296fd5b832e8cc2ad17")
    with pytest.raises(EngineError, match=r"buildx 0\.11\.2 is too old: 0\.12 or newer is needed") as caught:
        find_buildx([old])
    assert "docker-buildx" in str(caught.value.fix)
    new = _plugin(tmp_path / "new", "github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3")
    assert find_buildx([old, new]) == Buildx(command=(str(new / "docker-buildx"),), version="0.13.1+ds1")


def test_a_buildx_that_does_not_run_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    broken = _plugin(tmp_path / "broken", "Segmentation fault", 139)
    with pytest.raises(EngineError, match="buildx is missing"):
        find_buildx([broken, tmp_path])
