"""The phases of one side: build and push, timed, and what the registry has after each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import plan as bench_plan
from bench import report as bench_report
from bench.engine import BenchEngine, make_cold
from bench.registry import BenchRegistry, bench_registry
from bench.report import Choice, Inventory, Measure, Side
from bench.setting import PORTS, REGISTRY_IMAGE, Setting, bake, build_command, pull_plain_base, restore
from bench.steps import step
from build.errors import PipelineError, RegistryError
from build.system import console, state


@dataclass(kw_only=True)
class _Clock:
    """Runs and times the phases of one side."""

    name: str
    registry: BenchRegistry
    #: Builds and pushes once; returns seconds of the build, of the push, and of the whole.
    work: Callable[[], tuple[float, float, float]]
    seen: dict[str, int] = field(default_factory=dict)
    phases: dict[str, Measure] = field(default_factory=dict)

    def run(self, phase: str) -> Inventory:
        """Run one phase, and return what the registry has after it."""
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


def measure_side(name: str, setting: Setting, bench: BenchEngine, choice: Choice) -> Side:
    console.step(f"{name}: {', '.join(choice.builds)}")
    make_cold(bench, keep=REGISTRY_IMAGE)
    restore(setting)
    peak: list[int] = []
    with bench_registry(bench, REGISTRY_IMAGE, PORTS[name]) as registry:

        def ours() -> tuple[float, float, float]:
            return _ours(setting, bench, registry, peak)

        def plain() -> tuple[float, float, float]:
            return _plain(setting, bench, registry)

        clock = _Clock(name=name, registry=registry, work=ours if name == "ours" else plain)
        if name == "plain":
            pull_plain_base(setting, bench)
        cold = clock.run("cold")
        layers: tuple[int, int] | None = None
        before = cold
        for phase in choice.builds[1:]:
            if phase == "pin":
                console.info(bench_plan.change_pin(setting.ours, plain=setting.plain))
                build_command(setting, ["generate"], "generating the Dockerfiles of the changed pin")
            elif phase == "base":
                bench_plan.change_base(setting.ours, setting.base_name, plain=setting.plain)
                if name == "plain":
                    pull_plain_base(setting, bench)
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


def _ours(setting: Setting, bench: BenchEngine, registry: BenchRegistry, peak: list[int]) -> tuple[float, float, float]:
    """Run our pipeline without verify, in a process of its own."""
    report = setting.work / "ours.json"
    report.unlink(missing_ok=True)
    try:
        total = step(
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


def _keep_logs(setting: Setting) -> None:
    """Append the build logs of the copy, which is deleted later, to the benchmark's log."""
    with setting.log.open("a", encoding="utf-8") as output:
        for file in sorted(setting.ours.logs.glob("build-*.log")):
            output.write(f"{file.name}:\n{file.read_text(encoding='utf-8', errors='replace')}\n")
            file.unlink()


def _plain(setting: Setting, bench: BenchEngine, registry: BenchRegistry) -> tuple[float, float, float]:
    """Run `docker buildx bake`, then `docker push` for each image."""
    build = bake(setting, bench, [row.plain for row in setting.rows], registry.host, "the plain side's build")
    began = time.monotonic()
    for row in setting.rows:
        repository = f"{registry.host}/plain/{row.plain}"
        for event in bench.connection.client.api.push(repository, tag="latest", stream=True, decode=True):
            if "error" in event:
                raise RegistryError(f"the plain side's push of {row.plain} failed", details=str(event["error"]))
    push = time.monotonic() - began
    return build, push, build + push
