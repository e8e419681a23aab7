"""The own engine's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.engine import daemon
from build.engine.model import Folders, folders
from build.errors import EngineError


def test_the_engines_root_moves_all_its_folders() -> None:
    own = folders({"INFERENCE_IMAGES_ENGINE_ROOT": "/srv/x"})
    config = daemon.configuration(own, free_bytes=10**12)
    assert {config[key] for key in ("data-root", "exec-root", "pidfile")} == {
        "/srv/x/data/docker",
        "/srv/x/run/exec",
        "/srv/x/run/dockerd.pid",
    }
    assert config["hosts"] == ["unix:///srv/x/run/docker.sock"]


@pytest.mark.parametrize(("free", "keep"), [(10**12, "30000MB"), (20 * 10**9, "10000MB")])
def test_the_build_cache_leaves_half_of_a_small_disk(free: int, keep: str) -> None:
    config = daemon.configuration(folders({}), free_bytes=free)
    assert config["builder"] == {"gc": {"enabled": True, "defaultKeepStorage": keep}}


def test_a_folder_with_too_long_a_name_for_sockets() -> None:
    place = Path("/tmp", "x" * 80)
    with pytest.raises(EngineError, match="bytes too long for its sockets"):
        daemon.start(Folders(data=place / "data", run=place / "run", next_to_another=True))
    assert not place.exists()
