"""The checks of disk space: where the engine keeps images, and where this clone keeps its state."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from build.doctor.finding import Finding, missing, ok, warning
from build.doctor.setting import Setting
from build.engine.find import find
from build.engine.model import folders, free_bytes
from build.system import console

#: Bytes that the engine needs for the default images with their build cache, and for GPU images (CONTRIBUTING.md).
_ENGINE, _ENGINE_GPU = 10_000_000_000, 20_000_000_000
#: Bytes for the root file systems, prefixes, wheels and logs of this clone.
_CLONE = 2_000_000_000
#: Below this share of what is needed, it certainly is not enough: much may be there already.
_CERTAIN = 0.2


def check_engine_data(setting: Setting) -> Sequence[Finding]:
    """Ask for the free space where the engine keeps its images, or where this project's own would.

    Raises:
        EngineError: A Docker context or ``DOCKER_HOST`` names an engine that does not answer.
    """
    name = "disk of the engine"
    needed = _ENGINE_GPU if setting.has_gpu_images else _ENGINE
    engine = find(setting.engine_environ)
    if engine is None:
        return [judge(name, *_free(folders(setting.environ).images), needed)]
    free = free_bytes(engine)
    if free is None:
        text = f"the data folder {engine.data_root} is not on this machine; {console.size(needed)} must be free there"
        return [warning(name, text)]
    return [judge(name, Path(engine.data_root), free, needed)]


def check_clone(setting: Setting) -> Sequence[Finding]:
    """Ask for the free space where this clone keeps its state."""
    return [judge("disk of the clone", *_free(setting.project.paths.state), _CLONE)]


def judge(name: str, folder: Path, free: int, needed: int) -> Finding:
    """Return the finding about a folder.

    Args:
        name: What is checked.
        folder: The folder.
        free: The bytes that are free on its file system.
        needed: The bytes that work from nothing needs.
    """
    text = f"{console.size(free)} free in {folder}"
    if free >= needed:
        return ok(name, text)
    text += f"; the selected images need up to {console.size(needed)}"
    fix = "free some space: docker image prune -a and docker builder prune remove what no container uses"
    if name == "disk of the clone":
        fix = "free some space; .pipeline may be deleted while no command runs"
    return (warning if free >= needed * _CERTAIN else missing)(name, text, fix)


def _free(folder: Path) -> tuple[Path, int]:
    """Return the folder, or its nearest ancestor that exists, and the bytes that are free there."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return existing, shutil.disk_usage(existing).free
