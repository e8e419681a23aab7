"""`nox -s bench`: the benchmark, which is a package of its own."""

from __future__ import annotations

from pathlib import Path

import click

from bench.command import bench_command
from build.commands.options import Session
from build.paths import repository
from build.system import state


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
def bench(json_file: Path | None, only: tuple[str, ...], rounds: int) -> None:
    """Compare this pipeline with plain Dockerfiles.

    It starts an engine of its own and needs root, except for the phase scale.  bench/README.md describes the phases.
    """
    with state.exclusive(repository(), "bench"):
        bench_command(repository(), json_file=json_file, only=only, rounds=rounds)
