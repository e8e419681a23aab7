"""The checks of the engine, of its image store, of buildx, and of the builder that the environment names."""

from __future__ import annotations

from collections.abc import Sequence

from build.builder.choice import choose
from build.doctor.finding import Finding, ok, warning
from build.doctor.setting import Setting
from build.engine.buildx import find_buildx
from build.engine.buildx_builder import VARIABLE, EngineBuilder, Standalone
from build.engine.find import require
from build.engine.model import Engine


def check_engine(setting: Setting) -> Sequence[Finding]:
    """Ask which engine answers, and judge it.

    Raises:
        EngineError: None answers, or one that cannot build these images.
    """
    return judge(require(setting.engine_environ))


def judge(engine: Engine) -> Sequence[Finding]:
    """Return the findings about an engine that can build these images."""
    found = ok("engine", f"Docker {engine.version} at {engine.host} ({engine.source})")
    if engine.containerd_store:
        return [found, ok("image store", "containerd")]
    store = warning(
        "image store",
        "classic: its images have other digests than those of engines with containerd's image store",
        'set {"features": {"containerd-snapshotter": true}} in the engine\'s daemon.json, then restart it; '
        "it does not show the images of the other store",
    )
    return [found, store]


def check_buildx(setting: Setting) -> Sequence[Finding]:
    """Look for buildx.

    Raises:
        EngineError: buildx is not found, or is too old.
    """
    del setting
    buildx = find_buildx()
    return [ok("buildx", f"{buildx.version} ({' '.join(buildx.command)})")]


def check_builder(setting: Setting) -> Sequence[Finding]:
    """Look for the builder that the environment names, if it names one that is not an engine.

    Raises:
        EngineError: It does not exist, does not answer, or cannot build these images.
    """
    choice = choose("", setting.registry, setting.environ)
    match choice.builder:
        case EngineBuilder() if choice.remark:
            return [warning("builder", choice.remark, f"unset {VARIABLE}, or name a registry")]
        case EngineBuilder():
            return []
        case Standalone() as builder:
            return [ok("builder", f"{builder}, which pushes to {setting.registry}")]
