"""Where both sides of the benchmark start: copies, tools and root file systems, none of it timed as a phase."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import plan as bench_plan
from bench.engine import BenchEngine
from bench.report import Choice
from bench.steps import step
from build.engine.connect import command_environment
from build.errors import EngineError
from build.paths import Paths
from build.system import console, state
from build.system.certificates import ca_bundle

#: The registry's image, built once on the plain base.
REGISTRY_IMAGE = "bench/registry:latest"
#: The ports of the two registries, in the engine's network.
PORTS = {"ours": 5601, "plain": 5602}
_EPOCH = "315532800"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The files that both sides work on."""

    rows: tuple[bench_plan.Row, ...]
    #: The copy of the checkout.
    ours: Paths
    #: The plain side's folder.
    plain: Path
    work: Path
    log: Path
    #: Seconds for each side's root file system.
    bootstrap: dict[str, float] = field(default_factory=dict)

    @property
    def base_name(self) -> str:
        return self.rows[0].variant.base_name


def prepare(paths: Paths, rows: tuple[bench_plan.Row, ...], work: Path, log: Path, choice: Choice) -> Setting:
    """Copy the checkout, fetch tools and bootstrap root file systems; none of this is timed, nor would a pull be."""
    console.step("preparing: root file systems of both sides (not timed)")
    setting = Setting(
        rows=rows, ours=bench_plan.copy_checkout(paths, work / "ours"), plain=work / "plain", work=work, log=log
    )
    if "ours" in choice.sides:
        setting.bootstrap["ours"] = build_command(
            setting, ["bases", "--group", bench_plan.GROUP], "bootstrapping our base"
        )
        console.info(f"bootstrapped our base, with uv: {console.seconds(setting.bootstrap['ours'])}")
    rootfs, setting.bootstrap["plain"] = _plain_rootfs(paths, rows, log)
    bench_plan.prepare_plain(paths, rows, setting.plain, rootfs)
    return setting


def build_command(setting: Setting, arguments: Sequence[str], what: str) -> float:
    """Run a command of this project in the copy of the checkout, and return the seconds."""
    return step(
        [sys.executable, "-m", "build", *arguments], cwd=setting.ours.root, variables={}, log=setting.log, what=what
    )


def _plain_rootfs(paths: Paths, rows: Sequence[bench_plan.Row], log: Path) -> tuple[Path, float]:
    """Bootstrap the equivalent of debian:SUITE-slim (the essential packages and apt); it is kept for the next run."""
    suite = bench_plan.suite(rows)
    folder = paths.state / "bench" / f"plain-{suite}"
    tar, note = folder / "rootfs.tar", folder / "bootstrap.json"
    arguments = [
        "--variant=minbase",
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "info", "locale", "doc")),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--include=usr-is-merged",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        "--skip=output/dev",
        '--customize-hook=rm -rf "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/log/*',
        suite,
    ]
    known = state.read_json(note)
    if known and known.get("arguments") == arguments and tar.is_file():
        console.info(f"the plain base was bootstrapped earlier, in {console.seconds(known['seconds'])}")
        return tar, float(known["seconds"])
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise EngineError("mmdebstrap is not installed", fix="nox -s engine, or apt-get install mmdebstrap")
    folder.mkdir(parents=True, exist_ok=True)
    incoming = folder / "rootfs.incoming.tar"
    try:
        seconds = step(
            [tool, *arguments, str(incoming)],
            cwd=folder,
            variables={"SOURCE_DATE_EPOCH": _EPOCH, "LC_ALL": "C"},
            log=log,
            what="bootstrapping the plain base",
        )
        incoming.replace(tar)
    finally:
        incoming.unlink(missing_ok=True)
    state.write_json(note, {"arguments": arguments, "seconds": seconds})
    console.info(f"bootstrapped the plain base: {console.seconds(seconds)}")
    return tar, seconds


def bake(setting: Setting, bench: BenchEngine, targets: Sequence[str], registry: str, what: str) -> float:
    """Run `docker buildx bake` on the plain side with buildx's own defaults, and return the seconds."""
    return step(
        [*bench.connection.buildx.command, "bake", "--progress=plain", "--file", "docker-bake.hcl", *targets],
        cwd=setting.plain,
        variables={
            **command_environment(bench.connection.engine, {}),
            "REGISTRY": registry,
            "CA_BUNDLE": str(ca_bundle() or ""),
            "BASE": bench_plan.plain_base(setting.rows),
        },
        log=setting.log,
        what=what,
    )


def restore(setting: Setting) -> None:
    """Undo the changes of the other side's phases, so that each side begins with the same files."""
    backup = setting.work / "original"
    if not backup.exists():
        for part, source in _parts(setting):
            if source.exists():
                shutil.copytree(source, backup / part, symlinks=True)
        return
    for part, source in _parts(setting):
        if (backup / part).exists():
            shutil.rmtree(source)
            shutil.copytree(backup / part, source, symlinks=True)


def _parts(setting: Setting) -> tuple[tuple[str, Path], ...]:
    return (("ours", setting.ours.root), ("plain", setting.plain))


def pull_plain_base(setting: Setting, bench: BenchEngine) -> None:
    """Load the plain base, as `docker pull debian:SUITE-slim` would; this is not timed."""
    bake(setting, bench, ["base"], "", "the plain base")
