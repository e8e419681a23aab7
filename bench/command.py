"""``nox -s bench``: this pipeline against plain Dockerfiles, both sides in one run on one engine.

``bench/README.md`` says what is measured and how.  Effects here; figures in ``bench.report``, the engine and
registries in ``bench.engine``, what is put before both sides in ``bench.plan``.
"""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import first_answer as bench_first_answer
from bench import first_answer_report
from bench import limit as bench_limit
from bench import plan as bench_plan
from bench import report as bench_report
from bench.engine import BenchEngine, BenchRegistry, bench_engine, bench_registry, command, make_cold
from bench.first_answer_report import FirstAnswer
from bench.report import Choice, Inventory, Limit, Measure, Side
from build.checkout.project import open_project
from build.engine.connect import command_environment
from build.errors import EngineError, PipelineError, RegistryError
from build.paths import Paths
from build.system import console, state
from build.system.certificates import ca_bundle

#: The registry's image, built once on the plain base.
_REGISTRY_IMAGE = "bench/registry:latest"
_PORTS = {"ours": 5601, "plain": 5602}
#: In the engine's network, of the containers that answer.
_SCORING_PORT = 5603
_EPOCH = "315532800"


def bench_command(paths: Paths, *, json_file: Path | None, only: tuple[str, ...], rounds: int) -> None:
    """Measure, print the table, write the figures.  A target that is missed is said, and is no failure.

    Args:
        paths: The checkout.
        json_file: Written beside ``.pipeline/reports/bench.json``.
        only: Phases and sides, see ``bench.report.choose``.
        rounds: How often the first answer is measured.

    Raises:
        UsageError: ``only`` names something else.
        EngineError: The benchmark's own engine cannot be had.
        PipelineError: A step of a side failed.
    """
    choice = bench_report.choose(only)
    project = open_project(paths)
    rows = bench_plan.rows(project)
    if not ca_bundle():
        raise PipelineError("no file of CA certificates is on this machine", fix="apt-get install ca-certificates")
    log = paths.logs / f"bench-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}.log"
    console.step(f"bench: {', '.join(row.plain for row in rows)}; its log is {log}")
    # On a disk (/tmp may be memory), and short, for the names of sockets.
    work = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
    limit: Limit | None = None
    sides: dict[str, Side] = {}
    first: FirstAnswer | None = None
    machine = describe_machine()
    try:
        if "limit" in choice.phases:
            limit = _limit(rows, work, log)
        if set(choice.phases) != {"limit"}:
            setting = _prepare(paths, rows, work, log, choice)
            with bench_engine(work / "engine") as bench:
                machine |= _describe_engine(bench)
                if choice.builds:
                    _build_registry_image(setting, bench)
                    for name in choice.sides:
                        sides[name] = _measure_side(name, setting, bench, choice)
                if "first-answer" in choice.phases:
                    first = _first_answer(setting, bench, choice, paths, rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    table = [*bench_report.rows(sides.get("plain"), sides.get("ours"), limit), *first_answer_report.rows(first)]
    console.table(("phase", "plain>", "ours>", "ratio>", "target>", "reached"), [row.cells for row in table])
    content = bench_report.as_json(
        machine=machine, plain=sides.get("plain"), ours=sides.get("ours"), limit=limit, table=table
    ) | {"first_answer": first_answer_report.as_json(first)}
    report = paths.reports / "bench.json"
    for file in (report, json_file):
        if file is not None:
            state.write_json(file.resolve(), content)
    console.out.print(f"{bench_report.verdict(table)}; all figures: {json_file or report}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What both sides work on."""

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


def _limit(rows: Sequence[bench_plan.Row], work: Path, log: Path) -> Limit:
    console.step("limit: the same packages installed, compiled and compressed once")
    limit = bench_limit.measure(
        [row.lock for row in rows], work / "limit", log=log, variables={"SSL_CERT_FILE": str(ca_bundle() or "")}
    )
    zstd = f"zstd {limit.zstd:.1f} s" if limit.zstd is not None else "no zstd on this machine"
    console.info(
        f"{limit.packages} packages: install {limit.install:.1f} s, bytecode {limit.bytecode:.1f} s, {zstd}, "
        f"in all {limit.total:.1f} s (gzip instead of zstd: {limit.gzip:.1f} s)"
    )
    return limit


# ---- before the clock ------------------------------------------------------------------------------------


def _prepare(paths: Paths, rows: tuple[bench_plan.Row, ...], work: Path, log: Path, choice: Choice) -> _Setting:
    """Copies, tools and root file systems: what a pull of the base would be is in nobody's clock."""
    console.step("before the clock: root file systems of both sides")
    setting = _Setting(
        rows=rows, ours=bench_plan.copy_checkout(paths, work / "ours"), plain=work / "plain", work=work, log=log
    )
    if "ours" in choice.sides:
        setting.bootstrap["ours"] = _build(setting, ["bases", "--group", bench_plan.GROUP], "bootstrapping our base")
        console.info(f"ours bootstrapped, with uv: {console.seconds(setting.bootstrap['ours'])}")
    rootfs, setting.bootstrap["plain"] = _plain_rootfs(paths, rows, log)
    bench_plan.prepare_plain(paths, rows, setting.plain, rootfs)
    return setting


def _build(setting: _Setting, arguments: Sequence[str], what: str) -> float:
    """A command of this project in the copy of the checkout; seconds."""
    return command(
        [sys.executable, "-m", "build", *arguments], cwd=setting.ours.root, variables={}, log=setting.log, what=what
    )


def _plain_rootfs(paths: Paths, rows: Sequence[bench_plan.Row], log: Path) -> tuple[Path, float]:
    """What debian:SUITE-slim is, without Docker Hub: the essential packages and apt; kept for the next time."""
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
        console.info(f"plain bootstrapped earlier, it took {console.seconds(known['seconds'])}")
        return tar, float(known["seconds"])
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise EngineError("mmdebstrap is not installed", fix="nox -s engine, or apt-get install mmdebstrap")
    folder.mkdir(parents=True, exist_ok=True)
    incoming = folder / "rootfs.incoming.tar"
    try:
        seconds = command(
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
    console.info(f"plain bootstrapped: {console.seconds(seconds)}")
    return tar, seconds


def _bake(setting: _Setting, bench: BenchEngine, targets: Sequence[str], registry: str, what: str) -> float:
    """`docker buildx bake` on the plain side, all settings buildx's own; seconds."""
    return command(
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


def _build_registry_image(setting: _Setting, bench: BenchEngine) -> None:
    console.info("building the image of the registries")
    _bake(setting, bench, ["registry"], "127.0.0.1:5000", "the registry's image")


# ---- the clock -------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Clock:
    """Runs one side's phases."""

    name: str
    registry: BenchRegistry
    #: Build and push once: seconds of each, and wall-clock seconds.
    work: Callable[[], tuple[float, float, float]]
    seen: dict[str, int] = field(default_factory=dict)
    phases: dict[str, Measure] = field(default_factory=dict)

    def run(self, phase: str) -> Inventory:
        """One phase: what it took, and what the registry has after it."""
        build, push, total = self.work()
        inventory = self.registry.inventory()
        measure = Measure(
            build=build, push=push, total=total, pushed=bench_report.new_bytes(self.seen, inventory.everything)
        )
        self.seen |= inventory.everything
        self.phases[phase] = measure
        console.info(
            f"{self.name}, {phase}: {measure.total:.1f} s (build {build:.1f}, push {push:.1f}), "
            f"{console.size(measure.pushed)} pushed"
        )
        return inventory


def _measure_side(name: str, setting: _Setting, bench: BenchEngine, choice: Choice) -> Side:
    console.step(f"{name}: {', '.join(choice.builds)}")
    make_cold(bench, keep=_REGISTRY_IMAGE)
    _restore(setting)
    peak: list[int] = []
    with bench_registry(bench, _REGISTRY_IMAGE, _PORTS[name]) as registry:

        def ours() -> tuple[float, float, float]:
            return _ours(setting, bench, registry, peak)

        def plain() -> tuple[float, float, float]:
            return _plain(setting, bench, registry)

        clock = _Clock(name=name, registry=registry, work=ours if name == "ours" else plain)
        if name == "plain":
            _pull_plain_base(setting, bench)
        cold = clock.run("cold")
        layers: tuple[int, int] | None = None
        before = cold
        for phase in choice.builds[1:]:
            if phase == "pin":
                console.info(bench_plan.change_pin(setting.ours, plain=setting.plain))
                _build(setting, ["generate"], "generating the Dockerfiles of the changed pin")
            elif phase == "base":
                bench_plan.change_base(setting.ours, setting.base_name, plain=setting.plain)
                if name == "plain":
                    _pull_plain_base(setting, bench)
            after = clock.run(phase)
            if phase == "base":
                layers = bench_report.layers_kept(before, after)
            before = after
    return Side(
        phases=clock.phases,
        unique=cold.unique,
        summed=cold.summed,
        images={repository: sum(image.blobs.values()) for repository, image in sorted(cold.images.items())},
        peak_memory=max(peak) if peak else None,
        layers=layers[0] if layers else None,
        layers_kept=layers[1] if layers else None,
        bootstrap=setting.bootstrap.get(name),
    )


def _restore(setting: _Setting) -> None:
    """Undo what the other side's phases changed: each side begins with the same files."""
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


def _parts(setting: _Setting) -> tuple[tuple[str, Path], ...]:
    return (("ours", setting.ours.root), ("plain", setting.plain))


def _ours(
    setting: _Setting, bench: BenchEngine, registry: BenchRegistry, peak: list[int]
) -> tuple[float, float, float]:
    """Our pipeline without verify, in a process of its own."""
    report = setting.work / "ours.json"
    report.unlink(missing_ok=True)
    try:
        total = command(
            [*bench.inside, sys.executable, "-m", "bench.side", str(report)],
            cwd=setting.ours.root,
            variables={**bench.variables, "REGISTRY": registry.host},
            log=setting.log,
            what="our side",
        )
    finally:
        _keep_logs(setting)
    figures = state.read_json(report)
    if figures is None:
        raise PipelineError("our side wrote no figures", where=str(setting.log))
    peak.append(int(figures["peak_memory"]))
    return float(figures["build"]), float(figures["push"]), total


def _keep_logs(setting: _Setting) -> None:
    """Add the copy's own build logs, which go with it, to the benchmark's."""
    with setting.log.open("a", encoding="utf-8") as output:
        for file in sorted(setting.ours.logs.glob("build-*.log")):
            output.write(f"{file.name}:\n{file.read_text(encoding='utf-8', errors='replace')}\n")
            file.unlink()


def _pull_plain_base(setting: _Setting, bench: BenchEngine) -> None:
    """Stands for `docker pull debian:SUITE-slim`, which is not in the clock."""
    _bake(setting, bench, ["base"], "", "the plain base")


def _plain(setting: _Setting, bench: BenchEngine, registry: BenchRegistry) -> tuple[float, float, float]:
    """`docker buildx bake`, then `docker push` of each image."""
    build = _bake(setting, bench, [row.plain for row in setting.rows], registry.host, "the plain side's build")
    began = time.monotonic()
    for row in setting.rows:
        repository = f"{registry.host}/plain/{row.plain}"
        for event in bench.connection.client.api.push(repository, tag="latest", stream=True, decode=True):
            if "error" in event:
                raise RegistryError(f"the plain side's push of {row.plain} failed", details=str(event["error"]))
    push = time.monotonic() - began
    return build, push, build + push


# ---- the first answer ------------------------------------------------------------------------------------


def _first_answer(setting: _Setting, bench: BenchEngine, choice: Choice, paths: Paths, rounds: int) -> FirstAnswer:
    """Both images as the checkout has them, then one started after the other."""
    console.step("first answer: building the images, which is in nobody's clock")
    _restore(setting)
    row = next((row for row in setting.rows if row.variant.framework == bench_first_answer.FRAMEWORK), None)
    if row is None:
        raise PipelineError(
            f"the first answer is measured with {bench_first_answer.FRAMEWORK}, and no image of the benchmark has it",
            where=f"matrix.yaml (groups.{bench_plan.GROUP})",
        )
    ours = plain = None
    if "ours" in choice.sides:
        command(
            [*bench.inside, sys.executable, "-m", "build", "build", row.variant.name],
            cwd=setting.ours.root,
            variables=bench.variables,
            log=setting.log,
            what="building our image",
        )
        ours = f"{row.variant.repository}:latest"
    if "plain" in choice.sides:
        registry = f"127.0.0.1:{_PORTS['plain']}"
        _pull_plain_base(setting, bench)
        _bake(setting, bench, [row.plain], registry, "building the plain image")
        plain = f"{registry}/plain/{row.plain}:latest"
    console.step(f"first answer: {rounds} rounds")
    return bench_first_answer.measure(
        bench_first_answer.Place(
            client=bench.connection.client,
            environment=bench.connection.environment,
            address=bench.address,
            port=_SCORING_PORT,
        ),
        bench_first_answer.contenders(ours=ours, plain=plain),
        paths.root / bench_first_answer.SCRIPT,
        setting.work / "first-answer",
        rounds=rounds,
    )


# ---- the machine -----------------------------------------------------------------------------------------


def describe_machine() -> dict[str, Any]:
    """What the figures depend on: cores, memory in bytes, kernel, processor, date (UTC)."""
    processor = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "processor": processor,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _describe_engine(bench: BenchEngine) -> dict[str, Any]:
    return {
        "engine": f"Docker {bench.connection.engine.version}",
        "image_store": bench.connection.engine.image_store,
        "buildx": bench.connection.buildx.version,
    }
