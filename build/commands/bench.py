"""`nox -s bench`: the benchmark, which is a package of its own."""

from __future__ import annotations

from pathlib import Path

import click

from bench.command import bench_command
from bench.serving_command import Asked
from build.commands.options import Session
from build.paths import repository
from build.system import state
from build.variants import stand_in


@click.command(cls=Session)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write the figures to this file.")
@click.option("--only", multiple=True, help="Measure only this phase or side (repeatable; see bench/README.md).")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="How often the phase first-answer starts each image.",
)
@click.option("--image", help="The image that serves in the phase serving; by default the minimal one.")
@click.option(
    "--base",
    multiple=True,
    metavar="BASE=OTHER",
    help="In the phase serving, the image is built on the base OTHER instead (repeatable).",
)
@click.option("--points", multiple=True, help="Only these points of the phase serving: a name or a glob (repeatable).")
@click.option("--pairs", type=click.IntRange(1), default=5, show_default=True, help="Rounds of each point of serving.")
@click.option("--seconds", type=click.IntRange(1), default=3, show_default=True, help="Of each run of serving.")
@click.option(
    "--start-files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="In the phase serving, use this folder instead of the image's own server_start (image/start/server_start).",
)
def bench(
    json_file: Path | None,
    only: tuple[str, ...],
    rounds: int,
    image: str | None,
    base: tuple[str, ...],
    points: tuple[str, ...],
    pairs: int,
    seconds: int,
    start_files: Path | None,
) -> None:
    """Compare this pipeline with plain Dockerfiles, and the images' server with the bare one.

    It starts an engine of its own and needs root, except for the phases scale and serving.  bench/README.md describes
    the phases.
    """
    _, stand_ins = stand_in.parse(base)
    serving = Asked(
        image=image, stand_ins=stand_ins, points=points, pairs=pairs, seconds=seconds, start_files=start_files
    )
    with state.exclusive(repository(), "bench"):
        bench_command(repository(), json_file=json_file, only=only, rounds=rounds, serving=serving)
