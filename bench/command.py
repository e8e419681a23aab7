"""``nox -s bench``: this pipeline against plain Dockerfiles, both sides in one run on one engine.

``bench/README.md`` explains what is measured and how.  The engine is in ``bench.engine``, the registries in
``bench.registry``, preparation in ``bench.setting``, the timed phases in ``bench.phases``, figures in ``bench.report``.
"""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import first_answer as bench_first_answer
from bench import first_answer_report, serving_command, serving_report
from bench import limit as bench_limit
from bench import plan as bench_plan
from bench import report as bench_report
from bench import scale as bench_scale
from bench.engine import BenchEngine, bench_engine
from bench.first_answer_report import FirstAnswer
from bench.phases import measure_side
from bench.report import Choice, Limit, Side
from bench.serving_command import Asked
from bench.setting import PORTS, Setting, bake, prepare, pull_plain_base, restore
from bench.steps import step
from build.checkout.project import open_project
from build.errors import PipelineError
from build.paths import Paths
from build.system import console, state
from build.system.certificates import ca_bundle

#: In the engine's network, of the containers that answer.
_SCORING_PORT = 5603


def bench_command(paths: Paths, *, json_file: Path | None, only: tuple[str, ...], rounds: int, serving: Asked) -> None:
    """Measure, print the table, write the figures.  A missed target is reported, and is not a failure.

    Args:
        paths: The checkout.
        json_file: Gets the figures too, in addition to ``.pipeline/reports/bench.json``.
        only: Phases and sides, see ``bench.report.choose``.
        rounds: Number of starts of each image in the phase first-answer.
        serving: The options of the phase serving.

    Raises:
        UsageError: ``only`` names neither a phase nor a side, or an option of the phase serving is wrong.
        EngineError: The benchmark's own engine cannot be started.
        PipelineError: A step of a side failed.
    """
    choice = bench_report.choose(only)
    project = open_project(paths)
    rows = bench_plan.rows(project)
    compares = bool(set(choice.phases) - {"scale", "serving"})
    if compares and not ca_bundle():
        raise PipelineError("this machine has no file of CA certificates", fix="apt-get install ca-certificates")
    log = paths.logs / f"bench-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}.log"
    if compares or "scale" in choice.phases:
        console.step(f"bench: {', '.join(row.plain for row in rows)}; log: {log}")
    # On a disk (/tmp may be memory), and short, for the names of sockets.
    work = Path(tempfile.mkdtemp(prefix="bench-", dir="/var/tmp"))
    limit: Limit | None = None
    sides: dict[str, Side] = {}
    first: FirstAnswer | None = None
    scale: tuple[bench_scale.Scale, ...] = ()
    served: tuple[serving_report.Result, ...] = ()
    machine = describe_machine()
    try:
        if "serving" in choice.phases:
            served = serving_command.measure(paths, serving)
        if "scale" in choice.phases:
            scale = bench_scale.measure(paths, work / "scale", log)
        if "limit" in choice.phases:
            limit = _limit(rows, work, log)
        if set(choice.phases) - {"scale", "limit", "serving"}:
            setting = prepare(paths, rows, work, log, choice)
            with bench_engine(work / "engine") as bench:
                machine |= _describe_engine(bench)
                if choice.builds:
                    _build_registry_image(setting, bench)
                    for name in choice.sides:
                        sides[name] = measure_side(name, setting, bench, choice)
                if "first-answer" in choice.phases:
                    first = _first_answer(setting, bench, choice, paths, rounds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if served:
        serving_report.print_table(served)
    if scale:
        bench_scale.print_table(scale)
    table = [*bench_report.rows(sides.get("plain"), sides.get("ours"), limit), *first_answer_report.rows(first)]
    if compares:
        console.table(("phase", "plain>", "ours>", "ratio>", "target>", "reached"), [row.cells for row in table])
    content = bench_report.as_json(
        machine=machine, plain=sides.get("plain"), ours=sides.get("ours"), limit=limit, table=table
    ) | {
        "first_answer": first_answer_report.as_json(first),
        "scale": bench_scale.as_json(scale),
        "serving": serving_report.as_json(served),
    }
    report = paths.reports / "bench.json"
    for file in (report, json_file):
        if file is not None:
            state.write_json(file.resolve(), content)
    verdicts = [serving_report.verdict(served)] if served else []
    verdicts += [bench_scale.verdict(scale)] if scale else []
    verdicts += [bench_report.verdict(table)] if compares else []
    console.out.print(f"{'; '.join(verdicts)}; all figures: {json_file or report}", soft_wrap=True)


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


def _build_registry_image(setting: Setting, bench: BenchEngine) -> None:
    console.info("building the image of the registries")
    bake(setting, bench, ["registry"], "127.0.0.1:5000", "the registry's image")


def _first_answer(setting: Setting, bench: BenchEngine, choice: Choice, paths: Paths, rounds: int) -> FirstAnswer:
    """Build both images from the unchanged files, then start them in turn."""
    console.step("first answer: building the images (not timed)")
    restore(setting)
    row = next((row for row in setting.rows if row.variant.framework == bench_first_answer.FRAMEWORK), None)
    if row is None:
        raise PipelineError(
            f"the first answer is measured with {bench_first_answer.FRAMEWORK}, and no image of the benchmark has it",
            where=f"matrix.yaml (groups.{bench_plan.GROUP})",
        )
    ours = plain = None
    if "ours" in choice.sides:
        step(
            [*bench.inside, sys.executable, "-m", "build", "build", "--no-pull", row.variant.name],
            cwd=setting.ours.root,
            variables=bench.variables,
            log=setting.log,
            what="building our image",
        )
        ours = f"{row.variant.repository}:latest"
    if "plain" in choice.sides:
        registry = f"127.0.0.1:{PORTS['plain']}"
        pull_plain_base(setting, bench)
        bake(setting, bench, [row.plain], registry, "building the plain image")
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


def describe_machine() -> dict[str, Any]:
    """Describe the machine that the figures depend on: cores, memory (bytes), kernel, processor, load, date (UTC)."""
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
